#!/usr/bin/env nextflow
/*
 * transgenic_tools: from the DNA of a gene to all of its isoforms.
 *
 *   nextflow run . -profile slurm,singularity --input samplesheet.csv --outdir results
 *
 * In: a samplesheet (assets/schema_input.json). Out: the tree of docs/output.md. One workflow file per way of use.
 * A surprise: this is the only file that reads `params`; everything else is handed `settings`, typed by the schema.
 */
include { PIPELINE_COMPLETION } from './subworkflows/local/utils_transgenic_pipeline'
include { readGenomes         } from './subworkflows/local/utils_transgenic_pipeline'
include { readSettings        } from './subworkflows/local/utils_transgenic_pipeline'
include { EVALUATE            } from './workflows/evaluate'
include { PREDICT             } from './workflows/predict'
include { TRAIN               } from './workflows/train'

workflow {
    main:
    def settings = readSettings(params)
    ch_genomes = channel.fromList(readGenomes(settings)) // [ id, fasta, annotation, regions, reads, evidence, condition, sources ]
    ch_folds   = channel.empty()

    if (settings.mode == 'train') {
        TRAIN(ch_genomes, settings)
        ch_evaluation = TRAIN.out.evaluation
        ch_folds      = TRAIN.out.folds
        ch_versions   = TRAIN.out.versions
    }
    else if (settings.mode == 'evaluate') {
        EVALUATE(ch_genomes, settings)
        ch_evaluation = EVALUATE.out.evaluation
        ch_versions   = EVALUATE.out.versions
    }
    else {
        PREDICT(ch_genomes, settings)
        ch_evaluation = PREDICT.out.evaluation
        ch_versions   = PREDICT.out.versions
    }

    PIPELINE_COMPLETION(settings, ch_evaluation, ch_folds, ch_versions)
}
