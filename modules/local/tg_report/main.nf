// All genomes of a run in one HTML file that opens without a network.
include { quoted } from '../flags'
include { words  } from '../flags'

/** Samples by the names of their files. */
def namesOf(paths) {
    return [paths].flatten().collect { path -> path.baseName }
}

/** One flag a file, as SAMPLE=PATH; Nextflow quotes paths in the script alone, not in a function. */
def filesOf(flag, names, paths) {
    return [names, [paths].flatten()].transpose().collect { name, path -> "--${flag} ${quoted("${name}=${path}")}" }
}

process TG_REPORT {
    tag "${annotations instanceof List ? annotations.size() : 1} annotations"
    label 'process_single'
    label 'image_thin'

    input:
    path annotations, stageAs: 'annotation/*'                                        // <sample>.gff3
    path evaluations, stageAs: 'evaluation/*'                                        // <sample>.json
    tuple val(referenced), path(references, stageAs: 'reference/?/*', arity: '0..*') // samples and their annotations, same order
    tuple val(prepared), path(preps, stageAs: 'prep/?/*', arity: '0..*')             // samples and their prep.json, same order
    tuple val(rejected), path(rejects, stageAs: 'rejects/?/*', arity: '0..*')        // samples and their rejects.tsv of all stages, same order
    tuple val(flags), path(trainings, stageAs: 'training/?/*', arity: '0..*')        // [ --flag: value ], and metrics.jsonl of each model

    output:
    path "report.html"       , emit: html                    // report.html
    path "multiqc/*_mqc.json", emit: multiqc, optional: true // multiqc/*_mqc.json
    path "versions.yml"      , emit: versions                // versions.yml

    script:
    def args  = task.ext.args ?: ''
    def files = filesOf('annotation', namesOf(annotations), annotations) + filesOf('evaluation', namesOf(evaluations), evaluations) +
        filesOf('reference', referenced, references) + filesOf('prep', prepared, preps) +
        filesOf('rejects', rejected, rejects) + [trainings].flatten().collect { path -> "--training ${path}" }
    """
    tg-report \\
        ${files.join(' \\\n        ')} \\
        --out report.html \\
        --multiqc multiqc \\
        ${words(flags)} ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-report --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    """
    echo '<!doctype html><title>stub</title>' >| report.html
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
