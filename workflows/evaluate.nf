/*
 * Annotations that exist already (--predictions DIR, one <sample>.gff3 a row of the samplesheet) -> evaluation -> report.
 */
include { TG_EVALUATE } from '../modules/local/tg_evaluate'
include { REPORT      } from '../subworkflows/local/report'

workflow EVALUATE {
    take:
    genomes     // [ meta, fasta, annotation, regions, reads ]
    predictions // [ meta, gff3 ]

    main:
    TG_EVALUATE(predictions.join(genomes.map { meta, fasta, annotation, _regions, reads -> [meta, annotation, reads, fasta, []] }))

    REPORT(
        predictions,
        TG_EVALUATE.out.json,
        genomes.map { meta, _fasta, annotation, _regions, _reads -> [meta, annotation] },
        channel.empty(),
        channel.empty(),
    )

    emit:
    evaluation = TG_EVALUATE.out.json // [ meta, json ]
    report     = REPORT.out.html      // html
    versions   = TG_EVALUATE.out.versions.mix(REPORT.out.versions)
}
