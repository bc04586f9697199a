// A predicted annotation against a reference one: figures as gffcompare defines them.
process TG_EVALUATE {
    tag "${meta.id}"
    label 'process_low'
    conda "${projectDir}/containers/environment.yml"
    container "${params.thin_image}"

    input:
    // reads: long reads; fasta: the genome, for reads and for GTF without stop_codon lines; shards: compare their genes
    // only. Or empty lists.
    tuple val(meta), path(prediction, stageAs: 'prediction/*'), path(reference, stageAs: 'reference/*'), path(reads), path(fasta), path(shards, stageAs: 'shards/*')

    output:
    tuple val(meta), path("${prefix}.json"), emit: json // [ meta, sample.json ]
    tuple val(meta), path("${prefix}.tsv") , emit: tsv  // [ meta, sample.tsv ]
    path "versions.yml"                    , emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args    = task.ext.args ?: ''
    def support = reads ? "--reads ${reads}" : '' // long reads, where the row has some
    def genome  = fasta ? "--fasta ${fasta}" : ''
    def genes   = shards ? '--shards shards' : ''
    prefix      = task.ext.prefix ?: "${meta.id}"
    """
    tg-evaluate \\
        --reference ${reference} \\
        --prediction ${prediction} \\
        --json ${prefix}.json \\
        --tsv ${prefix}.tsv \\
        ${support} ${genome} ${genes} ${args}

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-evaluate --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    echo '{"gene_exact": 0.0, "cds": {"exon": {"f1": 0.0}, "base": {"f1": 0.0}}}' > ${prefix}.json
    touch ${prefix}.tsv
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" > versions.yml
    """
}
