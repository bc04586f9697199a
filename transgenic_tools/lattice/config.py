"""Settings of the lattice: which sites are candidates, what biology allows, how much each score counts.

In: the parts `grammar` and `scoring` of a model's config.json. Out: two frozen records.
A surprise: both belong to the model, not to a run: the scoring weights were fitted with that grammar.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class GrammarConfig:
    """Candidate sites and the biology that decoding must respect.

    Attributes:
        candidates_per_kb: Most candidates of each splice-site type kept for every 1,000 bases.
        min_probability: Sites below it are no candidates, except the best few that keep a path open.
        min_intron: Shortest intron in bases.
        max_intron: Longest intron in bases.
        min_exon: Shortest internal exon in bases; 3 or more, so that an exon holds its own part of a split codon.
        max_utr_exon: Longest part of an exon in a UTR (the longest of A. thaliana chromosome 1 has 3,723 bases).
        noncanonical_probability: AT-AC introns and split start codons need sites at least this probable.
    """

    candidates_per_kb: float = 24.0
    min_probability: float = 0.002
    min_intron: int = 20
    max_intron: int = 100_000
    min_exon: int = 3
    max_utr_exon: int = 5_000
    noncanonical_probability: float = 0.05


@dataclass(frozen=True, kw_only=True)
class ScoringConfig:
    """Weights of the segment scores, fitted on validation genes; see `lattice/scoring.py`."""

    site_scale: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    site_bias: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    content_weight: float = 0.05
    no_five_prime_utr: float = -2.0
    no_three_prime_utr: float = -2.0
