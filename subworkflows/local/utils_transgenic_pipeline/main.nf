/*
 * What stands before and after the work: checked input and a header; versions, a summary, e-mail and hook.
 */
include { faultsOfParams  } from './schema'
include { readSamplesheet } from './schema'
include { readSchema      } from './schema'
include { schemaParams    } from './schema'

workflow PIPELINE_INITIALISATION {
    main:
    def schema = readSchema("${projectDir}/nextflow_schema.json")
    if (params.help) {
        log.info(helpText(schema))
        System.exit(0)
    }
    if (params.version) {
        log.info("${workflow.manifest.name} ${workflow.manifest.version}")
        System.exit(0)
    }
    def faults = params.validate_params ? faultsOfParams(params, schema) : []
    stopOn(faults, 'The parameters')
    def rows = readSamplesheet(file(params.input, checkIfExists: true), readSchema("${projectDir}/assets/schema_input.json"), faults)
    stopOn(faults + faultsOfMode(rows), 'The samplesheet')
    log.info(headerText(rows.size()))
    writeParams()

    emit:
    genomes     = channel.fromList(rows).map { row -> // [ meta, fasta, annotation, regions, reads ]
        [[id: row.sample], row.fasta, row.annotation ?: [], row.regions ?: [], row.reads ?: []]
    }
    predictions = channel.fromList(params.mode == 'evaluate' ? rows : []).map { row -> // [ meta, gff3 ]
        [[id: row.sample], predictionOf(row)]
    }
    preset      = presetFile() // YAML
}

workflow PIPELINE_COMPLETION {
    take:
    annotation // [ meta, gff3 ]
    evaluation // [ meta, json ]
    report     // html
    versions   // versions.yml

    main:
    versions
        .map { yml -> yml.text }
        .unique()
        .mix(channel.of("Workflow:\n    ${workflow.manifest.name}: ${workflow.manifest.version}\n    Nextflow: ${workflow.nextflow.version}\n".toString()))
        .collectFile(storeDir: "${params.outdir}/pipeline_info", name: 'software_versions.yml', sort: true)

    evaluations = evaluation.toList()
    workflow.onComplete {
        def summary = runSummary(evaluations.val)
        log.info(summaryText(summary))
        tellOthers(summary)
    }
    workflow.onError {
        log.error("The run stopped. Exit codes and what to do: docs/troubleshooting.md; run again with -resume to keep finished tasks.")
    }
}

def stopOn(List faults, String subject) {
    if (faults) {
        error("${subject} cannot be used:\n${faults.collect { fault -> "  - ${fault}" }.join('\n')}\nSee docs/usage.md, or --help.")
    }
}

/** What a mode needs beyond the schemas. */
def faultsOfMode(List rows) {
    def faults = []
    if (params.mode == 'evaluate' && !params.predictions) {
        faults << "--mode evaluate needs --predictions: the directory with <sample>.gff3 files, e.g. results/annotation"
    }
    if (params.mode in ['augment', 'evaluate', 'train']) {
        rows.findAll { row -> !row.annotation }.each { row -> faults << "sample '${row.sample}' needs an annotation in --mode ${params.mode}" }
    }
    if (params.mode == 'evaluate' && params.predictions) {
        rows.findAll { row -> !predictionOf(row).exists() }.each { row -> faults << "sample '${row.sample}': there is no ${predictionOf(row)}" }
    }
    if (params.mode == 'train') {
        def processes = params.train_nodes * (params.use_gpu ? params.gpus_per_task : 1)
        if (presetFile().exists() && processes > 1) {
            def training = new org.yaml.snakeyaml.Yaml().load(presetFile().text).training ?: [:]
            ['trunk', 'decoder'].each { stage ->
                def micro = training[stage]?.accumulate ?: 1
                if (micro % processes != 0) {
                    faults << "--preset ${params.preset}: ${processes} processes cannot share ${micro} micro-batch${micro == 1 ? '' : 'es'} a step; give a preset of your own with training.${stage}.accumulate: ${processes} or a multiple"
                }
            }
        }
        if (params.train_nodes > 1 && workflow.session.config.process?.executor != 'slurm') {
            faults << "--train_nodes ${params.train_nodes}: training on several nodes is started by srun; add -profile slurm"
        }
        if (params.train_nodes > 1 && workflow.containerEngine) {
            faults << "--train_nodes ${params.train_nodes}: there is no srun inside a container; take -profile slurm,conda, or tools on PATH"
        }
        if (!presetFile().exists()) {
            def names = file("${projectDir}/transgenic_tools/assets/presets/*.yaml").collect { path -> path.baseName }.sort()
            faults << "--preset ${params.preset}: there is no such file, and the presets are: ${names.join(', ')}"
        }
    }
    if (params.store_encodings) {
        def config = file("${params.model}/config.json")
        if (params.mode in ['train', 'evaluate']) {
            faults << "--store_encodings has no use in --mode ${params.mode}"
        }
        else if (config.exists() && new groovy.json.JsonSlurper().parseText(config.text).encoder?.name == 'embedded') {
            faults << "--store_encodings: ${params.model} reads DNA itself and has no pretrained encoder whose work could be stored; leave it out"
        }
    }
    if (params.job_array && !(workflow.session.config.process?.executor in ['slurm', 'awsbatch', 'google-batch'])) {
        faults << "--job_array works on a scheduler or in a cloud only: leave it out, or add -profile slurm"
    }
    return faults
}

