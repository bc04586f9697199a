// All genomes of a run in one HTML file that opens without a network.
process TG_REPORT {
    tag "${annotations instanceof List ? annotations.size() : 1} annotations"
    label 'process_single'
    conda "${projectDir}/containers/environment.yml"
    container "${params.thin_image}"

    input:
    path annotations, stageAs: 'annotation/*'                                        // <sample>.gff3
    path evaluations, stageAs: 'evaluation/*'                                        // <sample>.json
    tuple val(referenced), path(references, stageAs: 'reference/?/*', arity: '0..*') // samples and their annotations, same order
    tuple val(prepared), path(preps, stageAs: 'prep/?/*', arity: '0..*')             // samples and their prep.json, same order
    path trainings, stageAs: 'training/?/*'                                          // metrics.jsonl of each model

    output:
    path "report.html"         , emit: html
    path "multiqc/*_mqc.json"  , emit: multiqc, optional: true
    path "versions.yml"        , emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args  = task.ext.args ?: ''
    def named = { flag, files -> [files].flatten().collect { file -> "--${flag} ${file.baseName}=${file}" } }
    def pairs = { flag, names, files -> [names, [files].flatten()].transpose().collect { name, file -> "--${flag} ${name}=${file}" } }
    def input = named('annotation', annotations) + named('evaluation', evaluations) +
        pairs('reference', referenced, references) + pairs('prep', prepared, preps) +
        [trainings].flatten().collect { file -> "--training ${file}" }
    """
    tg-report \\
        ${input.join(' \\\n        ')} \\
        --out report.html \\
        --multiqc multiqc \\
        ${args}

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-report --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    """
    echo '<!doctype html><title>stub</title>' > report.html
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" > versions.yml
    """
}
