/*
 * Shards of all genomes -> one model (or one a fold, side by side) -> the test genes annotated and evaluated.
 */
include { TG_PREP     } from '../modules/local/tg_prep'
include { TG_SPLIT    } from '../modules/local/tg_split'
include { TG_TRAIN    } from '../modules/local/tg_train'
include { TG_EVALUATE } from '../modules/local/tg_evaluate'
include { ANNOTATE    } from '../subworkflows/local/annotate'
include { REPORT      } from '../subworkflows/local/report'

/** The meta map of one genome annotated by one model. */
def pair(meta, trained) {
    return [id: trained.fold == null ? meta.id : "${meta.id}.${trained.id}".toString(), genome: meta.id, model: trained.id]
}

/** Figures of every fold on the test genes, and of its training on the fold that it has not learned. */
def foldRow(meta, json, directory) {
    def on_test = new groovy.json.JsonSlurper().parseText(json.text)
    def summary = file("${directory}/training.json")
    def learned = summary.exists() ? new groovy.json.JsonSlurper().parseText(summary.text) : [:]
    return [sample: meta.genome, fold: meta.model, figures: [
        gene_exact: on_test.gene_exact, gene_exact_primary: on_test.gene_exact_primary, isoform_recall_multi: on_test.isoform_recall_multi,
        exon_f1: on_test.cds?.exon?.f1, intron_chain_f1: on_test.cds?.intron_chain?.f1, base_f1: on_test.cds?.base?.f1,
        held_out_genes: learned.n_validation, held_out_ap_donor: learned.metrics?.ap_donor,
        held_out_ap_acceptor: learned.metrics?.ap_acceptor, held_out_step_perplexity: learned.metrics?.step_perplexity,
    ]]
}

/** All folds as a table; below those of a genome their mean and (sample) standard deviation. */
def foldTable(rows) {
    def number = { value -> value == null ? '' : value instanceof Integer ? "${value}" : String.format(Locale.ROOT, '%.4f', value as double) }
    def line   = { sample, fold, values -> ([sample, fold] + values.collect { value -> number(value) }).join('\t') }
    def lines  = [(['sample', 'fold'] + rows[0].figures.keySet()).join('\t')]
    rows.groupBy { row -> row.sample }.sort().each { sample, own ->
        own.sort { row -> row.fold.tokenize('_')[-1] as int }.each { row -> lines << line(sample, row.fold, row.figures.values()) }
        def columns = own[0].figures.keySet().collect { key -> own.collect { row -> row.figures[key] } - null }
        def means   = columns.collect { values -> values ? values.sum() / (values.size() as double) : null }
        lines << line(sample, 'mean', means)
        lines << line(sample, 'sd', [columns, means].transpose().collect { values, mean ->
            values.size() < 2 ? null : Math.sqrt((values.collect { value -> (value - mean) ** 2 }.sum() / (values.size() - 1)) as double)
        })
    }
    return lines.join('\n') + '\n'
}

workflow TRAIN {
    take:
    genomes // [ meta, fasta, annotation, regions, reads ]
    preset  // YAML
    init    // model directory to start from, or an empty list

    main:
    TG_PREP(genomes.map { meta, fasta, annotation, _regions, _reads -> [meta, fasta, annotation, []] })

    // Families are found over all genomes at once: relatives of a test gene are in no genome's training split
    prepared   = TG_PREP.out.shards
    split_with = channel.empty()
    if (params.split.startsWith('homology')) {
        TG_SPLIT(TG_PREP.out.shards
            .toSortedList { a, b -> a[0].id <=> b[0].id }
            .map { all -> [[id: 'genomes', samples: all.collect { meta, _files -> meta.id }], all.collect { _meta, files -> files }.flatten()] })
        prepared = genomes
            .map { meta, _fasta, _annotation, _regions, _reads -> [meta.id, meta] }
            .join(TG_SPLIT.out.shards.flatten().map { file -> [file.parent.name, file] }.groupTuple(sort: true))
            .map { _id, meta, files -> [meta, files] }
        split_with = TG_SPLIT.out.versions
    }

    folds = params.folds
        ? (0..<params.folds).collect { number -> [id: "fold_${number}", fold: number, folds: params.folds] }
        : [[id: 'model', fold: null]]
    shards = prepared.flatMap { _meta, files -> files }.collect(sort: { it.toString() }).map { files -> [files] }
    TG_TRAIN(channel.fromList(folds).combine(shards), preset, init)

    // Every model annotates every genome's test genes
    models = genomes.combine(TG_TRAIN.out.model)
    ANNOTATE(
        prepared.combine(TG_TRAIN.out.model).map { meta, files, trained, _model -> [pair(meta, trained), files] },
        channel.empty(),
        models.map { meta, fasta, _annotation, _regions, _reads, trained, _model -> [pair(meta, trained), fasta, []] },
        models.map { meta, _fasta, _annotation, _regions, _reads, trained, model -> [pair(meta, trained), model] },
    )

    references = genomes
        .join(prepared)
        .combine(TG_TRAIN.out.model)
        .map { meta, fasta, annotation, _regions, _reads, files, trained, _model -> [pair(meta, trained), annotation, [], fasta, files] }
    TG_EVALUATE(ANNOTATE.out.gff3.join(references))

    if (params.folds) {
        TG_EVALUATE.out.json
            .map { meta, json -> [meta.model, meta, json] }
            .combine(TG_TRAIN.out.model.map { trained, directory -> [trained.id, directory] }, by: 0)
            .map { _model, meta, json, directory -> foldRow(meta, json, directory) }
            .toList()
            .map { rows -> foldTable(rows) }
            .collectFile(storeDir: "${params.outdir}/evaluation", name: 'folds.tsv')
    }

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
    versions   = TG_PREP.out.versions.mix(split_with, TG_TRAIN.out.versions, ANNOTATE.out.versions, TG_EVALUATE.out.versions, REPORT.out.versions)
}
