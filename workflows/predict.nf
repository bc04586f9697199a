/*
 * Genome -> shards -> predictions -> annotation -> evaluation (where a reference is given) -> report.
 * A genome with neither annotation nor regions is scanned for loci first; with --scan each is.
 * Where a genome has evidence, it is gathered first, guides the predictions, and says what each condition uses.
 * --mode augment is the same way: each gene's known transcripts are the prompt, and new ones join the user's own GFF3.
 * --mode adapt lets the model learn from its confident predictions of each genome first.
 * Keep this file about order: what a step does stands in its module, with which flags in modules/local/flags.nf.
 */
include { joinById    } from '../subworkflows/local/annotate'
include { toolFlags   } from '../modules/local/flags'
include { TG_PREP     } from '../modules/local/tg_prep'
include { TG_SCAN     } from '../modules/local/tg_scan'
include { TG_TRACKS   } from '../modules/local/tg_tracks'
include { TG_EVALUATE } from '../modules/local/tg_evaluate'
include { TG_TRAIN    } from '../modules/local/tg_train'
include { TG_EVIDENCE } from '../modules/local/tg_evidence'
include { TG_USAGE    } from '../modules/local/tg_usage'
include { ANNOTATE    } from '../subworkflows/local/annotate'
include { REPORT      } from '../subworkflows/local/report'

/** Files of shares by their numbers: sample.2of12.loci.bed stands before sample.10of12.loci.bed. */
def inOrder(a, b) {
    return a.name.size() <=> b.name.size() ?: a.name <=> b.name
}

/** Shares of a genome of about --scan_bases each, by the size of its file; their number changes nothing in the result. */
def sharesOf(genome, settings, model) {
    def bases  = genome.fasta.size() * (genome.fasta.name ==~ /.*gz/ ? 4 : 1)
    def shares = Math.max(1, bases.intdiv(settings.scan_bases).intValue())
    return (1..shares).collect { number -> [[id: genome.id, part: "${number}/${shares}".toString(), of: shares], genome.fasta, model] }
}

