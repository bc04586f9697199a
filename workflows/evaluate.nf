/*
 * Annotations that exist already (--predictions DIR, one <sample>.gff3 a row of the samplesheet) -> evaluation -> report.
 */
include { TG_EVALUATE } from '../modules/local/tg_evaluate'
include { TG_REPORT   } from '../modules/local/tg_report'

workflow EVALUATE {
    take:
    genomes     // [ meta, fasta, annotation, regions, reads ]
    predictions // [ meta, gff3 ]

    main:
    TG_EVALUATE(predictions.join(genomes.map { meta, fasta, annotation, _regions, reads -> [meta, annotation, reads, reads ? fasta : [], []] }))

    TG_REPORT(
        predictions.map { _meta, gff3 -> gff3 }.collect(sort: { it.name }),
        TG_EVALUATE.out.json.map { _meta, json -> json }.collect(sort: { it.name }),
    )

    emit:
    evaluation = TG_EVALUATE.out.json // [ meta, json ]
    report     = TG_REPORT.out.html   // html
    versions   = TG_EVALUATE.out.versions.mix(TG_REPORT.out.versions)
}
