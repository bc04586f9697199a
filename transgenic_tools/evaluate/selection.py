"""Which genes take part: coding transcripts, a region, the genes of a split.

In: annotations and the config. Out: the genes of both sides.
A surprise: under a restriction a prediction counts if it names a kept gene as its source, or, silent about its source,
overlaps a kept gene on either strand; so a prediction on the wrong strand of a kept gene still costs precision.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.evaluate.config import Config, Region
from transgenic_tools.evaluate.pairing import source_gene
from transgenic_tools.evaluate.sides import Side, reasons
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Intervals, merge
from transgenic_tools.io.files import text_lines
from transgenic_tools.io.lists import read_ids


def keep_transcripts(genes: Sequence[Gene], *, all_transcripts: bool) -> tuple[Gene, ...]:
    """Genes with their coding transcripts (or all), those left without any dropped."""
    out = []
    for gene in genes:
        kept = gene.transcripts if all_transcripts else gene.coding_transcripts
        if kept:
            out.append(gene if len(kept) == len(gene.transcripts) else replace(gene, transcripts=kept))
    return tuple(out)


def shard_gene_ids(paths: Sequence[Path], split: str | None) -> frozenset[str]:
    """IDs of the genes in the shards, of one split where given."""
    from transgenic_tools.io.shards import expand_shards, read_columns

    ids: set[str] = set()
    for path in expand_shards(paths):
        table = read_columns(path, ["gene_id", "split"])
        rows = zip(table["gene_id"].to_pylist(), table["split"].to_pylist(), strict=True)
        ids.update(gene for gene, of in rows if split is None or of == split)
    if not ids:
        raise BadInputError(f"the shards hold no gene of split {split!r}", path=paths[0])
    return frozenset(ids)


def read_homologs(path: Path) -> Mapping[str, bool]:
    """Gene ID -> has a homolog in the training split."""
    words = {"yes": True, "no": False}
    out: dict[str, bool] = {}
    header: list[str] | None = None
    for number, line in text_lines(path):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if header is None:
            header = fields
            if not {"gene_id", "has_homolog"} <= set(header):
                raise BadInputError(
                    f"the header {line[:80]!r} lacks gene_id or has_homolog", path=path, line=number,
                    hint="a TSV with the columns gene_id and has_homolog (yes or no)",
                )  # fmt: skip
            continue
        row = dict(zip(header, fields, strict=False))
        if row.get("has_homolog") not in words:
            raise BadInputError(
                f"has_homolog is {row.get('has_homolog')!r}", path=path, line=number, hint="write yes or no"
            )
        out[row["gene_id"]] = words[row["has_homolog"]]
    return out


def _filters(config: Config) -> str:
    """The files that say which genes count, for a message."""
    files = [*([config.gene_list] if config.gene_list else []), *config.shards]
    return f"; only genes of {', '.join(map(str, files))} count" if files else ""


def select_reference(side: Side, config: Config) -> tuple[Gene, ...]:
    """The reference genes that count. Raises BadInputError where none is left."""
    kept = keep_transcripts(side.genes, all_transcripts=config.all_transcripts)
    if not config.region.is_whole:
        kept = tuple(g for g in kept if config.region.holds(g.seqid, g.interval.start))
    for ids in _wanted(config):
        kept = tuple(g for g in kept if g.id in ids)
    if not kept:
        lost = reasons(side.left_out)
        raise BadInputError(
            f"no reference gene is left to compare with{f'; left out: {lost}' if lost else ''}{_filters(config)}",
            path=side.path,
            hint="the annotation needs CDS lines, and the gene IDs and seqids of the filter must be the annotation's",
        )  # fmt: skip
    return kept


def _wanted(config: Config) -> list[frozenset[str]]:
    wanted = []
    if config.shards:
        wanted.append(shard_gene_ids(config.shards, config.split))
    if config.gene_list is not None:
        wanted.append(read_ids(config.gene_list))
    return wanted


def is_restricted(config: Config) -> bool:
    return bool(config.shards) or config.gene_list is not None or not config.region.is_whole


class _Spans:
    """Loci of kept genes, merged, per seqid."""

    def __init__(self, genes: Sequence[Gene]) -> None:
        rows = defaultdict(list)
        for gene in genes:
            rows[gene.seqid].append(gene.interval)
        self._merged: dict[str, Intervals] = {seqid: merge(group) for seqid, group in rows.items()}
        self._starts = {seqid: [i.start for i in group] for seqid, group in self._merged.items()}

    def touch(self, transcript: Transcript) -> bool:
        group = self._merged.get(transcript.seqid, ())
        last = bisect_left(self._starts.get(transcript.seqid, []), transcript.interval.end)
        return last > 0 and group[last - 1].end > transcript.interval.start


def takes_all(genes: Sequence[Gene], config: Config) -> bool:
    """Whether predicted transcripts without a CDS count: when asked for, and where the file has no CDS at all."""
    return config.all_transcripts or not any(gene.coding_transcripts for gene in genes)


def select_prediction(genes: Sequence[Gene], reference: Sequence[Gene], config: Config) -> tuple[Gene, ...]:
    """The predictions that count against the kept reference genes."""
    kept = keep_transcripts(genes, all_transcripts=takes_all(genes, config))
    if not is_restricted(config):
        return kept
    ids, spans, region = {g.id for g in reference}, _Spans(reference), config.region
    only_region = not config.shards and config.gene_list is None
    out = []
    for gene in kept:
        chosen = tuple(t for t in gene.transcripts if _counts(gene, t, ids, spans, region if only_region else None))
        if chosen:
            out.append(replace(gene, transcripts=chosen))
    return tuple(out)


def _counts(gene: Gene, transcript: Transcript, ids: set[str], spans: _Spans, region: Region | None) -> bool:
    named = source_gene(gene, transcript)
    if named is not None:
        return named in ids
    if region is not None and region.holds(gene.seqid, transcript.interval.start):
        return True
    return spans.touch(transcript)
