"""Add predicted isoforms to the user's own GFF3 without touching one byte of it.

In: the user's GFF3 and predicted genes whose `source_gene` is an ID of it. Out: the same lines in the same order, with
the new transcripts' lines after the last line of their gene.
A surprise: a transcript that differs from a known one in its ends alone is known; the isoform is its CDS and introns.
So ends that reach out of the gene line can be cut there, or the gene line grows where `Rules` say so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Intervals, clip, gaps, span
from transgenic_tools.genome.splicing import nearest, transcript_differences
from transgenic_tools.io.files import raw_lines, refuse_pipe
from transgenic_tools.io.gff3.layout import GeneLines, Layout, layout_of
from transgenic_tools.io.gff3.reader import annotation_of, read_mended
from transgenic_tools.io.gff3.writer import create_text, moved_line, place_text, sort_key, transcript_lines
from transgenic_tools.io.rejects import Reject
from transgenic_tools.provenance import Provenance


@dataclass(frozen=True)
class Added:
    """What became of the user's annotation.

    Attributes:
        genes, transcripts: Genes that got a new transcript, and new transcripts.
        known: Predicted transcripts that were known.
        annotation: All genes as they stand in the new file, in the order of `sort_key`.
    """

    genes: int
    transcripts: int
    known: int
    annotation: tuple[Gene, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What may be added.

    Attributes:
        min_confidence: New isoforms below it are left out.
        skip_genes: IDs of genes that get nothing. `skip_attributes`: `KEY` or `KEY=VALUE` of gene lines, likewise.
        extend_genes: Gene lines grow with their new isoforms.
    """

    min_confidence: float = 0.0
    skip_genes: frozenset[str] = frozenset()
    skip_attributes: tuple[str, ...] = ()
    extend_genes: bool = False

    def mark_of(self, gene: Gene) -> str | None:
        """Why the gene gets nothing; None where it may."""
        if gene.id in self.skip_genes:
            return "in the list of --skip-genes"
        for wanted in self.skip_attributes:
            key, equals, value = wanted.partition("=")
            if key in gene.attributes and (not equals or value in gene.attributes[key]):
                return wanted
        return None


def is_known(predicted: Transcript, known: Transcript) -> bool:
    """True where `known` has the same CDS and holds all introns of `predicted` in a row.

    The ends of the UTRs do not count: they say where transcription starts and stops, not how it is spliced.
    """
    return predicted.cds == known.cds and _is_run(predicted.introns, known.introns)


def _is_run(part: Intervals, whole: Intervals) -> bool:
    if not part:
        return True
    return any(whole[i : i + len(part)] == part for i in range(len(whole) - len(part) + 1))


def known_as(predicted: Transcript, known: Iterable[Transcript]) -> Transcript | None:
    """The first known transcript that is the same isoform."""
    return next((other for other in known if is_known(predicted, other)), None)


def trimmed(transcript: Transcript, bounds: Interval) -> Transcript | None:
    """The transcript with its UTR ends cut to `bounds`; None where its CDS or an intron does not fit into them."""
    exons = clip(transcript.exons, bounds)
    if not all(bounds.contains(part) for part in transcript.cds) or gaps(exons) != transcript.introns:
        return None
    return replace(transcript, exons=exons)


def _described(transcript: Transcript, known: Sequence[Transcript], cut: int) -> Transcript:
    """With confidence and what sets the isoform apart, for column 9."""
    more: dict[str, tuple[str, ...]] = {}
    if transcript.score is not None:
        more["confidence"] = (f"{transcript.score:.4f}",)
    other = nearest(transcript, known)
    if other is not None:
        more["differs_from"] = (other.id,)
        found = transcript_differences(transcript, other)
        more["differs_in"] = tuple(f"{d.kind}:{place_text(d.place)}" for d in found)
    if cut:
        more["utr_trimmed"] = (str(cut),)
    return replace(transcript, attributes={**transcript.attributes, **more})


class _Names:
    """New transcript IDs that the user's file does not use: `<gene>.tg1`, `.tg2`, ..."""

    def __init__(self, taken: frozenset[str]) -> None:
        self._taken = set(taken)

    def take(self, gene_id: str) -> str:
        number = 1
        while f"{gene_id}.tg{number}" in self._taken:
            number += 1
        self._taken.add(f"{gene_id}.tg{number}")
        return f"{gene_id}.tg{number}"


def _place_of(gene: Gene, layout: Layout) -> GeneLines | None:
    """Where the gene stands in its file (the reader adds `@seqid` to an ID that is taken by another seqid's gene)."""
    for name in (gene.id, re.sub(r"@[^@]*$", "", gene.id)):
        if (gene.seqid, name) in layout.genes:
            return layout.genes[gene.seqid, name]
    return None


