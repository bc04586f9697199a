// All prediction shards of one genome to one annotation. The gather: it sees gene sentences, never a model.
process TG_BACKMAP {
    tag "${meta.id}"
    label 'process_low'
    conda "${projectDir}/containers/environment.yml"
    container "${params.thin_image}"

    input:
    tuple val(meta), path(predictions), path(fasta), path(into, stageAs: 'into/*') // into: the user's own GFF3, or an empty list

    output:
    tuple val(meta), path("${prefix}.gff3")                          , emit: gff3    // [ meta, sample.gff3 ]
    tuple val(meta), path("${prefix}.rejects.tsv")                   , emit: rejects // [ meta, sample.rejects.tsv ]
    tuple val(meta), path("${prefix}.{gtf,bed,pep.fa,cds.fa,cdna.fa}"), emit: others , optional: true
    path "versions.yml"                                              , emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args    = task.ext.args ?: ''
    def augment = into ? "--into ${into}" : ''
    prefix      = task.ext.prefix ?: "${meta.id}"
    """
    tg-backmap ${predictions} \\
        --fasta ${fasta} \\
        --out ${prefix}.gff3 \\
        --rejects ${prefix}.rejects.tsv \\
        ${augment} ${args}

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-backmap --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    echo '##gff-version 3' > ${prefix}.gff3
    touch ${prefix}.rejects.tsv
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" > versions.yml
    """
}
