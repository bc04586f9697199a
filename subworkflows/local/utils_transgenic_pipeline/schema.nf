/*
 * Parameters and samplesheet against their JSON schemas, in the head process, before any task is queued.
 *
 * In: nextflow_schema.json and assets/schema_input.json (nf-schema's form). Out: typed rows, or one error that lists
 * every fault with its line and column. A surprise: the nf-schema plugin would do this, but a declared plugin stops
 * the run where it cannot be fetched; docs/adr/0003 has the reasons, and a test holds this file and
 * `tg-prep samplesheet` to the same verdicts.
 */
import groovy.json.JsonSlurper

def readSchema(path) {
    return new JsonSlurper().parseText(file(path, checkIfExists: true).text)
}

/** All properties of nextflow_schema.json, groups flattened: [ name: definition ]. */
def schemaParams(schema) {
    return (schema['$defs'] ?: [:]).values().collectEntries { group -> group.properties ?: [:] }
}

/** What is wrong with one value, or null. Knows the keywords that the two schemas use. */
def faultOf(value, Map rule) {
    def text  = value.toString()
    def types = [rule.type].flatten() - null
    def number = value instanceof Number ? value : (text.isNumber() ? text.toBigDecimal() : null)
    if ('integer' in types && (number == null || number != number.toBigInteger())) { return "must be a whole number" }
    if ('number' in types && number == null) { return "must be a number" }
    if ('boolean' in types && !(text in ['true', 'false'])) { return "must be true or false" }
    if ('string' in types && value instanceof Boolean) { return "needs a value" }
    if (rule.enum && !(value in rule.enum) && !(text in rule.enum)) { return "must be one of: ${rule.enum.join(', ')}" }
    if (rule.pattern && !(text ==~ (rule.pattern.endsWith('$') ? rule.pattern : "${rule.pattern}.*"))) {
        return rule.errorMessage ?: "must match ${rule.pattern}"
    }
    if (rule.minimum != null && number != null && number < rule.minimum) { return "must be at least ${rule.minimum}" }
    if (rule.maximum != null && number != null && number > rule.maximum) { return "must be at most ${rule.maximum}" }
    return null
}

/** The known name that a typo most likely meant, as a hint, or an empty string. */
def didYouMean(String name, names) {
    def distance = { a, b ->
        def row = (0..b.size()).collect()
        a.eachWithIndex { ca, i ->
            def previous = row
            row = [i + 1]
            b.eachWithIndex { cb, j -> row << [row[j] + 1, previous[j + 1] + 1, previous[j] + (ca == cb ? 0 : 1)].min() }
        }
        row[-1]
    }
    def best = names.min { candidate -> distance(name.toLowerCase(), candidate.toString()) }
    return best && distance(name.toLowerCase(), best) <= Math.max(2, name.size().intdiv(3)) ? " Did you mean --${best}?" : ''
}

/** Faults of all parameters, one sentence each. */
def faultsOfParams(Map given, schema) {
    def known  = schemaParams(schema)
    def faults = []
    given.each { name, value ->
        if (!known.containsKey(name)) {
            // Nextflow itself adds a camelCase twin to every --kebab-case parameter: name the one that was typed.
            def kebab = name.toString().replaceAll(/([A-Z])/) { all, letter -> "-${letter.toLowerCase()}" }
            if (name == kebab || !given.containsKey(kebab)) {
                faults << "--${name}: there is no such parameter.${didYouMean(name.toString().replace('-', '_'), known.keySet())}"
            }
        }
        else if (value != null && value != '') {
            def rule  = known[name]
            def fault = faultOf(value, rule)
            if (fault) {
                faults << "--${name} ${value}: ${fault}"
            }
            else if (rule.exists && !file(value).exists()) {
                faults << "--${name} ${value}: there is no such ${rule.format == 'directory-path' ? 'directory' : 'file'}"
            }
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
def cellsOf(String line) {
    return ",${line}".toString().findAll(/,(?:"((?:[^"]|"")*)"|([^,]*))/) { _all, quoted, plain ->
        (quoted != null ? quoted.replace('""', '"') : plain).trim()
    }
}

/** A path of the samplesheet: absolute or a URL as it stands, else beside the samplesheet, else from the launch directory. */
def resolvePath(String value, sheet) {
    if (value.startsWith('/') || value.contains('://')) { return file(value) }
    def beside = sheet.parent.resolve(value)
    return beside.exists() ? beside : file(value)
}

/** Rows of the samplesheet as maps with file objects; `faults` gets one sentence for everything that is wrong. */
def readSamplesheet(sheet, schema, List faults) {
    def rules = schema.items.properties
    def lines = sheet.text.replace('\uFEFF', '').readLines()
    def place = { number, column -> "${sheet.name}, line ${number}${column ? ", column '${column}'" : ''}" }
    if (!lines || !lines[0].trim()) {
        faults << "${place(1, null)}: the samplesheet is empty; its first line must be: ${rules.keySet().join(',')}"
        return []
    }
    def header = cellsOf(lines[0])
    header.findAll { column -> !rules.containsKey(column) }.each { column ->
        faults << "${place(1, column)}: unknown column; allowed are: ${rules.keySet().join(', ')}"
    }
    (schema.items.required - header).each { column ->
        faults << "${place(1, column)}: this column is missing; the header must have at least: ${schema.items.required.join(', ')}"
    }
    if (faults) { return [] }

    def rows = []
    def seen = [:]
    lines.eachWithIndex { line, index ->
        if (index == 0 || !line.trim()) { return }
        def number = index + 1
        def cells  = cellsOf(line)
        if (cells.size() > header.size()) {
            faults << "${place(number, null)}: ${cells.size()} fields, but the header has ${header.size()}"
            return
        }
        def row = header.withIndex().collectEntries { column, i -> [column, i < cells.size() ? cells[i] : ''] }
        schema.items.required.findAll { column -> !row[column] }.each { column ->
            faults << "${place(number, column)}: is empty. ${rules[column].errorMessage}"
        }
        row.findAll { _column, value -> value }.each { column, value ->
            def fault = faultOf(value, rules[column])
            if (fault) { faults << "${place(number, column)}: '${value}': ${fault}" }
            else if (rules[column].exists && !resolvePath(value, sheet).exists()) {
                faults << "${place(number, column)}: '${value}': there is no such file"
            }
        }
        if (!row.annotation && !row.regions) {
            faults << "${place(number, null)}: sample '${row.sample}' needs an annotation or regions"
        }
        if (seen.containsKey(row.sample)) {
            faults << "${place(number, 'sample')}: '${row.sample}' stands in line ${seen[row.sample]} already; samples must be unique"
        }
        seen[row.sample] = number
        rows << row
    }
    if (!rows && !faults) { faults << "${sheet.name}: no row below the header" }
    return faults ? [] : rows.collect { row ->
        row.collectEntries { column, value -> [column, value && rules[column].format == 'file-path' ? resolvePath(value, sheet) : value] }
    }
}
