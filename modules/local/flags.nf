/*
 * Which parameter becomes which flag of which tool, and how a value is put into a command.
 *
 * In: typed settings. Out: one map [ flag: value ] a tool, then words of a shell. A surprise: every value is quoted here and
 * nowhere else, so that none can end a word or start a command; numbers and switches lose nothing by it.
 */

/** Flags by module; a flag whose value is null or false is left out, true is the flag alone, a list repeats it. */
def toolFlags(settings) {
    def training = settings.mode == 'train'
    def divided  = training && !settings.split.startsWith('homology') // else TG_SPLIT does it, over all genomes
    def device   = settings.use_gpu ? 'auto' : 'cpu'
    return [
        prep: [
            '--shard-bases': settings.shard_bases,
            '--upstream': settings.upstream,
            '--downstream': settings.downstream,
            '--contig-end': settings.contig_end,
            '--min-length': settings.min_length,
            '--max-length': settings.max_length,
            '--biotype': settings.biotype?.tokenize(','),
            '--clean-cds': settings.clean_cds,
            '--strict': settings.strict,
            '--split': divided ? settings.split : null,
            '--folds': divided ? settings.folds ?: 0 : null,
        ],
        scan: [
            '--flank': settings.scan_flank,
            '--min-score': settings.scan_min_score,
            '--min-coding': settings.scan_min_coding,
            '--longest-gap': settings.scan_longest_gap,
            '--complete-only': settings.complete_only,
            '--precision': settings.precision,
            '--skip-seqid': settings.skip_seqid?.tokenize(','),
            '--tracks': settings.tracks,
        ],
        evidence: [
            '--min-anchor': settings.evidence_min_anchor,
            '--multimapped': settings.evidence_multimapped,
            '--noncanonical': settings.evidence_noncanonical,
            '--min-intron': settings.evidence_min_intron,
            '--max-intron': settings.evidence_max_intron,
        ],
        split: [
            '--split': settings.split,
            '--folds': settings.folds ?: 0,
        ],
        encode: [
            '--device': device,
            '--batch-bases': 50000,
            '--dtype': settings.encodings_dtype,
            '--limit-gb': settings.encodings_limit_gb,
        ],
        train: [
            '--device': device,
            '--seed': settings.seed,
            '--self-train': settings.mode == 'adapt',
            '--self-confidence': settings.mode == 'adapt' ? settings.self_confidence : null,
        ],
        generate: [
            '--device': device,
            '--decoding': settings.decoding,
            '--num-beams': settings.num_beams,
            '--max-isoforms': settings.max_isoforms,
            '--min-confidence': settings.min_confidence,
            '--temperature': settings.temperature,
            '--top-p': settings.top_p,
            '--seed': settings.seed,
            '--precision': settings.precision,
            '--batch-bases': settings.batch_bases,
            '--max-length': settings.max_window,
            '--min-region': settings.min_region,
            '--complete': settings.mode == 'augment',
            '--add-utrs': settings.mode == 'augment' && settings.add_utrs,
            '--split': training ? 'test' : null,
            '--against': settings.against,
        ],
        backmap: [
            '--gtf': settings.gtf ? 'gtf' : null,
            '--bed': settings.bed ? 'bed' : null,
            '--proteins': settings.proteins ? 'pep.fa' : null,
            '--cds': settings.cds ? 'cds.fa' : null,
            '--cdna': settings.cdna ? 'cdna.fa' : null,
            '--sites': settings.sites ? 'sites.bw' : null,
            '--min-gene-confidence': settings.min_gene_confidence,
            '--id-prefix': settings.id_prefix,
            '--id-pattern': settings.id_pattern,
            '--both-strands': settings.both_strands,
            '--csq-attributes': settings.csq_attributes,
            '--submission': settings.mode == 'augment' ? null : settings.locus_tag_prefix,
            '--extend-genes': settings.mode == 'augment' && settings.extend_genes,
            '--add-utrs': settings.mode == 'augment' && settings.add_utrs,
            '--utrs-in-place': settings.mode == 'augment' && settings.add_utrs && settings.utrs_in_place,
            '--skip-attribute': settings.mode == 'augment' ? settings.skip_attribute?.tokenize(',') : null,
        ],
        evaluate: [
            '--split': training ? 'test' : null,
            '--all-transcripts': settings.all_transcripts,
            '--min-reads': settings.min_reads,
            '--genes': settings.evaluation_tables ? 'genes.tsv' : null,
            '--transcripts': settings.evaluation_tables ? 'transcripts.tsv' : null,
        ],
        report: [
            '--title': settings.report_title,
            '--paired-only': training,
            '--augmented': settings.mode == 'augment',
        ],
    ]
}

/** Flags as words of a shell. */
def words(flags) {
    return flags.collectMany { flag, value ->
        value == null || value == false ? [] : value == true ? [flag] : [value].flatten().collect { one -> "${flag} ${quoted(one)}" }
    }.join(' ')
}

/** One flag a file of tg-report, as SAMPLE=PATH, or the path alone where the flag takes no sample. */
def filesOf(named, paths) {
    return [named, [paths].flatten()].transpose().collect { one, path ->
        "--${one.kind} ${quoted(one.id ? "${one.id}=${path}" : path)}"
    }
}

/** One word that a shell takes as it stands. */
def quoted(value) {
    return "'" + value.toString().replace("'", "'\\''") + "'"
}

/** Flags whose value is the end of a file name, with the whole name: [ --gtf: gtf ] becomes [ --gtf: sample.gtf ]. */
def named(flags, prefix) {
    def files = ['--gtf', '--bed', '--proteins', '--cds', '--cdna', '--sites', '--genes', '--transcripts']
    return flags.collectEntries { flag, value -> [flag, value && flag in files ? "${prefix}.${value}".toString() : value] }
}

/** The same with a smaller batch: a second attempt follows one that was out of memory. */
def smallerBatch(flags, attempt) {
    return flags + ['--batch-bases': flags['--batch-bases'].intdiv(attempt)]
}
