/*
 * Conditions that rows are predicted for, against what the model and the table know, before any task is queued.
 *
 * In: settings and rows of the samplesheet. Out: sentences for what nobody knows, both sides listed. A surprise: only names
 * are looked at here; what stands in the table tg-generate checks.
 */
include { cellsOf } from './schema'

/** Faults of the column 'condition', of --conditions and of --against. */
def faultsOfConditions(settings, rows) {
    def wanted = rows.findAll { row -> row.condition }
    if (!(settings.mode in ['predict', 'augment'])) {
        return wanted.collect { row -> "sample '${row.sample}' has a condition, which has no use in --mode ${settings.mode}" }
    }
    if (!wanted) {
        return [
            [settings.conditions, "--conditions: no row of the samplesheet has a condition; name a sample of the table in the column 'condition'"],
            [settings.against, "--against: no row of the samplesheet has a condition to be held against ${settings.against}"],
        ].findAll { stops, _sentence -> stops }.collect { _stops, sentence -> sentence }
    }
    if (!file("${settings.model}/condition.json", glob: false).exists()) {
        return ["sample '${wanted[0].sample}' has a condition, but ${settings.model} has learned none; train it with tg-train --conditions (docs/conditions.md), or leave the column empty"]
    }
    return faultsOfNames(settings, wanted)
}

/** Names that the table lacks, or the model where there is no table. */
def faultsOfNames(settings, wanted) {
    def trained = trainedOn(settings.model)
    def known   = settings.conditions ? samplesOf(file(settings.conditions, glob: false)) : trained
    if (known == null) { return [] } // it cannot be read: tg-generate says why
    def side    = settings.conditions ? "the header of ${settings.conditions} has ${listed(known)}, and the model was trained on ${listed(trained ?: [])}"
                                      : "${settings.model} was trained on ${listed(known)}; others need --conditions"
    def asked   = wanted.collect { row -> ["sample '${row.sample}': no condition '${row.condition}'", row.condition] } +
        (settings.against ? [["--against: no condition '${settings.against}'", settings.against]] : [])
    return asked.findAll { _words, name -> !(name in known) }.collect { words, name ->
        def twin = known.find { other -> other.equalsIgnoreCase(name) }
        "${words}: ${side}${twin ? "; '${twin}' is equal but for upper and lower case" : ''}".toString()
    }
}

/** Samples that a model has seen, or null. */
def trainedOn(model) {
    try {
        return new groovy.json.JsonSlurper().parseText(file("${model}/condition.json", glob: false).text).samples?.keySet()?.toList() ?: []
    }
    catch (Exception _e) {
        return null
    }
}

/** Samples in the header of a table, plain or gzip, tabs or commas; all its cells where the first may be none. Or null. */
def samplesOf(table) {
    try {
        def bytes = table.newInputStream()
        def line  = new InputStreamReader(table.name.endsWith('gz') ? new java.util.zip.GZIPInputStream(bytes) : bytes, 'UTF-8')
            .withCloseable { reader -> new BufferedReader(reader).lines().filter { text -> text.trim() && !text.startsWith('##') }.findFirst().orElse('') }
        def cells = line.contains('\t') ? line.tokenize('\t').collect { cell -> cell.trim() } : cellsOf(line)
        return cells.collect { cell -> cell.replaceAll(/^[#"]+|"+$/, '') }
    }
    catch (IOException _e) {
        return null
    }
}

def listed(names) {
    def more = names.size() > 8 ? " and ${names.size() - 8} more" : ''
    return (names.take(8).collect { name -> "'${name}'" }.join(', ') ?: 'none') + more
}
