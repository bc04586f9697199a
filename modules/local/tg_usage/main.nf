// What each condition uses of one genome's annotation: it counts, and changes nothing.

process TG_USAGE {
    tag "${meta.id}"
    label 'process_single'
    label 'image_thin'

    input:
    tuple val(meta), path(gff3), path(evidence)

    output:
    tuple val(meta), path("${prefix}.usage.tsv"), emit: usage    // [ meta, sample.usage.tsv ]
    tuple val(meta), path("${prefix}.psi.tsv")  , emit: introns  // [ meta, sample.psi.tsv ]
    path "versions.yml"                         , emit: versions // versions.yml

    script:
    def args = task.ext.args ?: ''
    prefix   = task.ext.prefix ?: "${meta.id}"
    """
    tg-evidence usage ${gff3} ${evidence} \\
        --out ${prefix}.usage.tsv \\
        --introns ${prefix}.psi.tsv \\
        ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-evidence --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.usage.tsv ${prefix}.psi.tsv
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
