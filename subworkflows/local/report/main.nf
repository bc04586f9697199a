/*
 * Everything about a run in one HTML file. Keep this file about pairing files with their samples.
 */
include { TG_REPORT } from '../../../modules/local/tg_report'

/** Files of one kind with their samples as one [ [ sample, ... ], [ file, ... ] ], sorted by sample. */
def bySample(files, kind) {
    return files
        .filter { item -> item.kind == kind }
        .toSortedList { a, b -> a.id <=> b.id ?: a.file.toString() <=> b.file.toString() }
        .map { items -> [items.collect { item -> item.id }, items.collect { item -> item.file }] }
}

workflow REPORT {
    take:
    files // [ id, kind, file ], kind: annotation, reference, evaluation, prep, rejects or training
    flags // of all tools, by name

    main:
    TG_REPORT(
        bySample(files, 'annotation').map { _samples, paths -> paths },
        bySample(files, 'evaluation').map { _samples, paths -> paths },
        bySample(files, 'reference'),
        bySample(files, 'prep'),
        bySample(files, 'rejects'),
        bySample(files, 'training').map { _samples, paths -> [flags.report, paths] },
    )

    emit:
    html     = TG_REPORT.out.html     // report.html
    versions = TG_REPORT.out.versions // versions.yml
}
