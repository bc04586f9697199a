// A share of a bare genome to gene shards. Keep this module about where genes lie: what they are is told later.
include { words } from '../flags'

process TG_SCAN {
    tag "${meta.id}:${meta.part}"
    label 'process_medium'
    label 'image_torch'

    input:
    tuple val(meta), path(fasta), path(model, stageAs: 'model') // meta.part: '2/8', the second of eight shares
    val flags                                                   // [ --flag: value ]

    output:
    tuple val(meta), path("scan/genes-*.parquet"), emit: shards   // [ meta, [ genes-2of8-00000.parquet, ... ] ]
    tuple val(meta), path("${prefix}.rejects.tsv"), emit: rejects  // [ meta, sample.2of8.rejects.tsv ]
    tuple val(meta), path("${prefix}.loci.bed")   , emit: loci     // [ meta, sample.2of8.loci.bed ]
    tuple val(meta), path("${prefix}.scan.json")  , emit: summary  // [ meta, sample.2of8.scan.json ]
    tuple val(meta), path("${prefix}.*.bw")       , emit: tracks, optional: true // [ meta, [ sample.2of8.coding.plus.bw, ... ] ], with --tracks
    path "versions.yml"                           , emit: versions // versions.yml

    script:
    def args = task.ext.args ?: ''
    prefix   = task.ext.prefix ?: "${meta.id}.${meta.part.replace('/', 'of')}"
    """
    tg-scan loci ${fasta} \\
        --model model \\
        --sample ${meta.id} \\
        --part ${meta.part} \\
        --outdir scan \\
        --threads ${task.cpus} \\
        ${words(flags)} ${args}
    mv scan/rejects.tsv ${prefix}.rejects.tsv
    mv scan/loci.bed ${prefix}.loci.bed
    mv scan/scan.json ${prefix}.scan.json
    for track in scan/*.bw; do
        if [ -e "\$track" ]; then mv "\$track" "${prefix}.\$(basename "\$track")"; fi
    done

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-scan --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}.${meta.part.replace('/', 'of')}"
    """
    mkdir -p scan
    touch scan/genes-${meta.part.replace('/', 'of')}-00000.parquet ${prefix}.rejects.tsv
    echo '${meta.part}' >| ${prefix}.loci.bed
    echo '{}' >| ${prefix}.scan.json
    if ${flags['--tracks']}; then touch ${prefix}.coding.plus.bw ${prefix}.sites.minus.bw; fi
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
