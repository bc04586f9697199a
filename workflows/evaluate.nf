/*
 * Annotations that exist already (--predictions DIR, one <sample>.gff3 a row of the samplesheet) -> evaluation -> report.
 */
include { toolFlags    } from '../modules/local/flags'
include { TG_EVALUATE  } from '../modules/local/tg_evaluate'
include { REPORT       } from '../subworkflows/local/report'
include { predictionOf } from '../subworkflows/local/utils_transgenic_pipeline'

workflow EVALUATE {
    take:
    genomes  // [ id, fasta, annotation, reads, ... ], by name
    settings // typed parameters, by name

    main:
    def flags = toolFlags(settings)
    compared = genomes.map { genome -> genome + [gff3: predictionOf(settings, genome.id)] }

    TG_EVALUATE(
        compared.map { one -> [[id: one.id], one.gff3, one.annotation, one.reads, one.fasta, []] },
        flags.evaluate,
    )

    REPORT(
        compared.map { one -> [id: one.id, kind: 'annotation', file: one.gff3] }.mix(
            compared.map { one -> [id: one.id, kind: 'reference', file: one.annotation] },
            compared.map { one -> [id: one.id, kind: 'fasta', file: one.fasta] },
            TG_EVALUATE.out.json.map { meta, json -> [id: meta.id, kind: 'evaluation', file: json] },
        ),
        settings.jbrowse,
        flags,
    )

    emit:
    evaluation = TG_EVALUATE.out.json // [ meta, json ]
    versions   = TG_EVALUATE.out.versions.mix(REPORT.out.versions)
}
