"""Add predicted isoforms to the user's own GFF3 without touching one byte of it.

In: the user's GFF3 and predicted genes whose `source_gene` is an ID of it. Out: the same lines in the same order, with
the new transcripts' lines after the last line of their gene.
A surprise: a transcript that differs from a known one in its ends alone is known; the isoform is its CDS and introns.
So ends that reach out of the gene line can be cut there, or the gene line grows where `Rules` say so. UTRs of a
transcript that has none are no isoform either: `Rules` say whether they are added, and where.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from transgenic_tools.backmap.utrs import Longer, Rooms, in_place, split_off, without_utrs
from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, clip, gaps, span
from transgenic_tools.genome.splicing import is_known, nearest, transcript_differences, utr_differences
from transgenic_tools.io.files import raw_lines, refuse_pipe
from transgenic_tools.io.gff3.layout import GeneLines, Key, Layout, TranscriptLines, layout_of, transcripts_of
from transgenic_tools.io.gff3.reader import annotation_of, read_mended
from transgenic_tools.io.gff3.writer import create_text, moved_line, place_text, sort_key, transcript_lines
from transgenic_tools.io.rejects import Reject
from transgenic_tools.provenance import Provenance

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Added:
    """What became of the user's annotation.

    Attributes:
        genes, transcripts: Genes that got a new transcript, and new transcripts.
        known: Predicted transcripts that were known.
        extended: Known transcripts that got UTRs, in place or as new transcripts.
        annotation: All genes as they stand in the new file, in the order of `sort_key`.
    """

    genes: int
    transcripts: int
    known: int
    extended: int = 0
    annotation: tuple[Gene, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What may be added.

    Attributes:
        min_confidence: New isoforms below it are left out.
        skip_genes: IDs of genes that get nothing. `skip_attributes`: `KEY` or `KEY=VALUE` of gene lines, likewise.
        extend_genes: Gene lines grow with their new isoforms.
        add_utrs: Known transcripts without UTRs get those that are predicted, as new transcripts; their gene lines
            grow. `utrs_in_place`: in their own lines, where these are theirs alone.
    """

    min_confidence: float = 0.0
    skip_genes: frozenset[str] = frozenset()
    skip_attributes: tuple[str, ...] = ()
    extend_genes: bool = False
    add_utrs: bool = False
    utrs_in_place: bool = False

    def mark_of(self, gene: Gene) -> str | None:
        """Why the gene gets nothing; None where it may."""
        if gene.id in self.skip_genes:
            return "in the list of --skip-genes"
        for wanted in self.skip_attributes:
            key, equals, value = wanted.partition("=")
            if key in gene.attributes and (not equals or value in gene.attributes[key]):
                return wanted
        return None


def known_as(predicted: Transcript, known: Iterable[Transcript]) -> Transcript | None:
    """The first known transcript that is the same isoform."""
    return next((other for other in known if is_known(predicted, other)), None)


def trimmed(transcript: Transcript, bounds: Interval) -> Transcript | None:
    """The transcript with its UTR ends cut to `bounds`; None where its CDS or an intron does not fit into them."""
    exons = clip(transcript.exons, bounds)
    if not all(bounds.contains(part) for part in transcript.cds) or gaps(exons) != transcript.introns:
        return None
    return replace(transcript, exons=exons)