/** A name in transgenic_tools/assets/presets, or a YAML file of the user's. */
def presetFile() {
    return params.preset ==~ /.*\.ya?ml/ ? file(params.preset) : file("${projectDir}/transgenic_tools/assets/presets/${params.preset}.yaml")
}

def predictionOf(row) {
    return file("${params.predictions}/${row.sample}.gff3")
}

def headerText(int genomes) {
    def device = params.use_gpu
        ? "GPU (${params.gpus_per_task} a task)"
        : 'CPU (add --use_gpu true where there is a GPU: many times faster)'
    return """\
        |
        |transgenic_tools ${workflow.manifest.version}
        |  mode       ${params.mode}, ${genomes} genome${genomes == 1 ? '' : 's'} from ${params.input}
        |  model      ${params.mode == 'train' ? "to be trained, preset ${params.preset}" : params.model}
        |  device     ${device}
        |  results    ${params.outdir}
        |""".stripMargin()
}

def helpText(Map schema) {
    def lines = ["", "${workflow.manifest.name} ${workflow.manifest.version}: ${workflow.manifest.description}", "",
        "  nextflow run . -profile <test|slurm|docker|singularity|...> --input samplesheet.csv --outdir results", ""]
    schema['$defs'].values().each { group ->
        lines << group.title
        group.properties.findAll { _name, rule -> !rule.hidden }.each { name, rule ->
            def values = rule.enum ? " [${rule.enum.join('|')}]" : ''
            def initial = rule.default != null ? " (default: ${rule.default})" : ''
            lines << "  --${name.padRight(20)} ${rule.description}${values}${initial}"
        }
        lines << ''
    }
    return lines.join('\n')
}

/** The parameters of this run, beside the reports of Nextflow. */
def writeParams() {
    def target = file("${params.outdir}/pipeline_info/params_${params.trace_report_suffix}.json")
    target.parent.mkdirs()
    target.text = groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(params.findAll { _name, value -> value != null }.sort()))
}

/** One map for the terminal, the e-mail and the hook: figures are null where there was no reference. */
def runSummary(List evaluations) {
    def samples = evaluations.collectEntries { meta, json ->
        def metrics = new groovy.json.JsonSlurper().parseText(json.text)
        [meta.id, [gene_exact: metrics.gene_exact, exon_f1: metrics.cds?.exon?.f1, base_f1: metrics.cds?.base?.f1]]
    }
    def folds = evaluations.findAll { meta, _json -> params.folds && meta.genome }.groupBy { meta, _json -> meta.genome }
    return [
        pipeline: workflow.manifest.name, version: workflow.manifest.version, run: workflow.runName,
        success: workflow.success, duration: workflow.duration.toString(), outdir: file(params.outdir).toUriString(),
        tasks: workflow.stats.succeedCount, cached: workflow.stats.cachedCount, failed: workflow.stats.failedCount,
        error: reasonOfFailure(), samples: samples.sort(),
        folds: folds.collectEntries { genome, own -> [genome, meanAndDeviation(own.collect { meta, _json -> samples[meta.id].gene_exact } - null)] },
    ]
}

/** Which task failed and what it said last; Nextflow's errorMessage alone is null where a task said nothing. */
def reasonOfFailure() {
    def cause = workflow.errorReport?.readLines()?.dropWhile { line -> !line.startsWith('Caused by') }?.drop(1)?.find { line -> line.trim() }
    return ([cause?.trim(), workflow.errorMessage] - null).join('\n') ?: null
}

def meanAndDeviation(List values) {
    def mean = values ? values.sum() / (values.size() as double) : null
    def sd   = values.size() < 2 ? null : Math.sqrt((values.collect { value -> (value - mean) ** 2 }.sum() / (values.size() - 1)) as double)
    return [folds: values.size(), gene_exact: mean, sd: sd]
}

def summaryText(Map summary) {
    def number = { value -> value == null ? 'n/a' : String.format(Locale.ROOT, '%.3f', value as double) }
    def lines  = ["", summary.success ? "Done in ${summary.duration}: ${summary.tasks} tasks run, ${summary.cached} cached."
                                      : "Failed after ${summary.duration}: ${summary.error ?: 'see the messages above'}"]
    if (summary.success && params.mode == 'train') { lines << "  model        ${params.outdir}/model" }
    if (summary.success && params.mode in ['predict', 'augment']) { lines << "  annotation   ${params.outdir}/annotation/*.gff3" }
    if (summary.success) { lines << "  report       ${params.outdir}/report/report.html" }
    summary.samples.each { sample, figures ->
        lines << "  ${sample.padRight(12)} gene_exact ${number(figures.gene_exact)}   exon F1 ${number(figures.exon_f1)}   base F1 ${number(figures.base_f1)}"
    }
    summary.folds.each { genome, figures ->
        lines << "  ${genome}: gene_exact ${number(figures.gene_exact)} ± ${number(figures.sd)} over ${figures.folds} folds; ${params.outdir}/evaluation/folds.tsv"
    }
    return lines.join('\n') + '\n'
}

/** E-mail and hook, where asked for; neither may turn a finished run into a failed one. */
def tellOthers(Map summary) {
    def address = summary.success ? params.email : (params.email_on_fail ?: params.email)
    def subject = "[transgenic_tools] ${summary.run} ${summary.success ? 'finished' : 'failed'}"
    if (address) {
        try {
            sendMail(to: address, subject: subject, body: summaryText(summary))
        }
        catch (Exception e) {
            log.warn("No e-mail could be sent to ${address}: ${e.message}")
        }
    }
    if (params.hook_url) {
        try {
            def connection = new URL(params.hook_url).openConnection()
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
