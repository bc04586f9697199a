// Figures of every fold on the test genes, their mean and deviation: one table for all genomes.
process TG_FOLDS {
    tag "${evaluations instanceof List ? evaluations.size() : 1} evaluations"
    label 'process_single'
    label 'image_thin'

    input:
    path evaluations, stageAs: 'evaluation/*' // <sample>.fold_<k>.json
    path models                               // fold_<k>, model directories

    output:
    path "folds.tsv"   , emit: table    // sample, fold, figures; then mean and sd of every sample
    path "versions.yml", emit: versions // versions.yml

    script:
    def args = task.ext.args ?: ''
    """
    tg-report folds ${evaluations} \\
        ${[models].flatten().collect { model -> "--model ${model}" }.join(' ')} \\
        --out folds.tsv \\
        ${args}

    cat <<-END_VERSIONS >| versions.yml
    "${task.process}":
        transgenic_tools: \$(tg-report --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    """
    printf 'sample\\tfold\\tgene_exact\\n' >| folds.tsv
    for file in ${evaluations}; do
        name=\$(basename \$file .json)
        for row in \${name##*.} mean sd; do printf '%s\\t%s\\t0.0000\\n' \${name%.*} \$row; done
    done | sort -u >> folds.tsv
    printf '"%s":\\n    transgenic_tools: stub\\n' "${task.process}" >| versions.yml
    """
}
