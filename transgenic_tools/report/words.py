"""Plain words for figures: the sentences that stand beside the numbers.

In: nothing. Out: tables from a figure's key to its name and sentence.
A surprise: the sentences speak of 100, since a reader can picture 86 of 100 exons better than a sensitivity of 0.86.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Level of the evaluation -> name, sentence with {sn} and {pr} of 100.
LEVEL_WORDS: Mapping[str, tuple[str, str]] = {
    "base": ("Base", "Of 100 known bases, {sn} are covered; of 100 written ones, {pr} are right."),
    "exon": ("Exon", "Of 100 known exons, {sn} are written with both ends exact; of 100 written ones, {pr} are right."),
    "intron": ("Intron", "Of 100 known introns, {sn} are cut out exactly; of 100 cut out, {pr} are right."),
    "intron_chain": (
        "Intron chain",
        "Of 100 known chains of introns, {sn} are right from first to last; of 100 written ones, {pr} are right.",
    ),
    "transcript": (
        "Transcript",
        "Of 100 known structures, {sn} are written without one wrong base; of 100 written ones, {pr} are right.",
    ),
    "locus": ("Locus", "Of 100 known genes, {sn} have a structure written exactly; of 100 written genes, {pr} do."),
}

SHARE_WORDS: Mapping[str, tuple[str, str]] = {
    "gene_exact": ("Genes with an exact CDS", "In {n} of 100 genes a predicted CDS equals a known one to the base."),
    "gene_exact_primary": (
        "Longest isoform exact",
        "In {n} of 100 genes the isoform with the longest CDS is among the predicted ones.",
    ),
    "isoform_recall_multi": (
        "Isoforms found in multi-isoform genes",
        "Where a gene has several coding isoforms, {n} of 100 of them are found.",
    ),
}

_EVENT = (
    "{reference} known, {reference_matched} of them written; {prediction} written, {prediction_matched} of them known: "
)

#: Splice event -> name, sentence with the four counts.
EVENT_WORDS: Mapping[str, tuple[str, str]] = {
    "SE": ("Skipped exon (SE)", _EVENT + "an exon that one isoform has and another leaves out."),
    "A5SS": ("Alternative donor (A5SS)", _EVENT + "two ends of an exon before one intron's end."),
    "A3SS": ("Alternative acceptor (A3SS)", _EVENT + "two starts of an exon after one intron's start."),
    "RI": ("Retained intron (RI)", _EVENT + "an intron of one isoform inside an exon of another."),
}

#: Class of a predicted structure -> what it is, in words.
CLASS_WORDS: Mapping[str, str] = {
    "equal": "equal to a known structure",
    "contained": "part of a known structure, without a difference inside",
    "extended": "a known structure and more at its ends",
    "alternative_5ss": "another donor (5' splice site)",
    "alternative_3ss": "another acceptor (3' splice site)",
    "exon_skipping": "an exon left out",
    "exon_inclusion": "an exon more",
    "intron_retention": "an intron kept in",
    "intron_gain": "an intron more",
    "several": "more than one difference",
    "fused": "two known genes in one",
    "split": "one known gene in two",
    "novel": "no base shared with a known structure",
}

#: Stratum -> heading, what its bins are.
STRATA_WORDS: Mapping[str, tuple[str, str]] = {
    "exons": ("Exons", "Genes by the number of coding exons of their longest CDS: more exons, more to get right."),
    "gene_length": ("Gene length", "Genes by their length in bases."),
    "isoforms": (
        "Isoforms",
        "Genes by their number of known coding structures; one that is written exactly is enough.",
    ),
    "homolog_in_train": (
        "Homolog in training",
        "Genes with and without a relative among the training genes: the second shows what is not memory.",
    ),
}

#: Figure of the long-read comparison -> name, sentence.
READS_WORDS: Mapping[str, tuple[str, str]] = {
    "reads": ("Reads", "read from the file."),
    "aligned": ("Aligned", "reads with one clear place in the genome."),
    "fully_supported": (
        "Fully supported",
        "share of judged isoforms all of whose introns one read shows, and no other.",
    ),
    "chains": ("Intron chains", "distinct chains of introns that enough reads show."),
    "missing_chains": ("Missing chains", "of these, chains that no predicted isoform has."),
    "chains_found": ("Chains found", "share of the chains that a predicted isoform has."),
}

#: Reasons of tg-backmap and tg-scan; those of tg-prep are `genome.checks.RULES`.
REASON_WORDS: Mapping[str, str] = {
    "no_prediction": "the model wrote nothing for this gene, or nothing probable enough (--min-confidence)",
    "window_too_long": "the window was not read: too long for the memory, or for the limit asked for",
    "no_gene_here": "a region that you gave, in which the model of scans finds no gene",
    "bad_sentence": "the gene sentence does not follow the grammar",
    "wrong_strand": "the gene sentence names another strand than its locus",
    "other_strand": "a locus without a strand: the other strand is more probable",
    "outside_window": "a transcript reaches out of the window that the model read",
    "unknown_seqid": "the FASTA has no sequence of this name",
    "outside_contig": "the CDS of a transcript reaches beyond the contig's end",
    "score_count": "the number of scores is not the number of transcripts",
    "low_confidence": "the confidence is below the one asked for",
    "repeated_prediction": "the same gene stands twice in the predictions",
    "unknown_gene": "your annotation has no gene of this ID there",
    "no_parent_line": "your gene has no line, or its CDS name the gene itself: a new transcript has no place",
    "outside_gene_line": "an exon or the CDS of the new isoform lies out of your gene line",
    "no_room_for_utrs": "the new UTRs do not fit before the next gene of this strand",
    "known_isoform": "your annotation has this isoform",
    "marked_gene": "you marked this gene, nothing is added to it",
    "refused_intron": "an intron below 10 bases, which archives refuse",
    "refused_stop": "a stop codon inside of the CDS, which archives refuse",
    "open_start": "the CDS has no ATG, so its 5' end is marked partial",
    "open_stop": "the CDS has no stop codon, so its 3' end is marked partial",
    "open_inside": "a partial end where the sequence goes on",
    "low_score": "a locus of the scan that is less probable than the one asked for",
    "improbable": "a locus of the scan where a gene is less probable than none, by the lattice of valid transcripts",
    "few_coding_bases": "a locus of the scan with fewer coding bases than asked for",
    "cut_by_end": "a gene that the end of its sequence cuts, where complete ones alone were asked for",
}

#: Tools in the order in which they are run, with what each does.
STAGE_WORDS: tuple[tuple[str, str], ...] = (
    ("tg-prep", "windows around the genes"),
    ("tg-scan", "loci of a bare genome"),
    ("tg-generate", "isoforms of every window"),
    ("tg-backmap", "the annotation in genome coordinates"),
    ("tg-evaluate", "figures against the reference"),
)

#: What an added isoform differs in from the user's nearest one (`differs_in`), in words.
DIFFERENCE_WORDS: Mapping[str, str] = {
    "alternative_5ss": "another donor (5' splice site)",
    "alternative_3ss": "another acceptor (3' splice site)",
    "exon_skipping": "an exon left out",
    "exon_inclusion": "an exon more",
    "intron_retention": "an intron kept in",
    "intron_gain": "an intron more",
    "other_intron": "an intron that shares no end with a known one",
    "other_start": "another start codon",
    "other_stop": "another stop codon",
    "other_exons_beyond": "introns beyond the known isoform's ends",
    "five_prime_UTR": "a 5' UTR that the known isoform lacks",
    "three_prime_UTR": "a 3' UTR that the known isoform lacks",
}

TRAINING_WORDS: Mapping[str, tuple[str, str]] = {
    "loss": ("Loss", "what training lowers."),
    "content_perplexity": ("Perplexity", "how many kinds of base the model wavers between; 1 is certainty."),
    "perplexity": ("Perplexity", "how many choices the model wavers between; 1 is certainty."),
    "step_perplexity": ("Perplexity of the next site", "how many sites the decoder wavers between; 1 is certainty."),
    "content_loss": ("Loss, kind of base", "coding, intron, UTR or outside."),
    "site_loss": ("Loss, sites", "start and stop codons, donors, acceptors and ends."),
    "step_loss": ("Loss, next site", "of the decoder, which writes an isoform site by site."),
    "graph_step_loss": ("Loss, next site among valid ones", "as the decoder is used."),
    "more_loss": ("Loss, one more isoform", "whether another isoform follows."),
    "ap_start": ("Start codons", "average precision: 1 ranks all true sites before all others."),
    "ap_donor": ("Donor sites", "average precision: 1 ranks all true sites before all others."),
    "ap_acceptor": ("Acceptor sites", "average precision: 1 ranks all true sites before all others."),
    "ap_stop": ("Stop codons", "average precision: 1 ranks all true sites before all others."),
    "bases_per_second": ("Speed", "bases a second."),
    "steps_per_second": ("Speed of the decoder", "steps of transcripts a second."),
}
