/*
 * What stands before and after the work: checked input and a header; versions, a summary, e-mail and hook.
 *
 * In: the parameters as Nextflow has them. Out: `settings`, the same typed by their schema, which everything else reads.
 */
include { faultsOfConditions } from './conditions'
include { faultsOfParams     } from './schema'
include { readEvidence       } from './schema'
include { readSamplesheet    } from './schema'
include { readSchema         } from './schema'
include { typedParams        } from './schema'

/** Settings of a run, typed; help, version, and faults of parameters end the run here. */
def readSettings(given) {
    def schema   = readSchema("${projectDir}/nextflow_schema.json")
    def settings = typedParams(given, schema)
    if (settings.help || settings.version) {
        log.info(settings.help ? helpText(schema) : "${workflow.manifest.name} ${workflow.manifest.version}")
        System.exit(0)
    }
    stopOn(settings.validate_params == false ? [] : faultsOfParams(given, schema), 'The parameters')
    return settings
}

/** One map a genome: id, fasta, annotation, regions, reads, evidence, condition; what a row leaves empty is an empty list.
 *  `sources`: lines of its sheet of evidence, by column, `path` a file. */
def readGenomes(settings) {
    def schema = readSchema("${projectDir}/assets/schema_input.json")
    def (rows, faults) = readSamplesheet(file(settings.input, checkIfExists: true, glob: false), schema)
    def sheets = rows.findAll { row -> row.evidence }.collectEntries { row -> [row.sample, readEvidence(row.evidence)] }
    def others = sheets.values().collectMany { _sources, wrong -> wrong }
    stopOn(faults + others + faultsOfMode(settings, rows), 'The samplesheet')
    log.info(headerText(settings, rows.size()))
    writeParams(settings)
    def columns = schema.items.properties.keySet() - 'sample'
    return rows.collect { row ->
        [id: row.sample, sources: sheets[row.sample]?.first() ?: []] + columns.collectEntries { column -> [column, row[column] ?: []] }
    }
}

/** The annotation of an earlier run that belongs to a genome, for --mode evaluate. */
def predictionOf(settings, sample) {
    return file("${settings.predictions}/${sample}.gff3", glob: false)
}

/** A name in transgenic_tools/assets/presets, or a YAML file of the user's. */
def presetFile(settings) {
    return file(settings.preset ==~ /.*\.ya?ml/ ? settings.preset : "${projectDir}/transgenic_tools/assets/presets/${settings.preset}.yaml", glob: false)
}

workflow PIPELINE_COMPLETION {
    take:
    settings   // typed parameters, by name
    evaluation // [ meta, json ]
    folds      // folds.tsv, where there are folds
    versions   // versions.yml

    main:
    versions
        .map { yml -> yml.text }
        .unique()
        .mix(channel.of("Workflow:\n    ${workflow.manifest.name}: ${workflow.manifest.version}\n    Nextflow: ${workflow.nextflow.version}\n".toString()))
        .collectFile(storeDir: "${settings.outdir}/pipeline_info", name: 'software_versions.yml', sort: true)

    evaluations = evaluation.toList()
    tables      = folds.toList()
    workflow.onComplete {
        def summary = runSummary(settings, evaluations.val, tables.val)
        log.info(summaryText(settings, summary))
        tellOthers(settings, summary)
    }
    workflow.onError {
        log.error("The run stopped. Exit codes and what to do: docs/troubleshooting.md; run again with -resume to keep finished tasks.")
    }
}

def stopOn(faults, subject) {
    if (faults) {
        error("${subject} cannot be used:\n${faults.collect { fault -> "  - ${fault}" }.join('\n')}\nSee docs/usage.md, or --help.")
    }
}

