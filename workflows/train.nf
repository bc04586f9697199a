/*
 * Shards of all genomes -> one model (or one a fold, side by side) -> the test genes annotated and evaluated.
 */
include { joinById    } from '../subworkflows/local/annotate'
include { toolFlags   } from '../modules/local/flags'
include { TG_PREP     } from '../modules/local/tg_prep'
include { TG_SPLIT    } from '../modules/local/tg_split'
include { TG_TRAIN    } from '../modules/local/tg_train'
include { TG_EVALUATE } from '../modules/local/tg_evaluate'
include { TG_FOLDS    } from '../modules/local/tg_folds'
include { ANNOTATE    } from '../subworkflows/local/annotate'
include { REPORT      } from '../subworkflows/local/report'
include { presetFile  } from '../subworkflows/local/utils_transgenic_pipeline'

/** What a genome is called when one of several models annotates it. */
def nameOf(genome, trained) {
    return trained.fold == null ? genome.id : "${genome.id}.${trained.id}".toString()
}

workflow TRAIN {
    take:
    genomes  // [ id, fasta, annotation, ... ], by name
    settings // typed parameters, by name

    main:
    def flags = toolFlags(settings)
    TG_PREP(
        genomes.map { genome -> [[id: genome.id], genome.fasta, genome.annotation, []] },
        settings.aliases ? file(settings.aliases, glob: false) : [],
        flags.prep,
    )

    // Families are found over all genomes at once: relatives of a test gene are in no genome's training split
    prepared   = TG_PREP.out.shards.map { meta, shards -> [id: meta.id, shards: shards] }
    split_with = channel.empty()
    if (settings.split.startsWith('homology')) {
        TG_SPLIT(
            prepared
                .toSortedList { a, b -> a.id <=> b.id }
                .map { all -> [[id: 'genomes', samples: all.collect { genome -> genome.id }], all.collect { genome -> genome.shards }.flatten()] },
            flags.split,
        )
        prepared = TG_SPLIT.out.shards
            .flatten()
            .map { shard -> [shard.parent.name, shard] }
            .groupTuple(sort: true)
            .map { id, shards -> [id: id, shards: shards] }
        split_with = TG_SPLIT.out.versions
    }

    def trainings = settings.folds
        ? (0..<settings.folds.toInteger()).collect { number -> [id: "fold_${number}".toString(), fold: number, folds: settings.folds] }
        : [[id: 'model', fold: null]]
    shards = prepared.flatMap { genome -> genome.shards }.collect(sort: { shard -> shard.toString() }).map { files -> [files] }
    TG_TRAIN(
        channel.fromList(trainings).combine(shards).map { training, files -> [training, files, []] },
        presetFile(settings),
        settings.init ? file(settings.init, type: 'dir', glob: false) : [],
        flags.train,
    )

    // Every model annotates every genome's test genes
    tested = joinById(genomes, prepared)
        .combine(TG_TRAIN.out.model)
        .map { genome, trained, model -> genome + [id: nameOf(genome, trained), model: model, into: [], names: [], rejects: [], shown: []] }
    ANNOTATE(tested, settings)

    TG_EVALUATE(
        joinById(ANNOTATE.out.annotations, tested).map { one -> [[id: one.id], one.gff3, one.annotation, [], one.fasta, one.shards] },
        flags.evaluate,
    )

    ch_folds  = channel.empty()
    fold_with = channel.empty()
    if (settings.folds) {
        TG_FOLDS(
            TG_EVALUATE.out.json.map { _meta, json -> json }.collect(sort: { json -> json.name }),
            TG_TRAIN.out.model.map { _trained, model -> model }.collect(sort: { model -> model.name }),
        )
        ch_folds  = TG_FOLDS.out.table
        fold_with = TG_FOLDS.out.versions
    }

    REPORT(
        ANNOTATE.out.annotations.map { one -> [id: one.id, kind: 'annotation', file: one.gff3] }.mix(
            tested.map { one -> [id: one.id, kind: 'reference', file: one.annotation] },
            TG_EVALUATE.out.json.map { meta, json -> [id: meta.id, kind: 'evaluation', file: json] },
            TG_PREP.out.summary.map { meta, json -> [id: meta.id, kind: 'prep', file: json] },
            ANNOTATE.out.rejects.map { one -> [id: one.id, kind: 'rejects', file: one.rejects] },
            tested.map { one -> [id: one.id, kind: 'fasta', file: one.fasta] },
            ANNOTATE.out.tracks.map { one -> [id: one.id, kind: 'track', file: one.tracks] },
            ANNOTATE.out.predictions.map { one -> [id: one.id, kind: 'predictions', file: one.predictions] },
            ANNOTATE.out.generations.map { meta, json -> [id: meta.id, kind: 'generation', file: json] },
            TG_TRAIN.out.metrics.map { metrics -> [id: metrics.parent.name, kind: 'training', file: metrics] },
        ),
        settings.jbrowse,
        flags,
    )

    emit:
    evaluation = TG_EVALUATE.out.json // [ meta, json ]
    folds      = ch_folds             // folds.tsv, where there are folds
    versions   = TG_PREP.out.versions.mix(split_with, TG_TRAIN.out.versions, ANNOTATE.out.versions, TG_EVALUATE.out.versions, fold_with, REPORT.out.versions)
}
