// One shard to one prediction shard: the only step that wants a GPU, so the only one that is cut into many tasks.
include { smallerBatch } from '../flags'
include { quoted } from '../flags'
include { words } from '../flags'

/** Another condition is compared with; the one that is compared with has nothing to be held against. */
def isHeldAgainst(meta, flags) {
    return meta.condition && flags['--against'] && meta.condition != flags['--against']
}

process TG_GENERATE {
    tag "${meta.id}:${shard.baseName}"
    label 'process_medium'
    label 'process_gpu'
    label 'image_torch'

    input:
    // encodings: of TG_ENCODE; evidence: of TG_EVIDENCE. Or empty lists.
    tuple val(meta), path(shard), path(model, stageAs: 'model'), path(encodings, stageAs: 'encodings/*'), path(evidence, stageAs: 'evidence/*')
    path conditions, stageAs: 'conditions/*' // table of numbers by sample, or an empty list
    val flags                                // [ --flag: value ]

    output:
    tuple val(meta), path("predictions/predictions-*.parquet"), emit: predictions // [ meta, predictions-00000.parquet ]
    tuple val(meta), path("generate.json")                    , emit: summary     // [ meta, generate.json ]
    tuple val(meta), path("predictions/differences-*.tsv")    , emit: differences, optional: true // [ meta, differences-00000.tsv ], with --against
    path "versions.yml"                                       , emit: versions    // versions.yml

    script:
    def args   = task.ext.args ?: ''
    def stored = encodings ? '--encodings encodings' : ''
    def shown  = evidence ? "--evidence ${evidence}" : ''
    def table  = conditions ? "--conditions ${quoted(conditions)}" : ''
    def wanted = meta.condition ? "--condition ${quoted(meta.condition)} ${table}" : ''
    def given  = smallerBatch(isHeldAgainst(meta, flags) ? flags : flags + ['--against': null], task.attempt)
    """
    tg-generate ${shard} \\
        --model model \\
        --outdir predictions \\
        --threads ${task.cpus} \\
        --json \\
        ${stored} ${shown} ${wanted} ${words(given)} ${args} >| generate.json

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-generate --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    """
    mkdir -p predictions
    touch predictions/${shard.baseName.replaceFirst('genes', 'predictions')}.parquet
    ${isHeldAgainst(meta, flags) ? "touch predictions/${shard.baseName.replaceFirst('genes', 'differences')}.tsv" : ''}
    echo '{"device": "cpu"}' >| generate.json
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
