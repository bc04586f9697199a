// Shards of all genomes to the same shards with splits that no gene family crosses, in any genome.
include { words } from '../flags'

process TG_SPLIT {
    tag "${meta.id}"
    label 'process_medium'
    label 'image_thin'

    input:
    tuple val(meta), path(shards, stageAs: 'shards/?/*') // meta: [ id, samples ]
    val flags                                            // [ --flag: value ]

    output:
    path "${prefix}/*/genes-*.parquet", emit: shards   // [ <sample>/genes-00000.parquet, ... ]
    path "versions.yml"               , emit: versions // versions.yml

    script:
    def args = task.ext.args ?: ''
    prefix   = task.ext.prefix ?: "split"
    """
    tg-prep split shards/*/*.parquet \\
        --outdir ${prefix} \\
        ${words(flags)} ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-prep --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "split"
    """
    for sample in ${meta.samples.join(' ')}; do mkdir -p ${prefix}/\$sample; touch ${prefix}/\$sample/genes-00000.parquet; done
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