workflow PREDICT {
    take:
    genomes  // [ id, fasta, annotation, regions, reads, evidence, sources, ... ], by name
    settings // typed parameters, by name

    main:
    def flags = toolFlags(settings)
    def model = file(settings.model, type: 'dir', checkIfExists: true, glob: false)
    bare  = genomes.filter { genome -> settings.scan || !(genome.annotation || genome.regions) }
    known = genomes.filter { genome -> !settings.scan && (genome.annotation || genome.regions) }
    TG_PREP(
        known.map { genome -> [[id: genome.id], genome.fasta, genome.annotation, genome.regions] },
        settings.aliases ? file(settings.aliases, glob: false) : [],
        flags.prep,
    )
    scan_model = file(settings.scan_model, type: 'dir', checkIfExists: true, glob: false)
    TG_SCAN(bare.flatMap { genome -> sharesOf(genome, settings, scan_model) }, flags.scan)
    TG_SCAN.out.loci
        .toSortedList { a, b -> inOrder(a[1], b[1]) }
        .flatMap { all -> all }
        .collectFile(storeDir: "${settings.outdir}/annotation", sort: false) { meta, bed -> ["${meta.id}.loci.bed", bed] }

    tracks     = channel.empty()
    track_with = channel.empty()
    if (settings.tracks) {
        TG_TRACKS(
            TG_SCAN.out.tracks
                .map { meta, files -> [groupKey(meta.id, meta.of), files] }
                .groupTuple()
                .map { key, files -> [[id: key.target], files.flatten().sort { a, b -> inOrder(a, b) }] }
        )
        tracks     = TG_TRACKS.out.tracks.map { meta, files -> [id: meta.id, file: files] }
        track_with = TG_TRACKS.out.versions
    }

    scanned = TG_SCAN.out.shards
        .join(TG_SCAN.out.rejects)
        .map { meta, shards, rejects -> [groupKey(meta.id, meta.of), shards, rejects] }
        .groupTuple()
        .map { key, shards, rejects ->
            [id: key.target, shards: shards.flatten(), rejects: rejects.sort { a, b -> inOrder(a, b) }]
        }
    prepared = TG_PREP.out.shards
        .join(TG_PREP.out.rejects)
        .map { meta, shards, rejects -> [id: meta.id, shards: shards, rejects: rejects] }
        .mix(scanned)

    TG_EVIDENCE(
        genomes.filter { genome -> genome.evidence }.map { genome ->
            [[id: genome.id], genome.fasta, genome.sources.collect { row -> row + [path: row.path.name] }, genome.sources.collect { row -> row.path }]
        },
        settings.aliases ? file(settings.aliases, glob: false) : [],
        flags.evidence,
    )
    evidence = TG_EVIDENCE.out.evidence.map { meta, parquet -> [id: meta.id, shown: parquet] }
    shown    = genomes.filter { genome -> !genome.evidence }.map { genome -> [id: genome.id, shown: []] }.mix(evidence)

    // A model of its own for each genome that it adapts to
    models       = genomes.map { genome -> [id: genome.id, model: model] }
    adapted_with = channel.empty()
    if (settings.mode == 'adapt') {
        TG_TRAIN(
            joinById(prepared, shown).map { one -> [[id: "${one.id}.adapted".toString(), sample: one.id, fold: null], one.shards, one.shown] },
            file("${projectDir}/transgenic_tools/assets/presets/finetune.yaml", glob: false),
            settings.init ? file(settings.init, type: 'dir', glob: false) : model,
            flags.train,
        )
        models       = TG_TRAIN.out.model.map { meta, directory -> [id: meta.sample, model: directory] }
        adapted_with = TG_TRAIN.out.versions
    }

    ANNOTATE(
        joinById(joinById(joinById(genomes, shown), prepared), models).map { genome ->
            genome + [
                into: settings.mode == 'augment' ? genome.annotation : [],
                names: settings.keep_names && genome.annotation ? genome.annotation : [],
            ]
        },
        settings,
    )

    TG_USAGE(joinById(ANNOTATE.out.annotations, evidence).map { one -> [[id: one.id], one.gff3, one.shown] })

    references = genomes.filter { genome -> genome.annotation }
    TG_EVALUATE(
        joinById(ANNOTATE.out.annotations, references)
            .map { one -> [[id: one.id], one.gff3, one.annotation, one.reads, one.fasta, []] },
        flags.evaluate,
    )

    REPORT(
        ANNOTATE.out.annotations.map { one -> [id: one.id, kind: 'annotation', file: one.gff3] }.mix(
            references.map { genome -> [id: genome.id, kind: 'reference', file: genome.annotation] },
            TG_EVALUATE.out.json.map { meta, json -> [id: meta.id, kind: 'evaluation', file: json] },
            TG_PREP.out.summary.map { meta, json -> [id: meta.id, kind: 'prep', file: json] },
            ANNOTATE.out.rejects.map { one -> [id: one.id, kind: 'rejects', file: one.rejects] },
            TG_SCAN.out.summary.map { meta, json -> [id: meta.id, kind: 'scan', file: json] },
            tracks.map { one -> [id: one.id, kind: 'signal', file: one.file] },
            tracks.map { one -> [id: one.id, kind: 'track', file: one.file] },
            genomes.map { genome -> [id: genome.id, kind: 'fasta', file: genome.fasta] },
            ANNOTATE.out.tracks.map { one -> [id: one.id, kind: 'track', file: one.tracks] },
            ANNOTATE.out.predictions.map { one -> [id: one.id, kind: 'predictions', file: one.predictions] },
            ANNOTATE.out.generations.map { meta, json -> [id: meta.id, kind: 'generation', file: json] },
            ANNOTATE.out.differences.map { one -> [id: one.id, kind: 'differences', file: one.differences] },
            evidence.map { one -> [id: one.id, kind: 'evidence', file: one.shown] },
            TG_USAGE.out.usage.map { meta, table -> [id: meta.id, kind: 'usage', file: table] },
        ),
        settings.jbrowse,
        flags,
    )

    emit:
    evaluation = TG_EVALUATE.out.json // [ meta, json ]
    versions   = TG_PREP.out.versions.mix(
        TG_SCAN.out.versions, track_with, TG_EVIDENCE.out.versions, ANNOTATE.out.versions, TG_USAGE.out.versions,
        TG_EVALUATE.out.versions, adapted_with, REPORT.out.versions,
    )
}