def _described(transcript: Transcript, known: Sequence[Transcript], cut: int, *, extends: bool = False) -> Transcript:
    """With confidence and what sets the isoform apart, for column 9; `extends`: it is the known one with UTRs."""
    more: dict[str, tuple[str, ...]] = {}
    if transcript.score is not None:
        more["confidence"] = (f"{transcript.score:.4f}",)
    other = nearest(transcript, [one for one in known if one.cds] or known)
    if other is not None:
        more["differs_from"] = (other.id,)
        found = transcript_differences(transcript, other)
        if extends:
            found = tuple(sorted((*found, *utr_differences(transcript, other))))
        more["differs_in"] = tuple(f"{d.kind}:{place_text(d.place)}" for d in found)
        more |= {"extends": (other.id,)} if extends else {}
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
    _warn_of_marks(user, annotation.genes, rules)
    layout = layout_of(user, lines)
    work = _Work(
        annotation.genes, layout, transcripts_of(lines) if rules.utrs_in_place else {}, rules, rejects,
        bare=_bare_genes(annotation.problems, layout),
    )  # fmt: skip
    n_predicted, unknown = 0, list[str]()
    for gene in predicted:
        n_predicted += 1
        source = gene.attributes.get("source_gene", (gene.id,))[0]
        if not work.add(gene, source):
            unknown.append(source)
            rejects.append(Reject(source, "unknown_gene", f"{gene.seqid} {gene.strand}"))
    if n_predicted and len(unknown) == n_predicted:
        raise BadInputError(
            f"none of the {n_predicted} predicted genes is in this annotation; the first is {unknown[0]!r}", path=user,
            hint="give the annotation that the gene shards were made from",
        )  # fmt: skip
    if n_predicted and len(unknown) + work.n_placeless == n_predicted:
        raise BadInputError(
            f"none of the {work.n_placeless} predicted genes has a line of its own with transcripts' lines below it",
            path=user, hint="new transcripts join these; keep such lines, e.g. with `gffread --keep-genes`",
        )  # fmt: skip
    _merge(user, out, work.edits, provenance, together)
    return Added(
        work.n_genes, work.n_transcripts, work.n_known, work.n_extended,
        annotation=tuple(sorted(work.genes.values(), key=sort_key)),
    )  # fmt: skip


def _bare_genes(problems: Iterable[Finding], layout: Layout) -> frozenset[str]:
    """Genes whose CDS or exons name the gene itself: beside a transcript that names its own they are read no more."""
    made = (finding for finding in problems if finding.code == "transcript_made")
    return frozenset(
        finding.gene
        for finding in made
        if finding.detail in layout.ids or re.fullmatch(rf"{re.escape(finding.gene)}\.t\d+", finding.detail)
    )


def _warn_of_marks(user: Path, genes: Sequence[Gene], rules: Rules) -> None:
    """A mark that no gene bears protects nothing: said, since a mistyped one looks like one that holds."""
    unknown = sorted(rules.skip_genes.difference(gene.id for gene in genes))
    if unknown:
        logger.warning(
            "%d of %d IDs of --skip-genes are no genes of %s, the first is %r; a gene's ID is that of its line",
            len(unknown), len(rules.skip_genes), user.name, unknown[0],
        )  # fmt: skip
    for wanted in rules.skip_attributes:
        alone = replace(rules, skip_genes=frozenset(), skip_attributes=(wanted,))
        if not any(alone.mark_of(gene) for gene in genes):
            logger.warning("no gene line of %s has the attribute %r of --skip-attribute", user.name, wanted)


@dataclass(frozen=True)
class _Edits:
    """By line of the user's file: lines that follow it, and the place that its feature moves to."""

    after: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    moved: dict[int, Interval] = field(default_factory=dict)


