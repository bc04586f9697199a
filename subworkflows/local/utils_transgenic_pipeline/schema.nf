/*
 * Parameters and samplesheet against their JSON schemas, in the head process, before any task is queued.
 *
 * In: nextflow_schema.json and assets/schema_input.json (nf-schema's form). Out: values and rows typed by them, or
 * sentences for every fault with its line and column. A surprise: from Nextflow 26.04 on every value of the command line
 * is a string, so nothing but `typedParams` may read one. The nf-schema plugin would check as well, but a declared plugin
 * stops the run where it cannot be fetched; docs/adr/0003 has the reasons, and a test holds this file and
 * `tg-prep samplesheet` to the same verdicts.
 */

def readSchema(path) {
    return new groovy.json.JsonSlurper().parseText(file(path, checkIfExists: true).text)
}

/** All properties of nextflow_schema.json, groups flattened: [ name: definition ]. */
def schemaParams(schema) {
    return (schema['$defs'] ?: [:]).values().collectEntries { group -> group.properties ?: [:] }
}

/** Parameters by name as their definitions type them, whether they came as strings or not; empty ones are null. */
def typedParams(given, schema) {
    def rules = schemaParams(schema)
    return given.collectEntries { name, value -> [name, rules.containsKey(name) ? typedValue(value, rules[name]) : value] }
}

/** One value as its definition types it; what cannot be read that way stays as it is, and `faultOf` names it. */
def typedValue(value, rule) {
    def text = value == null ? '' : value.toString()
    if (text == '') { return null }
    if (rule.type == 'boolean' && text in ['true', 'false']) { return text == 'true' }
    if (rule.type == 'integer' && isWhole(text)) { return text.toBigDecimal().toBigInteger().toLong() }
    if (rule.type == 'number' && text.isNumber()) { return text.toBigDecimal() }
    return rule.type == 'string' && !(value instanceof Boolean) ? text : value
}

def isWhole(text) {
    return text.isNumber() && text.toBigDecimal() == text.toBigDecimal().toBigInteger().toBigDecimal()
}

/** What is wrong with one value, or null. Knows the keywords that the two schemas use. */
def faultOf(value, rule) {
    def text    = value.toString()
    def number  = text.isNumber() ? text.toBigDecimal() : null
    def allowed = rule['enum']
    if (rule.type == 'integer' && !isWhole(text)) { return "must be a whole number" }
    if (rule.type == 'number' && number == null) { return "must be a number" }
    if (rule.type == 'boolean' && !(text in ['true', 'false'])) { return "must be true or false" }
    if (rule.type == 'string' && value instanceof Boolean) { return "needs a value" }
    if (allowed && !(text in allowed)) { return "must be one of: ${allowed.join(', ')}" }
    if (rule.pattern && !(text ==~ (rule.pattern.endsWith('$') ? rule.pattern : "${rule.pattern}.*"))) {
        return rule.errorMessage ?: "must match ${rule.pattern}"
    }
    if (rule.minimum != null && number != null && number < rule.minimum) { return "must be at least ${rule.minimum}" }
    if (rule.exclusiveMinimum != null && number != null && number <= rule.exclusiveMinimum) { return "must be more than ${rule.exclusiveMinimum}" }
    if (rule.maximum != null && number != null && number > rule.maximum) { return "must be at most ${rule.maximum}" }
    return null
}

/** What is wrong with a path that is given to tasks, or null: Nextflow links it in by a shell that reads these signs. */
def faultOfPath(path, rule) {
    if (!path.exists()) { return "there is no such ${rule.format == 'directory-path' ? 'directory' : 'file'}" }
    def signs = path.toUriString().replaceAll(/[^$*?\[\]{}#~\\\n\r\t]/, '')
    return signs ? "its full path holds ${signs.toList().unique().join(' ')}, which a shell reads as a command; rename it, or link to it under another name" : null
}

/** The known name that a typo most likely meant, as a hint, or an empty string. */
def didYouMean(name, names) {
    def best = names.min { candidate -> editDistance(name.toLowerCase(), candidate.toString()) }
    return best && editDistance(name.toLowerCase(), best) <= Math.max(2, name.size().intdiv(3)) ? " Did you mean --${best}?" : ''
}

/** How many letters must be put in, taken out or changed to make one word of the other. */
def editDistance(a, b) {
    return a.toList().withIndex().inject((0..b.size()).toList()) { previous, item ->
        def (letter, i) = item
        b.toList().withIndex().inject([i + 1]) { row, other ->
            def (wanted, j) = other
            row + [[row[j] + 1, previous[j + 1] + 1, previous[j] + (letter == wanted ? 0 : 1)].min()]
        }
    }[-1]
}

/** Faults of all parameters, one sentence each. */
def faultsOfParams(given, schema) {
    def known  = schemaParams(schema)
    def faults = []
    given.each { name, value ->
        if (!known.containsKey(name)) {
            // Nextflow itself adds a camelCase twin to every --kebab-case parameter: name the one that was typed.
            def kebab = name.toString().replaceAll(/([A-Z])/) { _all, letter -> "-${letter.toLowerCase()}" }
            if (name == kebab || !given.containsKey(kebab)) {
                faults << "--${name}: there is no such parameter.${didYouMean(name.toString().replace('-', '_'), known.keySet())}"
            }
        }
        else if (value != null && value != '') {
            def rule  = known[name]
            def fault = faultOf(value, rule) ?: (rule.exists ? faultOfPath(file(value, glob: false), rule) : null)
            if (fault) { faults << "--${name} ${value}: ${fault}" }
        }
    }
    (schema['$defs'] ?: [:]).values().each { group ->
        (group.required ?: []).each { name ->
            if (given[name] == null || given[name] == '') { faults << "--${name}: is required. ${known[name].description}" }
        }
    }
    return faults
}

/** The fields of one CSV line, quotes taken off. */
def cellsOf(line) {
    return ",${line}".toString().findAll(/,(?:"((?:[^"]|"")*)"|([^,]*))/) { _all, quoted, plain ->
        (quoted != null ? quoted.replace('""', '"') : plain).trim()
    }
}

