/*
 * Shards of all genomes -> one model (or one a fold, side by side) -> the test genes annotated and evaluated.
 */
include { TG_PREP     } from '../modules/local/tg_prep'
include { TG_TRAIN    } from '../modules/local/tg_train'
include { TG_EVALUATE } from '../modules/local/tg_evaluate'
include { ANNOTATE    } from '../subworkflows/local/annotate'
include { REPORT      } from '../subworkflows/local/report'

/** The meta map of one genome annotated by one model. */
def pair(meta, trained) {
    return [id: trained.fold == null ? meta.id : "${meta.id}.${trained.id}".toString(), genome: meta.id]
}

workflow TRAIN {
    take:
    genomes // [ meta, fasta, annotation, regions, reads ]
    preset  // YAML
    init    // model directory to start from, or an empty list

    main:
    TG_PREP(genomes.map { meta, fasta, annotation, _regions, _reads -> [meta, fasta, annotation, []] })

    folds = params.folds
        ? (0..<params.folds).collect { number -> [id: "fold_${number}", fold: number, folds: params.folds] }
        : [[id: 'model', fold: null]]
    shards = TG_PREP.out.shards.flatMap { _meta, files -> files }.collect(sort: { it.toString() }).map { files -> [files] }
    TG_TRAIN(channel.fromList(folds).combine(shards), preset, init)

    // Every model annotates every genome's test genes
    models = genomes.combine(TG_TRAIN.out.model)
    ANNOTATE(
        TG_PREP.out.shards.combine(TG_TRAIN.out.model).map { meta, files, trained, _model -> [pair(meta, trained), files] },
        channel.empty(),
        models.map { meta, fasta, _annotation, _regions, _reads, trained, _model -> [pair(meta, trained), fasta, []] },
        models.map { meta, _fasta, _annotation, _regions, _reads, trained, model -> [pair(meta, trained), model] },
    )

    references = genomes
        .join(TG_PREP.out.shards)
        .combine(TG_TRAIN.out.model)
        .map { meta, _fasta, annotation, _regions, _reads, files, trained, _model -> [pair(meta, trained), annotation, [], [], files] }
    TG_EVALUATE(ANNOTATE.out.gff3.join(references))

    REPORT(
        ANNOTATE.out.gff3,
        TG_EVALUATE.out.json,
        references.map { meta, annotation, _reads, _fasta, _shards -> [meta, annotation] },
        TG_PREP.out.summary,
        TG_TRAIN.out.metrics,
    )

    emit:
    annotation = ANNOTATE.out.gff3    // [ meta, gff3 ]
    evaluation = TG_EVALUATE.out.json // [ meta, json ]
    report     = REPORT.out.html      // html
    versions   = TG_PREP.out.versions.mix(TG_TRAIN.out.versions, ANNOTATE.out.versions, TG_EVALUATE.out.versions, REPORT.out.versions)
}
