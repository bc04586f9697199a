// Stored encodings of one shard, for encoders that are too dear to run again with every decoding.
process TG_ENCODE {
    tag "${meta.id}:${shard.baseName}"
    label 'process_medium'
    label 'process_gpu'
    conda "${projectDir}/containers/environment.yml"
    container "${params.torch_image}"

    input:
    tuple val(meta), path(shard), path(model, stageAs: 'model')

    output:
    tuple val(meta), path("encodings/encodings-*.parquet"), emit: encodings // [ meta, encodings-00000.parquet ]
    path "versions.yml"                                   , emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    tg-encode ${shard} \\
        --model model \\
        --outdir encodings \\
        ${args}

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-encode --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    """
    mkdir encodings
    touch encodings/${shard.baseName.replaceFirst('genes', 'encodings')}.parquet
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" > versions.yml
    """
}
