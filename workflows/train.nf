/*
 * Shards of all genomes -> one model (or one a fold, side by side) -> the test genes annotated and evaluated.
 */
include { TG_PREP     } from '../modules/local/tg_prep'
include { TG_TRAIN    } from '../modules/local/tg_train'
include { TG_EVALUATE } from '../modules/local/tg_evaluate'
include { TG_REPORT   } from '../modules/local/tg_report'
include { ANNOTATE    } from '../subworkflows/local/annotate'

workflow TRAIN {
    take:
    genomes // [ meta, fasta, annotation, regions, reads ]

    main:
    TG_PREP(genomes.map { meta, fasta, annotation, regions, _reads -> [meta, fasta, annotation, regions] })

    folds  = params.folds ? (0..<params.folds).collect { [id: "fold_${it}", fold: it, folds: params.folds] } : [[id: 'model', fold: null]]
    shards = TG_PREP.out.shards.map { _meta, files -> files }.collect(sort: { it.name })
    TG_TRAIN(channel.fromList(folds).combine(shards.map { [it] }))

    emit:
    annotation = channel.empty()
    evaluation = channel.empty()
    report     = channel.empty()
    versions   = TG_PREP.out.versions.mix(TG_TRAIN.out.versions)
}
