"""The window of a gene: locus and flanks, fixed or jittered.

In: a gene, the window settings, the length of its sequence. Out: a `Window`.
A surprise: a jittered flank depends on (seed, gene ID, side) alone, so neither order nor shards nor workers change it.
"""

from __future__ import annotations

from transgenic_tools.genome.gene import Gene
from transgenic_tools.genome.hashing import uniform_hash
from transgenic_tools.genome.window import Window
from transgenic_tools.io.gff3.table import Entry
from transgenic_tools.prep.config import WindowConfig


def jittered_flank(low: int, high: int, *, seed: int, gene_id: str, side: str) -> int:
    """Bases of one flank, uniform in [low, high]."""
    return low + int(uniform_hash(seed, gene_id, side) * (high - low + 1))


def edges_of(gene: Gene | Entry, start: int, end: int, config: WindowConfig, *, contig_length: int) -> tuple[int, int]:
    """Start and end of the window of a gene from `start` to `end`, clipped to the sequence where asked for."""
    upstream, downstream = config.upstream, config.downstream
    if config.jitter is not None:
        low, high = config.jitter
        upstream = jittered_flank(low, high, seed=config.seed, gene_id=gene.id, side="upstream")
        downstream = jittered_flank(low, high, seed=config.seed, gene_id=gene.id, side="downstream")
    left, right = (upstream, downstream) if gene.strand == "+" else (downstream, upstream)
    if config.contig_end == "clip":
        return max(start - left, 0), min(end + right, contig_length)
    return start - left, end + right


def window_of(gene: Gene, config: WindowConfig, *, contig_length: int) -> Window:
    """The gene's window."""
    start, end = gene.interval.start, gene.interval.end
    return Window(gene.seqid, *edges_of(gene, start, end, config, contig_length=contig_length), gene.strand)
