/*
 * Genome -> shards -> predictions -> annotation -> evaluation (where a reference is given) -> report.
 * --mode augment is the same way: each gene's known transcripts are the prompt, and new ones join the user's own GFF3.
 * Keep this file about order: what a step does stands in its module, with which flags in conf/modules.config.
 */
include { TG_PREP     } from '../modules/local/tg_prep'
include { TG_EVALUATE } from '../modules/local/tg_evaluate'
include { ANNOTATE    } from '../subworkflows/local/annotate'
include { REPORT      } from '../subworkflows/local/report'

workflow PREDICT {
    take:
    genomes // [ meta, fasta, annotation, regions, reads ]
    model   // directory

    main:
    TG_PREP(genomes.map { meta, fasta, annotation, regions, _reads -> [meta, fasta, annotation, regions] })

    ANNOTATE(
        TG_PREP.out.shards,
        TG_PREP.out.rejects,
        genomes.map { meta, fasta, annotation, _regions, _reads -> [meta, fasta, params.mode == 'augment' ? annotation : []] },
        genomes.map { meta, _fasta, _annotation, _regions, _reads -> [meta, model] },
    )

    references = genomes
        .filter { _meta, _fasta, annotation, _regions, _reads -> annotation } // the reference
        .map { meta, fasta, annotation, _regions, reads -> [meta, annotation, reads, fasta, []] }
    TG_EVALUATE(ANNOTATE.out.gff3.join(references))

    REPORT(
        ANNOTATE.out.gff3,
        TG_EVALUATE.out.json,
        references.map { meta, annotation, _reads, _fasta, _shards -> [meta, annotation] },
        TG_PREP.out.summary,
        channel.empty(),
    )

    emit:
    annotation = ANNOTATE.out.gff3    // [ meta, gff3 ]
    evaluation = TG_EVALUATE.out.json // [ meta, json ]
    report     = REPORT.out.html      // html
    versions   = TG_PREP.out.versions.mix(ANNOTATE.out.versions, TG_EVALUATE.out.versions, REPORT.out.versions)
}
