// All prediction shards of one genome to one annotation. The gather: it sees gene sentences, never a model.
include { named } from '../flags'
include { words } from '../flags'

process TG_BACKMAP {
    tag "${meta.id}"
    label 'process_low'
    label 'image_thin'

    input:
    // into: the user's own GFF3; names: the annotation whose names are kept; rejects: of the preparation, or of the
    // shares of a scan; evidence: of TG_EVIDENCE. Or empty lists.
    tuple val(meta), path(predictions), path(fasta), path(into, stageAs: 'into/*'), path(names, stageAs: 'names/*'), path(rejects, stageAs: 'earlier/*'), path(evidence, stageAs: 'evidence/*')
    path skip // IDs of genes that get nothing, or an empty list
    val flags // [ --flag: value ]

    output:
    tuple val(meta), path("${prefix}.gff3")                                                       , emit: gff3                   // [ meta, sample.gff3 ]
    tuple val(meta), path("${prefix}.rejects.tsv")                                                , emit: rejects                // [ meta, sample.rejects.tsv ]
    tuple val(meta), path("${prefix}.{gtf,bed,pep.fa,cds.fa,cdna.fa,sites.bw,tbl,submission.tsv,junctions.tsv}"), emit: others, optional: true // [ meta, file or files ]
    path "versions.yml"                                                                           , emit: versions               // versions.yml

    script:
    def args    = task.ext.args ?: ''
    def augment = into ? "--into ${into}" : ''
    def named_by = names ? "--names ${names}" : ''
    def earlier = [rejects].flatten().collect { table -> "--earlier-rejects ${table}" }.join(' ')
    def shown   = evidence ? "--evidence ${evidence}" : ''
    def ids     = into && skip ? "--skip-genes ${skip}" : ''
    prefix      = task.ext.prefix ?: "${meta.id}"
    """
    tg-backmap ${predictions} \\
        --fasta ${fasta} \\
        --out ${prefix}.gff3 \\
        --rejects ${prefix}.rejects.tsv \\
        ${augment} ${named_by} ${earlier} ${shown} ${ids} ${words(named(flags, prefix))} ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-backmap --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    echo '##gff-version 3' >| ${prefix}.gff3
    printf 'gene\\treason\\tdetail\\taction\\n' >| ${prefix}.rejects.tsv
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