class _Work:
    """The user's genes while predicted ones are added to them, one after another.

    Attributes:
        genes: By seqid, strand and ID, as they stand in the new file.
        n_genes, n_transcripts, n_known, n_extended: As of `Added`.
        n_placeless: Genes beside whose lines none can stand.
    """

    def __init__(
        self,
        genes: Sequence[Gene],
        layout: Layout,
        places: Mapping[Key, TranscriptLines],
        rules: Rules,
        rejects: list[Reject],
        *,
        bare: frozenset[str],
    ) -> None:
        self.genes = {(gene.seqid, gene.strand, gene.id): gene for gene in genes}
        self.edits = _Edits()
        self.n_genes = self.n_transcripts = self.n_known = self.n_extended = self.n_placeless = 0
        self._layout, self._places, self._rules, self._rejects = layout, places, rules, rejects
        self._names, self._bare = _Names(layout.ids), bare
        self._rooms = Rooms(genes) if rules.add_utrs else None

    def add(self, gene: Gene, source: str) -> bool:
        """False where the user's annotation has no such gene."""
        key = (gene.seqid, gene.strand, source)
        target = self.genes.get(key)
        if target is None:
            return False
        place = None if source in self._bare else _place_of(target, self._layout)
        if place is None:
            self.n_placeless += 1
            self._rejects.append(Reject(source, "no_parent_line", f"{gene.seqid} {gene.strand}"))
            return True
        mark = self._rules.mark_of(target)
        if mark is not None:
            self._rejects.append(Reject(source, "marked_gene", mark, "filtered"))
            return True
        before = len(self._rejects)
        gene, longer = self._with_utrs(gene, target, place)
        bounds = None if self._rules.extend_genes and len(place.own) == 1 else target.interval
        added, changed = self._in_place(longer)
        known = [*target.transcripts, *(one.transcript for one in longer)]
        added += _fresh(gene, target.id, known, bounds, self._rules, self._rejects)
        named = [replace(transcript, id=self._names.take(place.written_id)) for transcript in added]
        for transcript in named:
            self.edits.after[place.last] += transcript_lines(transcript, gene_id=place.written_id)
        around = span([target.interval, *(t.interval for t in (*named, *changed.values()))])
        if around != target.interval:
            self.edits.moved[place.own[0]] = around
        now = tuple(changed.get(transcript.id, transcript) for transcript in target.transcripts)
        self.genes[key] = replace(target, interval=around, transcripts=(*now, *named))
        self.n_known += sum(reject.reason == "known_isoform" for reject in self._rejects[before:])
        self.n_genes, self.n_transcripts = self.n_genes + bool(named), self.n_transcripts + len(named)
        self.n_extended += len(longer)
        return True

    def _with_utrs(self, gene: Gene, target: Gene, place: GeneLines) -> tuple[Gene, list[Longer]]:
        """The predicted gene without what is only a known transcript with UTRs, and these as they fit."""
        if self._rooms is None:
            return gene, []
        found, others = split_off(gene.transcripts, target.transcripts)
        room, fitting = self._rooms.of(target) if len(place.own) == 1 else target.interval, list[Longer]()
        for one in found:
            short = trimmed(one.transcript, room)
            why = _too_unsure(one.transcript, self._rules)
            if short is None or short.exons == one.known.exons:
                why = ("no_room_for_utrs", f"of {one.known.id}: there is room in {place_text(room)}")
            if why is not None:
                detail = f"{place_text(one.transcript.interval)}: {why[1]}"
                self._rejects.append(Reject(target.id, why[0], detail, "transcript_rejected"))
            elif short is not None:
                fitting.append(replace(one, transcript=short))
        return replace(gene, transcripts=tuple(others)), fitting

    def _in_place(self, longer: Sequence[Longer]) -> tuple[list[Transcript], dict[str, Transcript]]:
        """Known transcripts with UTRs that become new ones, and those that take the place of the known, by ID."""
        new, changed = list[Transcript](), dict[str, Transcript]()
        for one in longer:
            edit = None
            if self._rules.utrs_in_place:
                edit = in_place(one, self._places.get((one.known.seqid, one.known.id)))
            if edit is None:
                new.append(_described(one.transcript, [one.known], 0, extends=True))
                continue
            self.edits.moved.update(edit.moved)
            self.edits.after[edit.after] += edit.new
            changed[one.known.id] = replace(one.known, exons=one.transcript.exons, exon_scores=())
        return new, changed


def _too_unsure(transcript: Transcript, rules: Rules) -> tuple[str, str] | None:
    """Reason and detail where the transcript is less probable than asked for."""
    score = transcript.score
    if rules.min_confidence <= 0 or (score or 0.0) >= rules.min_confidence:
        return None
    said = "unknown" if score is None else f"{score:.4f}"
    return "low_confidence", f"{said} is below {rules.min_confidence}"


def _fresh(
    gene: Gene, gene_id: str, known: Sequence[Transcript], bounds: Interval | None, rules: Rules, rejects: list[Reject]
) -> list[Transcript]:
    """The isoforms to add, each described; the others become rejects."""
    seen, fresh = list(known), []
    for transcript in gene.transcripts:
        reason, said = "", ""
        same = known_as(transcript, seen) or (None if rules.add_utrs else without_utrs(transcript, known))
        unsure = _too_unsure(transcript, rules)
        fitting = transcript if bounds is None else trimmed(transcript, bounds)
        if same is not None:
            reason, said = "known_isoform", f"it is {same.id}"
        elif unsure is not None:
            reason, said = unsure
        elif fitting is None:
            reason, said = "outside_gene_line", f"the gene line has {place_text(bounds or gene.interval)}"
        else:
            seen.append(transcript)
            cut = len(transcript.interval) - len(fitting.interval)
            fresh.append(_described(fitting, known, cut))
        if reason:
            detail = f"{place_text(transcript.interval)}: {said}"
            rejects.append(Reject(gene_id, reason, detail, "transcript_rejected"))
    return fresh


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
            binary.write(b"".join(line.encode() + end for line in new))
            if number == 0:
                binary.write(f"# provenance {provenance.to_json()}".encode() + end)
