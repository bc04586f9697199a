// All genomes of a run in one HTML file that opens without a network.
include { filesOf } from '../flags'
include { words   } from '../flags'

process TG_REPORT {
    tag "${named.count { one -> one.kind == 'annotation' }} annotations"
    label 'process_single'
    label 'image_thin'

    input:
    tuple val(named), path(files, stageAs: '?/*', arity: '1..*') // [ kind: flag of tg-report, id: sample or null ] and files, same order
    val flags                                                    // [ --flag: value ]

    output:
    path "report.html"       , emit: html                    // report.html
    path "multiqc/*_mqc.json", emit: multiqc, optional: true // multiqc/*_mqc.json
    path "versions.yml"      , emit: versions                // versions.yml

    script:
    def args  = task.ext.args ?: ''
    def given = filesOf(named, files)
    """
    tg-report \\
        ${given.join(' \\\n        ')} \\
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
