// All evidence of one genome to one file. Keep this module about reading: what evidence is worth, the model says.
include { quoted } from '../flags'
include { words  } from '../flags'

/** Cells as one line of CSV. */
def lineOf(cells) {
    return cells.collect { cell -> cell ==~ /[^,"]*/ ? cell : "\"${cell.replace('"', '""')}\"" }.join(',')
}

/** The sheet of tg-evidence again, its files under the names that they have in the task; each line one word of a shell. */
def sheetOf(rows, paths) {
    def lines = [rows, paths].transpose().collect { row, path -> lineOf((row + [path: path.toString()]).values()) }
    return ([lineOf(rows.first().keySet())] + lines).collect { line -> quoted(line) }.join(' ')
}

process TG_EVIDENCE {
    tag "${meta.id}"
    label 'process_medium'
    label 'image_thin'

    input:
    tuple val(meta), path(fasta), val(rows), path(sources, stageAs: 'inputs/?/*', arity: '1..*') // rows: lines of the sheet by column, in the order of the files
    path aliases                                                                                // table of --aliases, or an empty list
    val flags                                                                                   // [ --flag: value ]

    output:
    tuple val(meta), path("${prefix}.evidence.parquet"), emit: evidence // [ meta, sample.evidence.parquet ]
    tuple val(meta), path("${prefix}.evidence.json")   , emit: summary  // [ meta, sample.evidence.json ]
    path "versions.yml"                                , emit: versions // versions.yml

    script:
    def args  = task.ext.args ?: ''
    def names = aliases ? "--aliases ${aliases}" : ''
    def sheet = sheetOf(rows, [sources].flatten())
    prefix    = task.ext.prefix ?: "${meta.id}"
    """
    printf '%s\\n' ${sheet} >| evidence.csv
    tg-evidence gather evidence.csv \\
        --fasta ${fasta} \\
        --out ${prefix}.evidence.parquet \\
        --threads ${task.cpus} \\
        --json \\
        ${names} ${words(flags)} ${args} >| ${prefix}.evidence.json

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-evidence --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.evidence.parquet
    echo '{}' >| ${prefix}.evidence.json
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
