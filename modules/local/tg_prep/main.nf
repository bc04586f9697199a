// One genome to gene shards. Keep this module about cutting: nothing is decided here that a model could see.
include { words } from '../flags'

process TG_PREP {
    tag "${meta.id}"
    label 'process_medium'
    label 'image_thin'

    input:
    tuple val(meta), path(fasta), path(annotation), path(regions) // annotation or regions, the other one an empty list
    path aliases                                                  // table of --aliases, or an empty list
    val flags                                                     // [ --flag: value ]

    output:
    tuple val(meta), path("${prefix}/genes-*.parquet"), emit: shards   // [ meta, [ genes-00000.parquet, ... ] ]
    tuple val(meta), path("${prefix}/rejects.tsv")    , emit: rejects  // [ meta, rejects.tsv ]
    tuple val(meta), path("${prefix}/prep.json")      , emit: summary  // [ meta, prep.json ]
    path "versions.yml"                               , emit: versions // versions.yml

    script:
    def args  = task.ext.args ?: ''
    def genes = regions ? "--regions ${regions}" : "--annotation ${annotation}"
    def names = aliases ? "--aliases ${aliases}" : ''
    prefix    = task.ext.prefix ?: "${meta.id}"
    """
    tg-prep genes \\
        --fasta ${fasta} \\
        ${genes} \\
        --sample ${meta.id} \\
        --outdir ${prefix} \\
        --threads ${task.cpus} \\
        ${names} ${words(flags)} ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-prep --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    mkdir -p ${prefix}
    for i in \$(seq 0 ${(task.ext.stub_shards ?: 3) - 1}); do touch ${prefix}/genes-\$(printf %05d \$i).parquet; done
    touch ${prefix}/rejects.tsv
    echo '{}' >| ${prefix}/prep.json
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
