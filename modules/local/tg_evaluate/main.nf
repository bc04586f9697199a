// A predicted annotation against a reference one: figures as gffcompare defines them.
include { named } from '../flags'
include { words } from '../flags'

process TG_EVALUATE {
    tag "${meta.id}"
    label 'process_low'
    label 'image_thin'

    input:
    // reads: long reads; fasta: the genome, for reads and for GTF without stop_codon lines; shards: compare their genes
    // only. Or empty lists.
    tuple val(meta), path(prediction, stageAs: 'prediction/*'), path(reference, stageAs: 'reference/*'), path(reads), path(fasta), path(shards, stageAs: 'shards/*')
    val flags // [ --flag: value ]

    output:
    tuple val(meta), path("${prefix}.json")                   , emit: json                   // [ meta, sample.json ]
    tuple val(meta), path("${prefix}.tsv")                    , emit: tsv                    // [ meta, sample.tsv ]
    tuple val(meta), path("${prefix}.{genes,transcripts}.tsv"), emit: tables, optional: true // [ meta, tables ]
    path "versions.yml"                                       , emit: versions               // versions.yml

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
        ${support} ${genome} ${genes} ${words(named(flags, prefix))} ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-evaluate --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    echo '{"gene_exact": 0.0, "cds": {"exon": {"f1": 0.0}, "base": {"f1": 0.0}}}' >| ${prefix}.json
    touch ${prefix}.tsv
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