/** What a mode needs beyond the schemas: each line a condition that stops the run, and what is said. */
def faultsOfMode(settings, rows) {
    def mode      = settings.mode
    def executor  = workflow.session.config.process?.executor
    def preset    = presetFile(settings)
    def processes = settings.train_nodes * (settings.use_gpu ? settings.gpus_per_task : 1)
    def nodes     = mode == 'train' && settings.train_nodes > 1
    def names     = files("${projectDir}/transgenic_tools/assets/presets/*.yaml").collect { path -> path.baseName }.sort().join(', ')
    def others    = ['gtf', 'bed', 'proteins', 'cds', 'cdna', 'sites'].findAll { name -> settings[name] }
    def additions = ['extend_genes', 'add_utrs', 'skip_attribute'].findAll { name -> settings[name] }
    def compared  = mode == 'evaluate' && settings.predictions
    return [
        [mode == 'evaluate' && !settings.predictions,
            "--mode evaluate needs --predictions: the directory with <sample>.gff3 files, e.g. results/annotation"],
        [nodes && executor != 'slurm',
            "--train_nodes ${settings.train_nodes}: training on several nodes is started by srun; add -profile slurm"],
        [nodes && workflow.containerEngine,
            "--train_nodes ${settings.train_nodes}: there is no srun inside a container; take -profile slurm,conda, or tools on PATH"],
        [mode == 'train' && !preset.exists(),
            "--preset ${settings.preset}: there is no such file, and the presets are: ${names}"],
        [settings.store_encodings && mode in ['train', 'evaluate'],
            "--store_encodings has no use in --mode ${mode}"],
        [settings.store_encodings && mode in ['predict', 'augment', 'adapt'] && readsDnaItself(settings.model),
            "--store_encodings: ${settings.model} reads DNA itself and has no pretrained encoder whose work could be stored; leave it out"],
        [mode == 'augment' && others,
            "${others.collect { name -> "--${name}" }.join(', ')}: --mode augment writes the augmented GFF3 alone; leave them out"],
        [mode != 'augment' && additions,
            "${additions.collect { name -> "--${name}" }.join(', ')}: of --mode augment alone; leave out, or add --mode augment"],
        [settings.utrs_in_place && !settings.add_utrs,
            "--utrs_in_place, but no UTRs are added; add --add_utrs"],
        [settings.job_array && !(executor in ['slurm', 'awsbatch', 'google-batch']),
            "--job_array works on a scheduler or in a cloud only: leave it out, or add -profile slurm"],
    ].findAll { stops, _sentence -> stops }.collect { _stops, sentence -> sentence } +
        rows.findAll { row -> mode in ['augment', 'evaluate', 'train'] && !row.annotation }.collect { row ->
            "sample '${row.sample}' needs an annotation in --mode ${mode}"
        } +
        faultsOfConditions(settings, rows) +
        rows.findAll { row -> mode in ['evaluate', 'train'] && row.evidence }.collect { row ->
            "sample '${row.sample}': evidence has no use in --mode ${mode}; leave it out"
        } +
        rows.findAll { row -> compared && !predictionOf(settings, row.sample).exists() }.collect { row ->
            "sample '${row.sample}': there is no ${predictionOf(settings, row.sample)}"
        } +
        (mode == 'train' && preset.exists() && processes > 1 ? faultsOfSharing(settings, preset, processes) : [])
}

/** Stages of training whose micro-batches cannot be divided among the processes. */
def faultsOfSharing(settings, preset, processes) {
    def training = new org.yaml.snakeyaml.Yaml().load(preset.text).training ?: [:]
    return ['trunk', 'decoder']
        .collect { stage -> [stage, training[stage]?.accumulate ?: 1] }
        .findAll { _stage, micro -> micro % processes != 0 }
        .collect { stage, micro ->
            "--preset ${settings.preset}: ${processes} processes cannot share ${micro} micro-batch${micro == 1 ? '' : 'es'} a step; give a preset of your own with training.${stage}.accumulate: ${processes} or a multiple"
        }
}

/** A model without a pretrained encoder. */
def readsDnaItself(model) {
    def config = file("${model}/config.json", glob: false)
    return config.exists() && new groovy.json.JsonSlurper().parseText(config.text).encoder?.name in ['embedded', 'strands']
}

def headerText(settings, genomes) {
    def device = settings.use_gpu
        ? "GPU (${settings.gpus_per_task} a task)"
        : 'CPU (add --use_gpu true where there is a GPU; how much faster is not measured)'
    return """\
        |
        |transgenic_tools ${workflow.manifest.version}
        |  mode       ${settings.mode}, ${genomes} genome${genomes == 1 ? '' : 's'} from ${settings.input}
        |  model      ${settings.mode == 'train' ? "to be trained, preset ${settings.preset}" : settings.model}
        |  device     ${device}
        |  results    ${settings.outdir}
        |""".stripMargin()
}

def helpText(schema) {
    def lines = ["", "${workflow.manifest.name} ${workflow.manifest.version}: ${workflow.manifest.description}", "",
        "  nextflow run . -profile <test|slurm|docker|singularity|...> --input samplesheet.csv --outdir results", ""]
    schema['$defs'].values().each { group ->
        lines << group.title
        group.properties.findAll { _name, rule -> !rule.hidden }.each { name, rule ->
            def allowed = rule['enum']
            def values  = allowed ? " [${allowed.join('|')}]" : ''
            def initial = rule['default'] != null ? " (default: ${rule['default']})" : ''
            lines << "  --${name.padRight(20)} ${rule.description}${values}${initial}"
        }
        lines << ''
    }
    return lines.join('\n')
}