def augment(
    user: Path,
    out: Path,
    predicted: Iterable[Gene],
    rejects: list[Reject],
    *,
    provenance: Provenance,
    rules: Rules = Rules(),
    together: ExitStack | None = None,
) -> Added:
    """Write `user` with the new isoforms to `out`.

    Args:
        predicted: Genes that carry `source_gene`.
        rejects: Filled with genes that cannot be placed into the user's annotation, and isoforms that are not added.
        together: As for `create_text`.

    Raises:
        BadInputError: the annotation is GTF, or unusable.
    """
    refuse_pipe(user)
    lines = read_mended(user)
    annotation = annotation_of(user, lines)
    if annotation.dialect != "gff3":
        raise BadInputError(
            f"new isoforms can be added to GFF3 only, this is {annotation.dialect}",
            path=user,
            hint="convert it first, e.g. `gffread IN.gtf --keep-genes -o OUT.gff3`",
        )
    layout = layout_of(user, lines)
    genes = {(gene.seqid, gene.strand, gene.id): gene for gene in annotation.genes}
    names = _Names(layout.ids)
    edits = _Edits()
    n_genes = n_transcripts = n_known = n_predicted = 0
    unknown: list[str] = []
    for gene in predicted:
        n_predicted += 1
        source = gene.attributes.get("source_gene", (gene.id,))[0]
        target = genes.get((gene.seqid, gene.strand, source))
        place = None if target is None else _place_of(target, layout)
        if target is None or place is None:
            unknown.append(source)
            rejects.append(Reject(source, "unknown_gene", f"{gene.seqid} {gene.strand}"))
            continue
        mark = rules.mark_of(target)
        if mark is not None:
            rejects.append(Reject(source, "marked_gene", mark, "filtered"))
            continue
        bounds = None if rules.extend_genes and len(place.own) == 1 else target.interval
        before = len(rejects)
        fresh = [
            replace(transcript, id=names.take(place.written_id))
            for transcript in _fresh(gene, target, bounds, rules, rejects)
        ]
        n_known += sum(reject.reason == "known_isoform" for reject in rejects[before:])
        for transcript in fresh:
            edits.after[place.last] += transcript_lines(transcript, gene_id=place.written_id)
        around = span([target.interval, *(t.interval for t in fresh)])
        if around != target.interval:
            edits.moved[place.own[0]] = around
        key = (target.seqid, target.strand, target.id)
        now = genes[key]
        genes[key] = replace(now, interval=span([now.interval, around]), transcripts=(*now.transcripts, *fresh))
        n_genes, n_transcripts = n_genes + bool(fresh), n_transcripts + len(fresh)
    if n_predicted and len(unknown) == n_predicted:
        raise BadInputError(
            f"none of the {n_predicted} predicted genes is in this annotation; the first is {unknown[0]!r}", path=user,
            hint="give the annotation that the gene shards were made from",
        )  # fmt: skip
    _merge(user, out, edits, provenance, together)
    return Added(n_genes, n_transcripts, n_known, tuple(sorted(genes.values(), key=sort_key)))


def _fresh(gene: Gene, target: Gene, bounds: Interval | None, rules: Rules, rejects: list[Reject]) -> list[Transcript]:
    """The isoforms to add, each described; the others become rejects."""
    seen, fresh = list(target.transcripts), []
    for transcript in gene.transcripts:
        score, reason, said = transcript.score, "", ""
        same = known_as(transcript, seen)
        fitting = transcript if bounds is None else trimmed(transcript, bounds)
        if same is not None:
            reason, said = "known_isoform", f"it is {same.id}"
        elif rules.min_confidence > 0 and (score or 0.0) < rules.min_confidence:
            reason = "low_confidence"
            said = f"{'unknown' if score is None else f'{score:.4f}'} is below {rules.min_confidence}"
        elif fitting is None:
            reason, said = "outside_gene_line", f"the gene line has {place_text(target.interval)}"
        else:
            seen.append(transcript)
            cut = len(transcript.interval) - len(fitting.interval)
            fresh.append(_described(fitting, target.transcripts, cut))
        if reason:
            detail = f"{place_text(transcript.interval)}: {said}"
            rejects.append(Reject(target.id, reason, detail, "transcript_rejected"))
    return fresh


@dataclass(frozen=True)
class _Edits:
    """By line of the user's file: lines that follow it, and the place that a gene line grows to."""

    after: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    moved: dict[int, Interval] = field(default_factory=dict)


def _merge(user: Path, out: Path, edits: _Edits, provenance: Provenance, together: ExitStack | None) -> None:
    with create_text(out, together=together) as target:
        target.flush()
        binary = target.buffer  # type: ignore[attr-defined]
        end = b"\n"
        for number, raw in enumerate(raw_lines(user)):
            if number == 0:
                end = raw[len(raw.rstrip(b"\r\n")) :] or b"\n"
            binary.write(moved_line(raw, edits.moved[number]) if number in edits.moved else raw)
            new = edits.after.get(number, [])
            if new and not raw.endswith((b"\n", b"\r")):
                binary.write(end)
            binary.writelines(line.encode() + end for line in new)
            if number == 0:
                binary.write(f"# provenance {provenance.to_json()}".encode() + end)