/** A path of the samplesheet: absolute or a URL as it stands, else beside the samplesheet, else from the launch directory. */
def resolvePath(value, sheet) {
    if (value.startsWith('/') || value.contains('://')) { return file(value, glob: false) }
    def beside = sheet.parent.resolve(value)
    return beside.exists() ? beside : file(value, glob: false)
}

def place(sheet, number, column = null) {
    return "${sheet.name}, line ${number}${column ? ", column '${column}'" : ''}"
}

/** Faults of the first line. */
def faultsOfHeader(header, sheet, schema) {
    def rules = schema.items.properties
    if (!header.any { column -> column }) {
        return ["${place(sheet, 1)}: the samplesheet is empty; its first line must be: ${rules.keySet().join(',')}"]
    }
    return header.findAll { column -> !rules.containsKey(column) }.collect { column ->
        "${place(sheet, 1, column)}: unknown column; allowed are: ${rules.keySet().join(', ')}"
    } + header.countBy { column -> column }.findAll { _column, count -> count > 1 }.collect { column, _count ->
        "${place(sheet, 1, column)}: this column stands twice"
    } + (schema.items.required - header).collect { column ->
        "${place(sheet, 1, column)}: this column is missing; the header must have at least: ${schema.items.required.join(', ')}"
    }
}

/** Faults of one row, `number` its line. */
def faultsOfRow(row, number, sheet, schema) {
    def rules  = schema.items.properties
    def faults = schema.items.required.findAll { column -> !row[column] }.collect { column ->
        "${place(sheet, number, column)}: is empty. ${rules[column].errorMessage}"
    }
    row.findAll { _column, value -> value }.each { column, value ->
        def rule  = rules[column]
        def fault = rule.unavailable ?: faultOf(value, rule) ?: (rule.exists ? faultOfPath(resolvePath(value, sheet), rule) : null)
        if (fault) { faults << "${place(sheet, number, column)}: '${value}': ${fault}" }
    }
    return faults
}

/** The samplesheet as [ rows, faults ]: rows are maps by column, with file objects; there are none where there is a fault. */
def readSamplesheet(sheet, schema) {
    def rules  = schema.items.properties
    def lines  = sheet.getText('UTF-8').replace('\uFEFF', '').readLines()
    def header = lines ? cellsOf(lines[0]) : []
    def faults = faultsOfHeader(header, sheet, schema)
    if (faults) { return [[], faults] }

    def rows = []
    def seen = [:]
    lines.eachWithIndex { line, index ->
        if (index == 0 || !line.trim()) { return }
        def number = index + 1
        def cells  = cellsOf(line)
        if (cells.size() > header.size()) {
            faults << "${place(sheet, number)}: ${cells.size()} fields, but the header has ${header.size()}"
            return
        }
        def row = header.withIndex().collectEntries { column, i -> [column, i < cells.size() ? cells[i] : ''] }
        faults.addAll(faultsOfRow(row, number, sheet, schema))
        if (seen.containsKey(row.sample)) {
            faults << "${place(sheet, number, 'sample')}: '${row.sample}' stands in line ${seen[row.sample]} already; samples must be unique"
        }
        seen[row.sample] = number
        rows << row
    }
    if (!rows && !faults) { faults << "${sheet.name}: no row below the header" }
    def typed = faults ? [] : rows.collect { row ->
        row.collectEntries { column, value -> [column, value && rules[column].format == 'file-path' ? resolvePath(value, sheet) : value] }
    }
    return [typed, faults]
}

/** The sheet of tg-evidence as [ rows, faults ]: rows are maps by column, `path` a file. What is in a cell, the tool checks. */
def readEvidence(sheet) {
    def lines  = sheet.getText('UTF-8').replace('\uFEFF', '').readLines()
    def header = lines ? cellsOf(lines[0]) : []
    if (!('path' in header)) { return [[], ["${place(sheet, 1, 'path')}: this column is missing; it names the files of evidence"]] }

    def faults = []
    def rows   = []
    lines.eachWithIndex { line, index ->
        if (index == 0 || !line.trim()) { return }
        def cells = cellsOf(line)
        def row   = header.withIndex().collectEntries { column, i -> [column, i < cells.size() ? cells[i] : ''] }
        def path  = row.path ? resolvePath(row.path, sheet) : null
        def fault = path ? faultOfPath(path, [format: 'file-path']) : 'is empty'
        if (cells.size() > header.size()) {
            faults << "${place(sheet, index + 1)}: ${cells.size()} fields, but the header has ${header.size()}"
        }
        else if (fault) {
            faults << "${place(sheet, index + 1, 'path')}: '${row.path}': ${fault}"
        }
        else { rows << row + [path: path] }
    }
    if (!rows && !faults) { faults << "${sheet.name}: no row below the header" }
    return [rows, faults]
}
