// Shards of all genomes to one model directory, one task a fold; or those of one genome to a model that adapts to it.
include { words } from '../flags'

process TG_TRAIN {
    tag "${meta.id}"
    label 'process_high'
    label 'process_long'
    label 'process_gpu'
    label 'image_torch'

    input:
    tuple val(meta), path(shards, stageAs: 'shards/?/*'), path(shown) // meta: [ id, fold ], fold null where there are no folds; shown: evidence, or an empty list
    path preset                                                       // YAML: an image may hold others
    path init, stageAs: 'init'                                        // model directory to start from, or an empty list
    val flags                                                         // [ --flag: value ]

    output:
    tuple val(meta), path("${prefix}"), emit: model                   // [ meta, model directory ]
    path "${prefix}/metrics.jsonl"    , emit: metrics, optional: true // metrics.jsonl
    path "versions.yml"               , emit: versions                // versions.yml

    script:
    def args = task.ext.args ?: ''
    def fold = meta.fold == null ? '' : "--folds ${meta.folds} --fold ${meta.fold}"
    def from = init ? '--init init' : ''
    def reads = shown ? "--evidence ${shown}" : ''
    def launcher  = task.ext.launcher ?: '' // torchrun, alone or below srun; see conf/modules.config
    def processes = task.ext.processes ?: 1
    prefix   = task.ext.prefix ?: "${meta.id}"
    """
    ${launcher} \\
    tg-train shards/*/*.parquet \\
        --preset ${preset} \\
        --outdir ${prefix} \\
        --threads ${Math.max(1, task.cpus.intdiv(processes))} \\
        ${fold} ${from} ${reads} ${words(flags)} ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-train --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    mkdir -p ${prefix}
    touch ${prefix}/config.json ${prefix}/model.safetensors
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
