"""Columns into the domain model: parts to transcripts, transcripts to genes.

In: `Lines`. Out: genes and findings. Nothing is dropped without a finding.
A surprise: IDs are looked up per seqid, so the same ID on two seqids is two features; GFF3's Parent may come before
or after the parent's line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from transgenic_tools.genome.checks import Finding
from transgenic_tools.genome.gene import Gene, Transcript
from transgenic_tools.genome.interval import Interval, Strand, span
from transgenic_tools.genome.phase import next_phase
from transgenic_tools.io.gff3.attributes import LazyAttributes, gff3_id, gtf_first, parse_gtf
from transgenic_tools.io.gff3.careful import suspects
from transgenic_tools.io.gff3.groups import Group, Part, Structure, grouped
from transgenic_tools.io.gff3.lines import CDS, EXON, STOP, UTR, Lines
from transgenic_tools.io.gff3.nodes import NodeLine, is_gene_type, is_transcript_type

Key = tuple[str, str]

_BIOTYPE_KEYS = ("gene_biotype", "biotype", "gene_type", "locus_type")
_GENE_OF_TRANSCRIPT = ("geneID", "gene_id", "locus_tag")
#: Many genes may share a name: it holds together overlapping transcripts alone.
_NAME_OF_GENE = "gene_name"
#: Transcripts of one ID further apart than this are those of two loci, unless a gene line says otherwise.
FAR = 100_000


@dataclass
class _Node:
    seqid: str
    id: str
    type: str
    start: int
    end: int
    strand: str
    score: str
    attributes: Mapping[str, tuple[str, ...]]
    parents: tuple[str, ...]


@dataclass
class _Draft:
    """A gene while its transcripts are collected.

    Attributes:
        order: Place of its line, or above all lines where it is made.
        apart: Of a gene that was made: bases between two transcripts from which on they are two genes. None for one
            with a line.
    """

    order: int
    id: str
    seqid: str
    strand: str
    start: int
    end: int
    type: str
    attributes: Mapping[str, tuple[str, ...]]
    transcripts: list[Transcript] = field(default_factory=list)
    bare: list[_Node] = field(default_factory=list)
    score: str = "."
    apart: int | None = None


def _strand_of(parts: Iterable[Part]) -> tuple[Strand | None, str]:
    strands = {part.strand for part in parts}
    if strands == {1}:
        return "+", ""
    if strands == {-1}:
        return "-", ""
    return None, "no_strand" if strands <= {0} else "mixed_strands"


def _join(parts: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], bool, bool]:
    """Sorted parts with duplicates and touching ones joined; whether any were joined; whether any overlap."""
    joined: list[tuple[int, int]] = []
    changed = overlap = False
    for start, end in parts:
        if joined and start <= joined[-1][1]:
            changed = True
            overlap = overlap or (start < joined[-1][1] and (start, end) != joined[-1])
            if end > joined[-1][1]:
                joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined, changed, overlap


def _phases_wrong(cds: list[Part], strand: Strand) -> tuple[int, str | None]:
    """The first phase to keep, and the code of what is wrong with the column."""
    ordered = cds if strand == "+" else cds[::-1]
    first = max(ordered[0].phase, 0)
    expected, missing, wrong = first, False, False
    for part in ordered:
        if part.phase < 0:
            missing = True
        elif part.phase != expected:
            wrong = True
        expected = next_phase(expected, part.end - part.start)
    return first, "phase_recomputed" if wrong else "phase_missing" if missing else None


def assemble(parts: list[Part], report: Callable[[str, str], None]) -> Structure | None:
    """Exons and CDS from the part lines of one transcript, sorted by start.

    Args:
        parts: Sorted by start, then end.
        report: Called with (code, detail) for each finding.

    Returns:
        None where the transcript is rejected.
    """
    strand, code = _strand_of(parts)
    if strand is None:
        report(code, f"parts between {parts[0].start + 1} and {max(p.end for p in parts)}")
        return None
    by_kind: dict[int, list[tuple[int, int]]] = {EXON: [], CDS: [], UTR: [], STOP: []}
    for part in parts:
        by_kind[part.kind].append((part.start, part.end))
    exons, exons_joined, _ = _join(by_kind[EXON])
    cds, cds_joined, overlap = _join(by_kind[CDS])
    if overlap:
        report("overlapping_parts", f"CDS lines overlap near {cds[0][0] + 1}-{cds[-1][1]}")
        return None
    first_phase = 0
    if cds:
        first_phase, wrong = _phases_wrong([p for p in parts if p.kind == CDS], strand)
        if wrong and not cds_joined:
            report(wrong, f"{len(cds)} CDS lines")
    if exons_joined or cds_joined:
        report("exons_joined", f"{len(by_kind[EXON])} exon and {len(by_kind[CDS])} CDS lines")
    if cds and by_kind[STOP]:
        cds, _, _ = _join(sorted(cds + by_kind[STOP]))  # GTF's CDS ends before the stop codon
    if by_kind[UTR] or not _fits(exons, cds):
        exons = _with_everything(exons, cds, by_kind[UTR], report)
        if not _fits(exons, cds):
            report("cds_gap_in_exon", f"{len(cds)} CDS parts, {len(exons)} exons: exonic bases between CDS parts")
            return None
    whole, coding = (tuple(Interval(*part) for part in some) for some in (exons, cds))
    return Structure(strand, whole, coding, first_phase)


def _fits(exons: list[tuple[int, int]], cds: list[tuple[int, int]]) -> bool:
    """Whether each CDS part lies in an exon and all introns inside the CDS are introns of the transcript."""
    if not cds:
        return bool(exons)
    starts = {start: i for i, (start, _) in enumerate(exons)}
    at = next((i for i, (start, end) in enumerate(exons) if start <= cds[0][0] < end), None)
    if at is None:
        return False
    for number, (start, end) in enumerate(cds):
        if number and starts.get(start) != at:
            return False
        last = number == len(cds) - 1
        if at >= len(exons) or end > exons[at][1] or (not last and end != exons[at][1]):
            return False
        at += 1
    return True


def _with_everything(
    exons: list[tuple[int, int]],
    cds: list[tuple[int, int]],
    utr: list[tuple[int, int]],
    report: Callable[[str, str], None],
) -> list[tuple[int, int]]:
    """Exons that hold all CDS and UTR bases."""
    union, _, _ = _join(sorted(exons + cds + utr))
    if not exons:
        report("exons_made", f"from {len(cds)} CDS and {len(utr)} UTR lines")
    elif union != exons:
        report("exon_extended", f"exons now span {union[0][0] + 1}-{union[-1][1]}")
    return union


def _fits_into(transcript: Transcript, coding: Sequence[Part]) -> bool:
    """Whether CDS lines lie in the exons of a transcript, and in its reading order."""
    exons = [(exon.start, exon.end) for exon in transcript.exons]
    strand = {1: "+", -1: "-"}.get(coding[0].strand)
    return strand == transcript.strand and _fits(exons, _join(sorted((p.start, p.end) for p in coding))[0])


def _clusters(transcripts: Sequence[Transcript], apart: int) -> list[list[Transcript]]:
    """Transcripts of one strand no further from each other than `apart`; clusters and members in the given order."""
    cluster: dict[int, int] = {}
    for strand in "+-":
        ordered = sorted((t.interval.start, t.interval.end, i) for i, t in enumerate(transcripts) if t.strand == strand)
        reach, first = 0, -1
        for start, end, i in ordered:
            if first < 0 or start - reach > apart or (apart == 0 and start >= reach):
                reach, first = 0, i
            cluster[i], reach = first, max(reach, end)
    found: dict[int, list[Transcript]] = {}
    for i, transcript in enumerate(transcripts):
        found.setdefault(cluster[i], []).append(transcript)
    return list(found.values())


class Builder:
    """Collects genes from `Lines`; `drafted` or `build` is called once.

    Args:
        nodes: Places of the node lines to look at; all by default. Those left out must have nothing to do with them.
        part_groups: Groups of part lines, in the order of appearance; all by default.
        taken: Keys of nodes that were left out.
    """

    def __init__(
        self,
        lines: Lines,
        *,
        nodes: Sequence[int] | None = None,
        part_groups: Iterable[Group] | None = None,
        taken: Mapping[Key, int] | None = None,
    ) -> None:
        self.lines = lines
        self.gff3 = lines.dialect == "gff3"
        self.findings: list[Finding] = []
        self.places = range(len(lines.nodes)) if nodes is None else nodes
        self.part_groups = part_groups
        self.taken: Mapping[Key, int] = taken or {}
        self.nodes: dict[Key, _Node] = {}
        #: GTF has a name space for genes and one for transcripts, GFF3 one for both.
        self.gene_nodes: dict[Key, _Node] = self.nodes if self.gff3 else {}
        self.drafts: dict[Key, _Draft] = {}
        self.suspects = suspects(lines.lost, gff3=self.gff3)

    # -- nodes -------------------------------------------------------------------------------------------------

    def _node(self, line: NodeLine) -> _Node | None:
        if not line.id:
            return None
        if self.gff3:
            attributes: Mapping[str, tuple[str, ...]] = LazyAttributes(line.text)
        else:
            attributes = {k: v for k, v in parse_gtf(line.text).items() if k not in ("gene_id", "transcript_id")}
        return _Node(
            line.seqid, line.id, line.type, line.start, line.end, line.strand, line.score, attributes, line.parents
        )

    def _read_nodes(self) -> None:
        for place in self.places:
            node = self._node(self.lines.nodes[place])
            if node is None:
                continue
            key = (node.seqid, node.id)
            gene = is_gene_type(node.type)
            first = (self.gene_nodes if gene else self.nodes).setdefault(key, node)
            if first is not node:
                self._same_id(first, node)
            elif gene:
                self.drafts[key] = _Draft(
                    place, node.id, node.seqid, node.strand, node.start, node.end, node.type, node.attributes,
                    score=node.score,
                )  # fmt: skip

    def _same_id(self, first: _Node, again: _Node) -> None:
        if is_gene_type(first.type):
            if again.strand == first.strand:
                self.findings.append(Finding("multi_part_gene", first.id, f"also at {again.start + 1}-{again.end}"))
                draft = self.drafts[first.seqid, first.id]
                if max(again.start - draft.end, draft.start - again.end) <= FAR:
                    draft.start, draft.end = min(draft.start, again.start), max(draft.end, again.end)
            else:
                self.findings.append(
                    Finding("mixed_strands", first.id, f"a gene line on the other strand at {again.start + 1}")
                )
        first.parents = tuple(dict.fromkeys((*first.parents, *again.parents)))

    # -- parts -------------------------------------------------------------------------------------------------

    def _transcripts(self) -> None:
        seen: set[Key] = set()
        below_gene: list[Group] = []
        part_groups = self.part_groups
        if part_groups is None:
            all_groups = grouped(self.lines)
            part_groups = all_groups.each() if all_groups else ()
        for group in part_groups:
            if group.key in self.lines.protein_ids:
                continue
            seen.add(group.key)
            node = self.nodes.get(group.key)
            if node is not None and is_gene_type(node.type):
                below_gene.append(group)
            else:
                self._one(node, group)
        for key, node in self.nodes.items():
            if key not in seen and is_transcript_type(node.type):
                self._bare(node)
        for group in below_gene:
            self._parts_of_gene(self.drafts[group.key], group)

    def _bare(self, node: _Node) -> None:
        """A transcript line without parts. Without a gene, one that is no messenger is no part of a gene model."""
        if node.type in ("mRNA", "transcript") or self._known_genes(node):
            for draft in self._genes_of(node):
                draft.bare.append(node)

    def _parts_of_gene(self, draft: _Draft, whole: Group) -> None:
        """CDS or exon lines that name the gene itself (NCBI organelles, CDS without mRNA)."""
        parts = whole.parts()
        if self._is_lost(whole.key, draft):
            return
        if draft.transcripts:
            self._join_cds(draft, [part for part in parts if part.kind in (CDS, STOP)], len(parts))
            return
        proteins = [parts]
        if _join([(p.start, p.end) for p in parts if p.kind == CDS])[2]:  # several proteins, told apart by CDS ID
            by_id: dict[str, list[Part]] = {}
            for part, text in zip(parts, whole.texts(), strict=True):
                if part.kind == CDS:
                    by_id.setdefault(gff3_id(text), []).append(part)
            proteins = list(by_id.values())
        names = [f"{draft.id}.t{i}" for i in range(1, len(proteins) + 1)]
        attributes: Mapping[str, tuple[str, ...]] = {}
        if len(proteins) == 1 and draft.bare:
            low, high = parts[0].start, max(part.end for part in parts)
            around = [node for node in draft.bare if node.start <= low and high <= node.end]
            holders = draft.bare if len(draft.bare) == 1 else around
            if len(holders) != 1:
                self._homeless(draft, len(parts), len(holders))
                return
            (bare,) = holders
            draft.bare.remove(bare)
            names, attributes = [bare.id], bare.attributes
        for name, some in zip(names, proteins, strict=True):
            node = _Node(draft.seqid, name, "mRNA", draft.start, draft.end, draft.strand, ".", attributes, (draft.id,))
            built = self._build(node, self._assembled(node, some, draft), draft)
            if built is not None:
                self.findings.append(Finding("transcript_made", draft.id, built.id))
                draft.transcripts.append(built)

    def _homeless(self, draft: _Draft, parts: int, holders: int) -> None:
        detail = f"{parts} lines; {holders or 'none'} of its transcripts can hold them"
        self.findings.append(Finding("homeless_cds", draft.id, detail))

    def _join_cds(self, draft: _Draft, coding: list[Part], lines: int) -> None:
        """CDS lines of a gene whose exons name its transcripts: to the one non-coding transcript that can hold them."""
        held: list[tuple[int, Structure]] = []
        for i, transcript in enumerate(draft.transcripts):
            if coding and not transcript.cds and _fits_into(transcript, coding):
                exons = [Part(EXON, e.start, e.end, coding[0].strand, -1) for e in transcript.exons]
                whole = assemble(sorted([*exons, *coding], key=lambda p: (p.start, p.end)), lambda code, detail: None)
                held += [(i, whole)] if whole is not None else []
        if len(held) == 1:
            i, found = held[0]
            self.findings.append(Finding("parts_joined", draft.id, f"{len(coding)} lines to {draft.transcripts[i].id}"))
            draft.transcripts[i] = replace(
                draft.transcripts[i], cds=found.cds, first_phase=found.first_phase, type="mRNA"
            )
        elif not coding or any(transcript.cds for transcript in draft.transcripts):
            self.findings.append(Finding("gene_parts", draft.id, f"{lines} lines"))
        else:
            draft.transcripts.clear()
            self._homeless(draft, len(coding), len(held))

    def _is_lost(self, key: Key, draft: _Draft) -> bool:
        """Whether a line of a transcript could not be read; it is rejected then."""
        line = self.suspects.lost.get(key)
        if line is not None:
            self.findings.append(Finding("lost_line", draft.id, key[1], line))
        return line is not None

    def _one(self, node: _Node | None, group: Group) -> None:
        made = node is None
        if node is None:
            parts = group.parts()
            low, high = parts[0].start, max(part.end for part in parts)
            strand = {1: "+", -1: "-"}.get(parts[0].strand, ".")
            node = _Node(*group.key, "mRNA", low, high, strand, ".", {}, ())
        if not self.gff3 and not node.parents:  # AUGUSTUS: the transcript line does not name its gene, the parts do
            gene = next((gtf_first(text, "gene_id") for text in group.texts() if text), "")
            node.parents = (gene,) if gene else ()
        for draft in self._genes_of(node):
            if self._is_lost(group.key, draft):
                continue
            if made and self.gff3:
                self.findings.append(Finding("transcript_made", draft.id, node.id))
            built = self._build(node, group.structure or self._assembled(node, group.parts(), draft), draft)
            if built is not None:
                draft.transcripts.append(built)

    def _assembled(self, node: _Node, parts: list[Part], draft: _Draft) -> Structure | None:
        return assemble(
            parts, lambda code, detail: self.findings.append(Finding(code, draft.id, f"{node.id}: {detail}"))
        )

    def _build(self, node: _Node, found: Structure | None, draft: _Draft) -> Transcript | None:
        if found is None:
            return None
        if draft.strand not in "+-":
            draft.strand = found.strand
        if found.strand != draft.strand and draft.apart is None:
            self.findings.append(Finding("mixed_strands", draft.id, f"{node.id} lies on {found.strand}"))
            return None
        feature_type = "mRNA" if found.cds and node.type == "transcript" else node.type
        return Transcript(
            id=node.id,
            seqid=node.seqid,
            strand=found.strand,
            exons=found.exons,
            cds=found.cds,
            first_phase=found.first_phase,
            type=feature_type,
            score=_probability(node.score),
            attributes=node.attributes,
            exon_scores=found.exon_scores,
        )

    # -- genes -------------------------------------------------------------------------------------------------

    def _top(self, node: _Node, parent: str) -> str:
        """The gene that a parent leads to, or the last that is known of it."""
        for _ in range(8):  # transcripts may hang below transcripts (miRNA below primary_transcript)
            above = self.nodes.get((node.seqid, parent))
            if self._with_line(node.seqid, parent) or above is None or not above.parents:
                break
            parent = above.parents[0]
        return parent

    def _known_genes(self, node: _Node) -> list[_Draft]:
        tops = [self._top(node, parent) for parent in node.parents]
        return [draft for top in tops if (draft := self.drafts.get((node.seqid, top))) is not None]

    def _genes_of(self, node: _Node) -> list[_Draft]:
        """The genes of a transcript that the file has; made where it has none of them."""
        tops = [self._top(node, parent) for parent in node.parents or ("",)]
        genes = [self._with_line(node.seqid, top) for top in tops]
        known = [gene for gene in genes if gene is not None]
        if known and len(known) < len(tops):
            self.findings.append(Finding("unknown_parent", known[0].id, f"of {node.id}"))
        return known or [self._make_gene(node, top) for top in tops]

    def _with_line(self, seqid: str, name: str) -> _Draft | None:
        """A gene that has a line."""
        draft = self.drafts.get((seqid, name))
        return draft if draft is not None and draft.apart is None else None

    def _make_gene(self, node: _Node, name: str) -> _Draft:
        above, apart = node, FAR
        if self.gff3 and name and (node.seqid, name) in self.nodes:  # the parent is a transcript without a gene
            above = self.nodes[node.seqid, name]
            name = ""
        if not name:
            name, apart = self._name_of_gene(above)
        key = (node.seqid, name)
        draft = self.drafts.get(key)
        if draft is None:
            biotype = {k: v for k, v in above.attributes.items() if k in _BIOTYPE_KEYS}
            place = len(self.lines.nodes) + len(self.drafts)
            draft = _Draft(place, name, node.seqid, node.strand, node.start, node.end, "gene", biotype, apart=apart)
            self.drafts[key] = draft
            if self.gff3:
                self.findings.append(Finding("gene_made", name, node.id))
        draft.start, draft.end = min(draft.start, node.start), max(draft.end, node.end)
        return draft

    def _name_of_gene(self, transcript: _Node) -> tuple[str, int]:
        """The name of the gene of a transcript without one, and how far its transcripts may lie apart."""
        for keys, apart in ((_GENE_OF_TRANSCRIPT, FAR), ((_NAME_OF_GENE,), 0)):
            for name in (transcript.attributes.get(k, ("",))[0] for k in keys):
                key = (transcript.seqid, name)
                if name and key not in self.nodes and key not in self.gene_nodes and key not in self.taken:
                    return name, apart
        return f"gene-{transcript.id}", FAR

    def _finish(self, draft: _Draft) -> Gene | None:
        interval = Interval(draft.start, draft.end)
        transcripts = draft.transcripts
        if transcripts:
            around = span([interval, *(t.interval for t in transcripts)])
            if around != interval:
                self.findings.append(Finding("gene_span", draft.id, f"{around.start + 1}-{around.end}"))
                interval = around
            if any(t.cds for t in transcripts):
                self.findings += [Finding("no_parts", draft.id, node.id) for node in draft.bare]
        if draft.strand not in ("+", "-"):
            self.findings.append(Finding("no_strand", draft.id, f"strand {draft.strand!r}"))
            return None
        return Gene(
            id=draft.id,
            seqid=draft.seqid,
            strand="+" if draft.strand == "+" else "-",
            interval=interval,
            transcripts=tuple(transcripts),
            biotype=biotype_of(draft.type, draft.attributes, lambda: any(t.cds for t in draft.transcripts)),
            attributes=draft.attributes,
            score=_probability(draft.score),
        )

    def _loci(self, draft: _Draft) -> list[_Draft]:
        """The gene, and apart from it what has its ID far away or, where the gene was made, on the other strand."""
        near = draft.transcripts
        if draft.apart is None:
            near = [t for t in near if t.interval.start - draft.end <= FAR and draft.start - t.interval.end <= FAR]
            far = [t for t in draft.transcripts if t not in near] if len(near) < len(draft.transcripts) else []
            clusters = _clusters(far, FAR)
        else:
            first, *clusters = _clusters(near, draft.apart) or [[]]
            near = first
        if not clusters:
            return [draft]
        loci = []
        for some in [near, *clusters] if draft.apart is not None else clusters:
            around = span([t.interval for t in some])
            made = replace(draft, strand=some[0].strand, start=around.start, end=around.end, transcripts=some, bare=[])
            loci.append(made)
        if draft.apart is None:
            draft.transcripts = near
            loci.insert(0, draft)
        else:
            loci[0].bare = draft.bare
        return loci

    def _name_neighbours(self) -> None:
        """Flags genes beside a line that was lost and names none."""
        for key, line in self.suspects.near.items():
            node = self.nodes.get(key)
            draft = self.drafts.get(key) or (next(iter(self._known_genes(node)), None) if node is not None else None)
            if draft is not None:
                self.findings.append(Finding("near_lost_line", draft.id, "", line))

    def drafted(self) -> list[tuple[int, Gene]]:
        """Genes in the order in which they were met, each with a number to sort by."""
        self._read_nodes()
        self._transcripts()
        self._name_neighbours()
        finished = ((draft.order, self._finish(draft)) for whole in self.drafts.values() for draft in self._loci(whole))
        return [(order, gene) for order, gene in finished if gene is not None]

    def build(self) -> tuple[tuple[Gene, ...], tuple[Finding, ...]]:
        """Genes sorted by seqid (order of appearance), start, end; IDs unique."""
        rank = self.lines.seqids
        genes = [gene for _, gene in self.drafted()]
        genes.sort(key=lambda g: (rank[g.seqid], g.interval.start, g.interval.end))
        names, renamed = unique_ids([(gene.id, gene.seqid) for gene in genes])
        genes = [g if g.id == name else replace(g, id=name) for g, name in zip(genes, names, strict=True)]
        return tuple(genes), (*self.lines.findings, *self.findings, *renamed)


def unique_ids(genes: Sequence[tuple[str, str]]) -> tuple[list[str], list[Finding]]:
    """An ID of its own for each (ID, seqid): the first keeps it, later ones get `@seqid`."""
    taken: set[str] = set()
    names, findings = [], []
    for identifier, seqid in genes:
        name = identifier
        if name in taken:
            name = f"{identifier}@{seqid}"
            number = 1
            while name in taken:
                number += 1
                name = f"{identifier}@{seqid}.{number}"
            findings.append(Finding("id_renamed", name, f"was {identifier}"))
        taken.add(name)
        names.append(name)
    return names, findings


def _probability(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


def biotype_of(feature_type: str, attributes: Mapping[str, tuple[str, ...]], coding: Callable[[], bool]) -> str | None:
    """What a gene's line says it is; `protein_coding` where it says nothing and a transcript has a CDS."""
    if isinstance(attributes, LazyAttributes):
        value, pseudo = attributes.first(_BIOTYPE_KEYS), attributes.first(("pseudo",)) == "true"
    else:
        value = next((attributes[k][0] for k in _BIOTYPE_KEYS if attributes.get(k)), None)
        pseudo = attributes.get("pseudo", ("",))[0] == "true"
    if (pseudo or "pseudogene" in feature_type.lower()) and (value is None or "pseudogene" not in value):
        return "pseudogene"
    if value is not None:
        return value
    if feature_type.lower() in ("ncrna_gene", "transposable_element_gene"):
        return feature_type
    return "protein_coding" if coding() else None
