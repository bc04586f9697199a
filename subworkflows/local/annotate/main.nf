/*
 * Scatter over shards, gather per genome: each shard is a task of its own, to be retried and resumed alone.
 */
include { toolFlags   } from '../../../modules/local/flags'
include { TG_BACKMAP  } from '../../../modules/local/tg_backmap'
include { TG_ENCODE   } from '../../../modules/local/tg_encode'
include { TG_GENERATE } from '../../../modules/local/tg_generate'

/** Items of two channels of maps that have the same id, each pair as one map. */
def joinById(left, right) {
    return left
        .map { item -> [item.id, item] }
        .join(right.map { item -> [item.id, item] })
        .map { _id, one, other -> one + other }
}

/** A shard of a genome, whichever of the two files it is known by. */
def keyOf(meta, path) {
    return "${meta.id}/${path.baseName.replaceFirst('encodings', 'genes')}".toString()
}

/** What is known of a genome's tasks: its name, and the sample that it is predicted for, where there is one. */
def metaOf(genome) {
    return [id: genome.id] + (genome.condition ? [condition: genome.condition] : [:])
}

workflow ANNOTATE {
    take:
    genomes  // [ id, shards, rejects, fasta, model, into, names, condition, shown ], into: the user's own GFF3 to be augmented;
             // names: an annotation whose names are kept; shown: of TG_EVIDENCE; or empty lists
    settings // typed parameters, by name

    main:
    def flags = toolFlags(settings)

    // The longest shard first, so that the last task to finish is a short one; groupKey lets a genome go on as soon
    // as its own shards are done.
    tasks = genomes.flatMap { genome ->
        def shards = [genome.shards].flatten()
        shards.sort { a, b -> b.size() <=> a.size() ?: a.name <=> b.name }
            .collect { shard -> [groupKey(metaOf(genome), shards.size()), shard, genome.model, genome.shown] }
    }
    encoded_with = channel.empty()
    if (settings.store_encodings) { // each shard's encodings go on to its own generation task
        TG_ENCODE(tasks.map { meta, shard, model, _shown -> [meta, shard, model] }, flags.encode)
        encoded_with = TG_ENCODE.out.versions
        encoded = tasks
            .map { meta, shard, model, shown -> [keyOf(meta, shard), meta, shard, model, shown] }
            .join(TG_ENCODE.out.encodings.map { meta, stored -> [keyOf(meta, stored), stored] })
            .map { _key, meta, shard, model, shown, stored -> [meta, shard, model, stored, shown] }
    }
    else {
        encoded = tasks.map { meta, shard, model, shown -> [meta, shard, model, [], shown] }
    }
    TG_GENERATE(encoded, settings.conditions ? file(settings.conditions, glob: false) : [], flags.generate)
    TG_GENERATE.out.differences
        .toSortedList { a, b -> a[1].name <=> b[1].name }
        .flatMap { all -> all }
        .collectFile(storeDir: "${settings.outdir}/annotation", keepHeader: true, sort: false) { meta, table ->
            ["${meta.target.id}.differences.tsv", table]
        }

    TG_GENERATE.out.summary
        .map { _meta, json -> new groovy.json.JsonSlurper().parseText(json.text).device }
        .filter { device -> settings.use_gpu && device == 'cpu' }
        .first()
        .subscribe { _device ->
            log.warn("--use_gpu was given, but a task found no GPU and ran on the CPU: see docs/troubleshooting.md, 'The GPU is not used'")
        }

    predicted = TG_GENERATE.out.predictions
        .groupTuple(sort: { a, b -> a.name <=> b.name })
        .map { key, files -> [id: key.target.id, predictions: files] }
    TG_BACKMAP(
        joinById(genomes, predicted).map { genome -> [[id: genome.id], genome.predictions, genome.fasta, genome.into, genome.names, genome.rejects, genome.shown] },
        settings.skip_genes ? file(settings.skip_genes, glob: false) : [],
        flags.backmap,
    )

    emit:
    annotations = TG_BACKMAP.out.gff3.map { meta, gff3 -> [id: meta.id, gff3: gff3] }         // by name
    rejects     = TG_BACKMAP.out.rejects.map { meta, table -> [id: meta.id, rejects: table] } // of all stages, by name
    tracks      = TG_BACKMAP.out.others                                                        // [ id, tracks ], bigWig, where asked for
        .map { meta, others -> [id: meta.id, tracks: [others].flatten().findAll { other -> other.name.endsWith('.bw') }] }
        .filter { one -> one.tracks }
    differences = TG_GENERATE.out.differences                                                  // [ id, differences ], one table a shard, with --against
        .groupTuple(sort: { a, b -> a.name <=> b.name })
        .map { key, tables -> [id: key.target.id, differences: tables] }
    predictions = predicted                                                                    // [ id, predictions ]
    generations = TG_GENERATE.out.summary.map { meta, json -> [[id: meta.target.id], json] }      // [ meta, generate.json ], one a shard
    versions    = TG_GENERATE.out.versions.mix(TG_BACKMAP.out.versions, encoded_with)
}
