// Stored encodings of one shard, for encoders that are too dear to run again with every decoding.
include { smallerBatch } from '../flags'
include { words } from '../flags'

process TG_ENCODE {
    tag "${meta.id}:${shard.baseName}"
    label 'process_medium'
    label 'process_gpu'
    label 'image_torch'

    input:
    tuple val(meta), path(shard), path(model, stageAs: 'model')
    val flags // [ --flag: value ]

    output:
    tuple val(meta), path("${prefix}/encodings-*.parquet"), emit: encodings // [ meta, encodings-00000.parquet ]
    path "versions.yml"                                   , emit: versions  // versions.yml

    script:
    def args = task.ext.args ?: ''
    prefix   = task.ext.prefix ?: "${meta.id}"
    """
    tg-encode ${shard} \\
        --model model \\
        --outdir ${prefix} \\
        --threads ${task.cpus} \\
        ${words(smallerBatch(flags, task.attempt))} ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-encode --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    mkdir -p ${prefix}
    touch ${prefix}/${shard.baseName.replaceFirst('genes', 'encodings')}.parquet
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
