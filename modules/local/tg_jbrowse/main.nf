// A folder that JBrowse 2 and IGV open: all genomes of a run, compressed and indexed.
include { filesOf } from '../flags'

process TG_JBROWSE {
    tag "${named.count { one -> one.kind == 'annotation' }} annotations"
    label 'process_single'
    label 'image_thin'

    input:
    tuple val(named), path(files, stageAs: '?/*', arity: '1..*') // [ kind: flag of tg-report jbrowse, id: sample ] and files, same order

    output:
    path "jbrowse"     , emit: folder   // jbrowse/ with config.json
    path "versions.yml", emit: versions // versions.yml

    script:
    def args  = task.ext.args ?: ''
    def given = filesOf(named, files)
    """
    tg-report jbrowse \\
        ${given.join(' \\\n        ')} \\
        --out jbrowse ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-report --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    """
    mkdir -p jbrowse
    echo '{}' >| jbrowse/config.json
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
