"""Add predicted isoforms to the user's own GFF3 without touching one byte of it.

In: the user's GFF3 and predicted genes whose `source_gene` is an ID of it. Out: the same lines in the same order, with
the new transcripts' lines after the last line of their gene.
A surprise: a transcript that differs from a known one in its ends alone is known; the isoform is its CDS and introns.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Intervals
from transgenic_tools.io.files import open_text
from transgenic_tools.io.gff3 import read_annotation
from transgenic_tools.io.gff3.attributes import parse_gff3
from transgenic_tools.io.gff3.writer import create_text, transcript_lines
from transgenic_tools.io.rejects import Reject
from transgenic_tools.provenance import Provenance


@dataclass(frozen=True)
class Added:
    """Genes that got a new transcript, new transcripts, and predicted ones that were known."""

    genes: int
    transcripts: int
    known: int


def is_known(predicted: Transcript, known: Transcript) -> bool:
    """True where `known` has the same CDS and holds all introns of `predicted` in a row.

    The ends of the UTRs do not count: they say where transcription starts and stops, not how it is spliced.
    """
    return predicted.cds == known.cds and _is_run(predicted.introns, known.introns)


def _is_run(part: Intervals, whole: Intervals) -> bool:
    if not part:
        return True
    return any(whole[i : i + len(part)] == part for i in range(len(whole) - len(part) + 1))


def new_transcripts(predicted: Iterable[Transcript], known: Iterable[Transcript]) -> list[Transcript]:
    """The predicted transcripts that are in neither `known` nor an earlier predicted one."""
    seen, fresh = list(known), []
    for transcript in predicted:
        if not any(is_known(transcript, other) for other in seen):
            seen.append(transcript)
            fresh.append(transcript)
    return fresh


@dataclass(frozen=True)
class _Layout:
    """Where the genes of a GFF3 stand: IDs in use and each (seqid, root ID)'s last line, counted from 0."""

    ids: frozenset[str]
    last_line: Mapping[tuple[str, str], int]


def _layout(path: Path) -> _Layout:
    parents: dict[tuple[str, str], str] = {}
    last: dict[tuple[str, str], int] = {}
    names: set[str] = set()
    members: list[tuple[int, str, str]] = []
    with open_text(path) as handle:
        for number, raw in enumerate(handle):
            if raw.startswith((b"##FASTA", b">")):
                break
            columns = raw.decode("utf-8", "replace").rstrip("\r\n").split("\t")
            if raw.startswith(b"#") or len(columns) != 9:
                continue
            found = parse_gff3(columns[8])
            own, seqid = found.get("ID", ("",))[0], columns[0]
            names.add(own)
            for parent in found.get("Parent", ()):
                if own:
                    parents[seqid, own] = parent
                members.append((number, seqid, parent))
            if own and "Parent" not in found:
                members.append((number, seqid, own))
    for number, seqid, name in members:
        root, steps = name, 0
        while (seqid, root) in parents and steps < 20:
            root, steps = parents[seqid, root], steps + 1
        last[seqid, root] = max(number, last.get((seqid, root), -1))
    return _Layout(frozenset(names), last)


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


def _raw_id(gene: Gene, layout: _Layout) -> str | None:
    """The gene's ID as its file has it (the reader adds `@seqid` where one ID stands on two loci)."""
    for name in (gene.id, re.sub(r"@[^@]*$", "", gene.id)):
        if (gene.seqid, name) in layout.last_line:
            return name
    return None


def augment(
    user: Path,
    out: Path,
    predicted: Iterable[Gene],
    rejects: list[Reject],
    *,
    provenance: Provenance,
    together: ExitStack | None = None,
) -> Added:
    """Write `user` with the new isoforms to `out`.

    Args:
        predicted: Genes that carry `source_gene`.
        rejects: Filled with genes that cannot be placed into the user's annotation.
        together: As for `create_text`.

    Raises:
        BadInputError: the annotation is GTF, or unusable.
    """
    annotation = read_annotation(user)
    if annotation.dialect != "gff3":
        raise BadInputError(
            f"new isoforms can be added to GFF3 only, this is {annotation.dialect}",
            path=user,
            hint="convert it first, e.g. `gffread IN.gtf --keep-genes -o OUT.gff3`",
        )
    layout = _layout(user)
    genes = {(gene.seqid, gene.strand, gene.id): gene for gene in annotation.genes}
    names = _Names(layout.ids)
    lines_after: dict[int, list[str]] = defaultdict(list)
    n_genes = n_transcripts = n_known = 0
    for gene in predicted:
        source = gene.attributes.get("source_gene", (gene.id,))[0]
        target = genes.get((gene.seqid, gene.strand, source))
        raw_id = None if target is None else _raw_id(target, layout)
        if target is None or raw_id is None:
            rejects.append(Reject(source, "unknown_gene", f"{gene.seqid} {gene.strand}"))
            continue
        fresh = new_transcripts(gene.transcripts, target.transcripts)
        n_known += len(gene.transcripts) - len(fresh)
        inside = [t for t in fresh if target.interval.contains(t.interval)]
        rejects += [
            Reject(
                source,
                "outside_gene_line",
                f"{t.interval.start + 1}-{t.interval.end}, the gene line has "
                f"{target.interval.start + 1}-{target.interval.end}",
                "transcript_rejected",
            )
            for t in fresh
            if not target.interval.contains(t.interval)
        ]
        for transcript in inside:
            named = replace(transcript, id=names.take(raw_id))
            lines_after[layout.last_line[gene.seqid, raw_id]] += transcript_lines(named, gene_id=raw_id)
        n_genes, n_transcripts = n_genes + bool(inside), n_transcripts + len(inside)
    _merge(user, out, lines_after, provenance, together)
    return Added(n_genes, n_transcripts, n_known)


def _merge(
    user: Path,
    out: Path,
    lines_after: Mapping[int, list[str]],
    provenance: Provenance,
    together: ExitStack | None,
) -> None:
    with open_text(user) as handle, create_text(out, together=together) as target:
        target.flush()
        binary = target.buffer  # type: ignore[attr-defined]
        end = b"\n"
        for number, raw in enumerate(handle):
            if number == 0:
                end = b"\r\n" if raw.endswith(b"\r\n") else b"\n"
            binary.write(raw)
            new = lines_after.get(number, [])
            if new and not raw.endswith(b"\n"):
                binary.write(end)
            binary.writelines(line.encode() + end for line in new)
            if number == 0:
                binary.write(f"# provenance {provenance.to_json()}".encode() + end)
