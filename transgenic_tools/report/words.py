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

EVENT_WORDS: Mapping[str, str] = {
    "SE": "Skipped exon (SE)",
    "A5SS": "Alternative donor (A5SS)",
    "A3SS": "Alternative acceptor (A3SS)",
    "RI": "Retained intron (RI)",
}

CLASS_WORDS: Mapping[str, str] = {
    "equal": "equal to a known structure",
    "contained": "part of a known structure",
    "extended": "holds a known structure and more",
    "novel": "new at a known place",
}

TRAINING_WORDS: Mapping[str, tuple[str, str]] = {
    "loss": ("Loss", "what training lowers."),
    "content_perplexity": ("Perplexity", "how many kinds of base the model wavers between; 1 is certainty."),
    "perplexity": ("Perplexity", "how many choices the model wavers between; 1 is certainty."),
    "ap_start": ("Start codons", "average precision."),
    "ap_donor": ("Donor sites", "average precision."),
    "ap_acceptor": ("Acceptor sites", "average precision."),
    "ap_stop": ("Stop codons", "average precision."),
    "bases_per_second": ("Speed", "bases a second."),
}
