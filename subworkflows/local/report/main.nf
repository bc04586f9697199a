/*
 * Everything about a run in one HTML file. Keep this file about pairing files with their samples.
 */
include { TG_REPORT } from '../../../modules/local/tg_report'

/** Kinds of files that tg-report takes without a sample. */
def withoutSample() {
    return ['training', 'predictions']
}

workflow REPORT {
    take:
    files // [ id, kind, file or files ], kind: a flag of tg-report that takes files
    flags // of all tools, by name

    main:
    named = files
        .flatMap { item -> [item.file].flatten().collect { file -> item + [file: file] } }
        .toSortedList { a, b -> a.kind <=> b.kind ?: a.id <=> b.id ?: a.file.toString() <=> b.file.toString() }
        .map { items ->
            [
                items.collect { item -> [kind: item.kind, id: item.kind in withoutSample() ? null : item.id] },
                items.collect { item -> item.file },
            ]
        }
    TG_REPORT(named, flags.report)

    emit:
    html     = TG_REPORT.out.html     // report.html
    versions = TG_REPORT.out.versions // versions.yml
}
