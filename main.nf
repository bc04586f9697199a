#!/usr/bin/env nextflow
/*
 * transgenic_tools: from the DNA of a gene to all of its isoforms.
 *
 *   nextflow run . -profile slurm,singularity --input samplesheet.csv --outdir results
 *
 * In: a samplesheet (assets/schema_input.json). Out: the tree of docs/output.md. One workflow file per way of use.
 */
nextflow.enable.dsl = 2

include { PIPELINE_INITIALISATION } from './subworkflows/local/utils_transgenic_pipeline'
include { PIPELINE_COMPLETION     } from './subworkflows/local/utils_transgenic_pipeline'
include { PREDICT                 } from './workflows/predict'
include { TRAIN                   } from './workflows/train'
include { EVALUATE                } from './workflows/evaluate'

workflow {
    main:
    PIPELINE_INITIALISATION()
    ch_genomes = PIPELINE_INITIALISATION.out.genomes // [ meta, fasta, annotation, regions, reads ]

    if (params.mode == 'train') {
        TRAIN(ch_genomes, PIPELINE_INITIALISATION.out.preset, params.init ? file(params.init, type: 'dir') : [])
        ch_annotation  = TRAIN.out.annotation
        ch_evaluation  = TRAIN.out.evaluation
        ch_report      = TRAIN.out.report
        ch_versions    = TRAIN.out.versions
    }
    else if (params.mode == 'evaluate') {
        EVALUATE(ch_genomes, PIPELINE_INITIALISATION.out.predictions)
        ch_annotation  = channel.empty()
        ch_evaluation  = EVALUATE.out.evaluation
        ch_report      = EVALUATE.out.report
        ch_versions    = EVALUATE.out.versions
    }
    else {
        PREDICT(ch_genomes, file(params.model, type: 'dir', checkIfExists: true))
        ch_annotation  = PREDICT.out.annotation
        ch_evaluation  = PREDICT.out.evaluation
        ch_report      = PREDICT.out.report
        ch_versions    = PREDICT.out.versions
    }

    PIPELINE_COMPLETION(ch_annotation, ch_evaluation, ch_report, ch_versions)
}
