// All genomes of a run in one HTML file that opens without a network.
process TG_REPORT {
    tag "${annotations.size()} genomes"
    label 'process_single'
    conda "${projectDir}/containers/environment.yml"
    container "${params.thin_image}"

    input:
    path annotations, stageAs: 'annotation/*', arity: '0..*'
    path evaluations, stageAs: 'evaluation/*', arity: '0..*'

    output:
    path "report.html" , emit: html
    path "versions.yml", emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    tg-report \\
        ${annotations.collect { "--annotation ${it}" }.join(' ')} \\
        ${evaluations.collect { "--evaluation ${it}" }.join(' ')} \\
        --out report.html \\
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
