/*
 * Everything about a run in one HTML file. Keep this file about pairing files with their samples.
 */
include { TG_REPORT } from '../../../modules/local/tg_report'

/** [ meta, file ] of all genomes as one [ [ sample, ... ], [ file, ... ] ], sorted by sample. */
def bySample(ch) {
    return ch
        .map { meta, file -> [meta.id, file] }
        .toSortedList { a, b -> a[0] <=> b[0] }
        .map { rows -> [rows.collect { row -> row[0] }, rows.collect { row -> row[1] }] }
}

workflow REPORT {
    take:
    annotations // [ meta, gff3 ]
    evaluations // [ meta, json ]
    references  // [ meta, gff3 ]
    preps       // [ meta, prep.json ]
    trainings   // metrics.jsonl

    main:
    TG_REPORT(
        annotations.map { _meta, gff3 -> gff3 }.collect(sort: { it.name }).ifEmpty([]),
        evaluations.map { _meta, json -> json }.collect(sort: { it.name }).ifEmpty([]),
        bySample(references),
        bySample(preps),
        trainings.collect(sort: { it.toString() }).ifEmpty([]),
    )

    emit:
    html     = TG_REPORT.out.html
    versions = TG_REPORT.out.versions
}
