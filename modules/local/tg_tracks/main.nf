// Tracks of a genome's shares as one file a strand and kind. Keep this module about joining: TG_SCAN writes what they say.

process TG_TRACKS {
    tag "${meta.id}"
    label 'process_single'
    label 'image_thin'

    input:
    tuple val(meta), path(shares) // bigWig of all shares, in the order of the genome

    output:
    tuple val(meta), path("${prefix}.{coding,sites}.{plus,minus}.bw"), emit: tracks   // [ meta, [ sample.coding.plus.bw, ... ] ]
    path "versions.yml"                                              , emit: versions // versions.yml

    script:
    def args = task.ext.args ?: ''
    prefix   = task.ext.prefix ?: "${meta.id}"
    """
    tg-scan join ${shares} \\
        --outdir . \\
        --prefix ${prefix} \\
        ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-scan --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    for strand in plus minus; do touch ${prefix}.coding.\$strand.bw ${prefix}.sites.\$strand.bw; done
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
