/*
 * Scatter over shards, gather per genome: each shard is a task of its own, to be retried and resumed alone.
 */
include { TG_BACKMAP  } from '../../../modules/local/tg_backmap'
include { TG_ENCODE   } from '../../../modules/local/tg_encode'
include { TG_GENERATE } from '../../../modules/local/tg_generate'

workflow ANNOTATE {
    take:
    shards  // [ meta, [ shard, ... ] ]
    rejects // [ meta, rejects.tsv ] of the preparation
    genomes // [ meta, fasta, into ], into: the user's own GFF3 to be augmented, or an empty list
    models  // [ meta, directory ]

    main:
    // The longest shard first, so that the last task to finish is a short one; groupKey lets a genome go on as soon
    // as its own shards are done.
    tasks = shards.join(models).flatMap { meta, files, model ->
        def list = files instanceof List ? files : [files]
        list.sort { a, b -> b.size() <=> a.size() ?: a.name <=> b.name }
            .collect { shard -> [groupKey(meta, list.size()), shard, model] }
    }
    if (params.store_encodings) { // each shard's encodings go on to its own generation task
        TG_ENCODE(tasks)
        encoded = tasks
            .map { meta, shard, model -> ["${meta.id}/${shard.baseName}".toString(), meta, shard, model] }
            .join(TG_ENCODE.out.encodings.map { meta, stored -> ["${meta.id}/${stored.baseName.replaceFirst('encodings', 'genes')}".toString(), stored] })
            .map { _key, meta, shard, model, stored -> [meta, shard, model, stored] }
    }
    else {
        encoded = tasks.map { meta, shard, model -> [meta, shard, model, []] }
    }
    TG_GENERATE(encoded)

    TG_GENERATE.out.summary
        .map { _meta, json -> new groovy.json.JsonSlurper().parseText(json.text).device }
        .filter { device -> params.use_gpu && device == 'cpu' }
        .first()
        .subscribe { _device ->
            log.warn("--use_gpu was given, but a task found no GPU and ran on the CPU: see docs/troubleshooting.md, 'The GPU is not used'")
        }

    gathered = TG_GENERATE.out.predictions
        .groupTuple(sort: { a, b -> a.name <=> b.name })
        .map { key, files -> [key.target, files] }
    TG_BACKMAP(gathered.join(genomes))

    // One table a genome: every gene that is missing from the GFF3, whichever step left it out.
    rejects
        .mix(TG_BACKMAP.out.rejects)
        .collectFile(storeDir: "${params.outdir}/annotation", seed: "gene\treason\tdetail\n", sort: true) { meta, tsv ->
            def rows = tsv.readLines().drop(1).collect { line -> line.split('\t', -1).take(3).join('\t') + '\n' }
            ["${meta.id}.rejects.tsv", rows.join()]
        }

    emit:
    gff3     = TG_BACKMAP.out.gff3 // [ meta, gff3 ]
    versions = TG_GENERATE.out.versions.mix(TG_BACKMAP.out.versions, params.store_encodings ? TG_ENCODE.out.versions : channel.empty())
}