/** The parameters of this run, beside the reports of Nextflow. */
def writeParams(settings) {
    def target = file("${settings.outdir}/pipeline_info/params_${settings.trace_report_suffix}.json", glob: false)
    target.parent.mkdirs()
    target.text = groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(settings.findAll { _name, value -> value != null }.sort()))
}

/** One map for the terminal, the e-mail and the hook: figures are null where there was no reference. */
def runSummary(settings, evaluations, tables) {
    def samples = evaluations.collectEntries { meta, json ->
        def metrics = new groovy.json.JsonSlurper().parseText(json.text)
        [meta.id, [gene_exact: metrics.gene_exact, exon_f1: metrics.cds?.exon?.f1, base_f1: metrics.cds?.base?.f1]]
    }
    return [
        pipeline: workflow.manifest.name, version: workflow.manifest.version, run: workflow.runName,
        success: workflow.success, duration: workflow.duration.toString(), outdir: file(settings.outdir, glob: false).toUriString(),
        tasks: workflow.stats.succeedCount, cached: workflow.stats.cachedCount, failed: workflow.stats.failedCount,
        error: reasonOfFailure(), samples: samples.sort(), folds: tables ? foldsOf(tables[0]) : [:],
    ]
}

/** Mean and deviation over its folds for every genome, as folds.tsv has them. */
def foldsOf(table) {
    def lines   = table.readLines().collect { line -> line.tokenize('\t') }
    def numbers = lines.tail().collect { line -> [line[0], line[1], line[2] ==~ /[\d.]+/ ? line[2].toBigDecimal() : null] }
    return numbers.groupBy { sample, _fold, _value -> sample }.collectEntries { sample, rows ->
        def figures = rows.collectEntries { _sample, name, value -> [name, value] }
        [sample, [folds: rows.size() - 2, gene_exact: figures.mean, sd: figures.sd]]
    }
}

/** Which task failed and what it said last; Nextflow's errorMessage alone is null where a task said nothing. */
def reasonOfFailure() {
    def cause = workflow.errorReport?.readLines()?.dropWhile { line -> !line.startsWith('Caused by') }?.drop(1)?.find { line -> line.trim() }
    return ([cause?.trim(), workflow.errorMessage] - null).join('\n') ?: null
}

def threeDigits(value) {
    return value == null ? 'n/a' : String.format(Locale.ROOT, '%.3f', value.toDouble())
}

def summaryText(settings, summary) {
    def lines = ["", summary.success ? "Done in ${summary.duration}: ${summary.tasks} tasks run, ${summary.cached} cached."
                                     : "Failed after ${summary.duration}: ${summary.error ?: 'see the messages above'}"]
    if (summary.success && settings.mode in ['train', 'adapt']) { lines << "  model        ${settings.outdir}/model" }
    if (summary.success && settings.mode in ['predict', 'augment', 'adapt']) { lines << "  annotation   ${settings.outdir}/annotation/*.gff3" }
    if (summary.success) { lines << "  report       ${settings.outdir}/report/report.html" }
    summary.samples.each { sample, figures ->
        lines << "  ${sample.padRight(12)} gene_exact ${threeDigits(figures.gene_exact)}   exon F1 ${threeDigits(figures.exon_f1)}   base F1 ${threeDigits(figures.base_f1)}"
    }
    summary.folds.each { genome, figures ->
        lines << "  ${genome}: gene_exact ${threeDigits(figures.gene_exact)} ± ${threeDigits(figures.sd)} over ${figures.folds} folds; ${settings.outdir}/evaluation/folds.tsv"
    }
    return lines.join('\n') + '\n'
}

/** E-mail and hook, where asked for; neither may turn a finished run into a failed one. */
def tellOthers(settings, summary) {
    def address = summary.success ? settings.email : (settings.email_on_fail ?: settings.email)
    def subject = "[transgenic_tools] ${summary.run} ${summary.success ? 'finished' : 'failed'}"
    if (address) {
        try {
            sendMail(to: address, subject: subject, body: summaryText(settings, summary))
        }
        catch (Exception e) {
            log.warn("No e-mail could be sent to ${address}: ${e.message}")
        }
    }
    if (settings.hook_url) {
        try {
            def connection = new java.net.URL(settings.hook_url).openConnection()
            connection.requestMethod = 'POST'
            connection.doOutput = true
            connection.connectTimeout = 5000
            connection.readTimeout = 5000
            connection.setRequestProperty('Content-Type', 'application/json')
            connection.outputStream.withWriter('UTF-8') { out -> out << groovy.json.JsonOutput.toJson(summary) }
            if (connection.responseCode >= 300) { log.warn("--hook_url answered ${connection.responseCode}") }
        }
        catch (Exception e) {
            log.warn("--hook_url could not be reached: ${e.message}")
        }
    }
}
