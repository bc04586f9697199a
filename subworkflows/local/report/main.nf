/*
 * Everything about a run in one HTML file, and in a folder for genome browsers where asked for. Keep this file about
 * pairing files with their samples.
 */
include { TG_JBROWSE } from '../../../modules/local/tg_jbrowse'
include { TG_REPORT  } from '../../../modules/local/tg_report'

/** Kinds of files that tg-report takes without a sample. */
def withoutSample() {
    return ['training', 'predictions']
}

/** Files as one [ [ [ kind, id ], ... ], [ file, ... ] ], in an order that does not depend on which task ended first. */
def withKinds(files) {
    return files
        .flatMap { item -> [item.file].flatten().collect { file -> item + [file: file] } }
        .toSortedList { a, b -> a.kind <=> b.kind ?: a.id <=> b.id ?: a.file.toString() <=> b.file.toString() }
        .map { items ->
            [
                items.collect { item -> [kind: item.kind, id: item.kind in withoutSample() ? null : item.id] },
                items.collect { item -> item.file },
            ]
        }
}

workflow REPORT {
    take:
    files   // [ id, kind, file or files ], kind: a flag of tg-report that takes files; track: of tg-report jbrowse alone
    jbrowse // whether the folder is asked for
    flags   // of all tools, by name

    main:
    TG_REPORT(withKinds(files.filter { item -> item.kind != 'track' }), flags.report)

    folder = channel.empty()
    shown  = channel.empty()
    if (jbrowse) {
        TG_JBROWSE(withKinds(files.filter { item -> item.kind in ['annotation', 'fasta', 'reference', 'track'] }))
        folder = TG_JBROWSE.out.folder
        shown  = TG_JBROWSE.out.versions
    }

    emit:
    html     = TG_REPORT.out.html                // report.html
    jbrowse  = folder                            // jbrowse/, where asked for
    versions = TG_REPORT.out.versions.mix(shown) // versions.yml
}
