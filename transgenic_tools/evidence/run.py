"""tg-evidence: everything that reads, transcripts and proteins say about splicing, as one Parquet file a genome.

In: a sheet of evidence files and the FASTA. Out: the file, and a summary of every input.
A surprise: a file that contradicts the genome (another assembly, coordinates off by one, the other library type) is an
error, not a warning: weak evidence is worse than none, and it would be used in silence for weeks.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import BadInputError
from transgenic_tools.evidence.alignments import Places, Rules, count_alignments, through_places
from transgenic_tools.evidence.chains import chains_of_annotation, chains_of_reads
from transgenic_tools.evidence.config import Config, Kind, Source, Strandness
from transgenic_tools.evidence.kinds import kind_of
from transgenic_tools.evidence.motifs import judge, motif_signs, resolve
from transgenic_tools.evidence.sheet import read_sheet
from transgenic_tools.evidence.tables import TABLES, read_table
from transgenic_tools.evidence.unspliced import ends_of, through_of_chains
from transgenic_tools.genome.evidence import (
    MINUS,
    PLUS,
    Chain,
    JunctionCounts,
    JunctionKey,
    join_chains,
    junction_counts,
    tally_chains,
)
from transgenic_tools.genome.interval import Interval, Intervals, merge
from transgenic_tools.io.aliases import read_aliases
from transgenic_tools.io.bed import read_loci
from transgenic_tools.io.fasta import Fasta
from transgenic_tools.io.files import is_pipe
from transgenic_tools.io.junctions import (
    CHAIN,
    JUNCTION,
    NONCANONICAL,
    UNSPLICED,
    EvidenceRow,
    InputInfo,
    strand_of,
    write_evidence,
)
from transgenic_tools.provenance import Provenance

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSummary:
    """What one input brought.

    Attributes:
        junctions: Distinct ones that are kept; `reads` their sum.
        canonical, agreeing: See `motifs.Verdict`.
        inside_loci: Share of the kept junctions inside loci; None where no loci were given.
        counted: What was passed over or left out, by reason, in reads, lines or junctions as the reason says.
    """

    name: str
    kind: str
    condition: str | None
    weight: float
    junctions: int
    reads: int
    chains: int
    canonical: float
    agreeing: float | None
    inside_loci: float | None
    counted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Of a run."""

    out: Path
    junctions: int
    chains: int
    inputs: tuple[InputSummary, ...]

    def to_json(self) -> str:
        """One line for scripts."""
        return json.dumps({**asdict(self), "out": str(self.out)}, sort_keys=True)


@dataclass(frozen=True, slots=True)
class _Raw:
    """What a file states, before the genome is asked."""

    counts: Mapping[JunctionKey, int]
    chains: tuple[Chain, ...]
    counted: Counter[str]


def _read(source: Source, kind: Kind, config: Config, lengths: Mapping[str, int]) -> _Raw:
    if kind in TABLES:
        counts, passed = read_table(source.path, kind, multimapped=config.multimapped)
        return _Raw(counts, (), Counter({"other_lines": passed} if passed else {}))
    if kind is Kind.ALIGNMENTS:
        rules = _rules(Strandness.FORWARD if source.strandness is Strandness.AUTO else source.strandness, config)
        tally = count_alignments(source.path, fasta=config.fasta, lengths=lengths, rules=rules, threads=config.threads)
        return _Raw(tally.counts, (), tally.reads)
    if kind is Kind.LONG_READS:
        chains, reads = chains_of_reads(source.path, config.fasta)
    else:
        chains, reads = chains_of_annotation(source.path, proteins=kind is Kind.PROTEINS)
    return _Raw(tally_chains(chains), chains, Counter({name: n for name, n in reads.items() if n}))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _told(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counted.items()))


def _renamed(raw: _Raw, aliases: Mapping[str, str]) -> _Raw:
    if not aliases:
        return raw
    counts: dict[JunctionKey, int] = {}
    for key, count in raw.counts.items():
        new = key._replace(seqid=aliases.get(key.seqid, key.seqid))
        counts[new] = counts.get(new, 0) + count
    chains = join_chains(replace(chain, seqid=aliases.get(chain.seqid, chain.seqid)) for chain in raw.chains)
    return _Raw(counts, chains, raw.counted)


def _placed(raw: _Raw, lengths: Mapping[str, int], path: Path, limits: tuple[int, int]) -> dict[JunctionKey, int]:
    """Junctions on sequences of the FASTA and of a possible length; the others are counted by reason.

    Raises:
        BadInputError: no junction at all, or not one sequence name is shared.
    """
    names = list(dict.fromkeys(key.seqid for key in raw.counts))
    if not names:
        raise BadInputError("the file shows no intron", path=path, hint="leave it out of the sheet, or check its kind")
    if not any(name in lengths for name in names):
        raise BadInputError(
            f"no sequence name of the evidence ({_listed(names)}) is in the FASTA ({_listed(list(lengths))})",
            path=path,
            hint="give --aliases FILE, a table with the names of one sequence on each line, tab between them",
        )
    kept = {}
    for key, count in raw.counts.items():
        if key.seqid not in lengths:
            raw.counted["unknown_seqid"] += 1
        elif key.end > lengths[key.seqid]:
            raw.counted["past_contig_end"] += 1
        elif not limits[0] <= key.end - key.start <= limits[1]:
            raw.counted["intron_length"] += 1
        else:
            kept[key] = count
    return kept


def _rules(strandness: Strandness, config: Config) -> Rules:
    return Rules(
        strandness=strandness,
        min_anchor=config.min_anchor,
        multimapped=config.multimapped,
        min_intron=config.min_intron,
        max_intron=config.max_intron,
    )


def _library(junctions: JunctionCounts, motif: npt.NDArray[np.int8], source: Source) -> JunctionCounts:
    """Signs of reads whose library type was to be told: by the majority of motifs, unknown where they disagree."""
    if source.strandness is not Strandness.AUTO:
        return junctions
    both = (junctions.sign != 0) & (motif != 0)
    agreeing = float((junctions.sign[both] == motif[both]).mean()) if both.any() else 0.5
    if agreeing > 0.9:
        return junctions
    sign = -junctions.sign if agreeing < 0.1 else np.zeros_like(junctions.sign)
    return replace(junctions, sign=sign.astype(np.int8))


def _merged(junctions: JunctionCounts) -> dict[JunctionKey, int]:
    """Tally by settled key: one intron may have been stated on both strands or on none."""
    counts: dict[JunctionKey, int] = {}
    columns = (junctions.seqid, junctions.start, junctions.end, junctions.sign, junctions.count)
    for seqid, start, end, sign, count in zip(*(column.tolist() for column in columns), strict=True):
        key = JunctionKey(junctions.seqids[seqid], start, end, sign)
        counts[key] = counts.get(key, 0) + count
    return counts


def _settled_chains(chains: Sequence[Chain], kept: Mapping[JunctionKey, int]) -> tuple[tuple[Chain, ...], int]:
    """Chains all of whose introns were kept, on their settled strand; and how many were not."""
    settled = []
    for chain in chains:
        for sign in (PLUS, MINUS) if chain.sign == 0 else (chain.sign, -chain.sign):
            if all(JunctionKey(chain.seqid, i.start, i.end, sign) in kept for i in chain.introns):
                settled.append(replace(chain, sign=sign))
                break
    return join_chains(settled), len(chains) - len(settled)


def _inside(counts: Mapping[JunctionKey, int], loci: Mapping[str, Intervals] | None) -> float | None:
    if loci is None:
        return None
    starts = {name: np.array([i.start for i in intervals]) for name, intervals in loci.items()}
    inside = 0
    for key in counts:
        if key.seqid in starts:
            at = int(np.searchsorted(starts[key.seqid], key.start, side="right")) - 1
            inside += at >= 0 and key.end <= loci[key.seqid][at].end
    return inside / max(len(counts), 1)


@dataclass(frozen=True, slots=True)
class _Input:
    """One input, settled."""

    source: Source
    kind: Kind
    counts: Mapping[JunctionKey, int]
    noncanonical: Mapping[JunctionKey, int]
    chains: tuple[Chain, ...]
    summary: InputSummary
    digest: str


def _digest(counts: Mapping[JunctionKey, int]) -> str:
    digest = hashlib.sha256()
    for key in sorted(counts):
        digest.update(f"{key.seqid}\t{key.start}\t{key.end}\t{key.sign}\t{counts[key]}\n".encode())
    return digest.hexdigest()


class _Gatherer:
    """Reads the inputs one after another, all held against one genome."""

    def __init__(self, config: Config, fasta: Fasta) -> None:
        self.config, self.fasta = config, fasta
        self.aliases = read_aliases(config.aliases, fasta.names) if config.aliases else {}
        self.loci = self._loci() if config.loci else None

    def _loci(self) -> dict[str, Intervals]:
        assert self.config.loci is not None
        found: dict[str, list[Interval]] = defaultdict(list)
        for gene in read_loci(self.config.loci)[0]:
            found[self.aliases.get(gene.seqid, gene.seqid)].append(gene.interval)
        return {name: merge(intervals) for name, intervals in found.items()}

    def lengths_as_named(self) -> dict[str, int]:
        """Lengths by the FASTA's names and by their aliases."""
        lengths = dict(self.fasta.lengths)
        return lengths | {alias: lengths[name] for alias, name in self.aliases.items()}

    def gather(self, source: Source) -> _Input:
        config = self.config
        kind = source.kind or kind_of(source.path)
        raw = _renamed(_read(source, kind, config, self.lengths_as_named()), self.aliases)
        limits = (config.min_intron, config.max_intron)
        junctions = junction_counts(_placed(raw, self.fasta.lengths, source.path, limits))
        signs = motif_signs(junctions, self.fasta)
        if kind is Kind.ALIGNMENTS:
            junctions = _library(junctions, signs[0, 0], source)
        verdict = judge(junctions, signs, source.path)
        junctions, strange, left_out = resolve(junctions, signs[0, 0], noncanonical=config.noncanonical)
        counts = _merged(junctions)
        if not counts:
            raise BadInputError(
                f"no junction can be used with {config.fasta.name}: {_told(raw.counted + left_out)}", path=source.path,
                hint="was another assembly used, or another kind of file? Else leave it out of the sheet",
            )  # fmt: skip
        chains, lost = _settled_chains(raw.chains, counts)
        counted = raw.counted + left_out + Counter({"chains_left_out": lost} if lost else {})
        summary = InputSummary(
            name=source.name,
            kind=kind.value,
            condition=source.condition,
            weight=source.weight,
            junctions=len(counts),
            reads=sum(counts.values()),
            chains=len(chains),
            canonical=verdict.canonical,
            agreeing=verdict.agreeing,
            inside_loci=_inside(counts, self.loci),
            counted=dict(sorted(counted.items())),
        )
        return _Input(source, kind, counts, _merged(strange), chains, summary, _digest(counts))

    def unspliced(self, made: _Input, places: Places) -> Places:
        """Reads of one input that go on unspliced through each of these ends; nothing where it cannot tell."""
        config, source = self.config, made.source
        if made.kind is not Kind.ALIGNMENTS:
            return through_of_chains(made.chains, places, config.min_anchor) if made.chains else {}
        if is_pipe(source.path):
            return {}
        # unspliced reads show no motif: where the library was to be told, those without a tag speak on both strands
        strandness = Strandness.UNSTRANDED if source.strandness is Strandness.AUTO else source.strandness
        names = defaultdict(list)
        for alias in self.lengths_as_named():
            names[self.aliases.get(alias, alias)].append(alias)
        named = {(alias, sign): ends for (seqid, sign), ends in places.items() for alias in names[seqid]}
        counted = through_places(
            source.path, fasta=config.fasta, places=named, rules=_rules(strandness, config), threads=config.threads
        )
        return {
            (seqid, sign): np.sum([counted[alias, sign] for alias in names[seqid]], axis=0) for seqid, sign in places
        }


def _check_twice(inputs: Sequence[_Input]) -> None:
    first: dict[str, Source] = {}
    for made in inputs:
        source = made.source
        other = first.setdefault(made.digest, source)
        if other is not source:
            raise BadInputError(
                f"{source.name!r} holds the same junctions and reads as {other.name!r}",
                path=source.path,
                hint="leave one of the two out: the same reads would count twice",
            )


def _unspliced_rows(places: Places, of_inputs: Sequence[Places]) -> list[EvidenceRow]:
    """Ends of junctions that reads of some input go through unspliced."""
    rows = []
    for key, ends in places.items():
        seqid, sign = key
        nothing = np.zeros(len(ends), dtype=np.int64)
        reads = np.stack([counted.get(key, nothing) for counted in of_inputs])
        for at in np.flatnonzero(reads.any(axis=0)).tolist():
            inputs = np.flatnonzero(reads[:, at]).tolist()
            rows.append(
                EvidenceRow(
                    kind=UNSPLICED, seqid=seqid, start=int(ends[at]) - 1, end=int(ends[at]) + 1, strand=strand_of(sign),
                    introns=(), inputs=tuple(inputs), counts=tuple(reads[inputs, at].tolist()),
                )
            )  # fmt: skip
    return rows


def _rows(inputs: Sequence[_Input]) -> list[EvidenceRow]:
    """Junctions and chains of all inputs."""
    shown: dict[tuple[str, JunctionKey], list[tuple[int, int]]] = defaultdict(list)
    chained: dict[tuple[str, Intervals, int], list[tuple[int, Chain]]] = defaultdict(list)
    for number, made in enumerate(inputs):
        for kind, counts in ((JUNCTION, made.counts), (NONCANONICAL, made.noncanonical)):
            for key, count in counts.items():
                shown[kind, key].append((number, count))
        for chain in made.chains:
            chained[chain.seqid, chain.introns, chain.sign].append((number, chain))
    rows = [
        EvidenceRow(
            kind=kind, seqid=key.seqid, start=key.start, end=key.end, strand=strand_of(key.sign), introns=(),
            inputs=tuple(number for number, _ in by_input), counts=tuple(count for _, count in by_input),
        )
        for (kind, key), by_input in shown.items()
    ]  # fmt: skip
    for (seqid, introns, sign), chains in chained.items():
        rows.append(
            EvidenceRow(
                kind=CHAIN,
                seqid=seqid,
                start=min(chain.span.start for _, chain in chains),
                end=max(chain.span.end for _, chain in chains),
                strand=strand_of(sign),
                introns=tuple(place for intron in introns for place in (intron.start, intron.end)),
                inputs=tuple(number for number, _ in chains),
                counts=tuple(chain.count for _, chain in chains),
            )
        )
    return rows


def run(config: Config) -> Result:
    """Gather all inputs into one file.

    Raises:
        MissingInputError: a file that is not there.
        BadInputError: a file that is damaged, of no known kind, of another assembly, off by one, of another library
            type, or given twice.
    """
    sources = read_sheet(config.sheet)
    with Fasta(config.fasta) as fasta:
        gatherer = _Gatherer(config, fasta)
        inputs = []
        for source in sources:
            made = gatherer.gather(source)
            _say(made.summary)
            inputs.append(made)
        _check_twice(inputs)
        places = ends_of(key for made in inputs for key in made.counts)
        rows = [*_rows(inputs), *_unspliced_rows(places, [gatherer.unspliced(made, places) for made in inputs])]
        order = {name: rank for rank, name in enumerate(fasta.names)}
    rows.sort(key=lambda r: (order[r.seqid], r.start, r.end, r.strand, r.kind, r.introns))
    parameters = {
        "min_anchor": config.min_anchor,
        "multimapped": config.multimapped,
        "noncanonical": config.noncanonical,
        "min_intron": config.min_intron,
        "max_intron": config.max_intron,
        "summaries": [asdict(made.summary) for made in inputs],
    }
    infos = [
        InputInfo(
            name=made.summary.name,
            kind=made.summary.kind,
            condition=made.summary.condition,
            weight=made.summary.weight,
            sha256=made.digest,
        )
        for made in inputs
    ]
    write_evidence(config.out, rows, inputs=infos, provenance=Provenance("tg-evidence", parameters))
    n_junctions = sum(row.kind == JUNCTION for row in rows)
    return Result(
        out=config.out,
        junctions=n_junctions,
        chains=sum(row.kind == CHAIN for row in rows),
        inputs=tuple(made.summary for made in inputs),
    )


def _say(summary: InputSummary) -> None:
    agreeing = "" if summary.agreeing is None else f", {summary.agreeing:.1%} on the stated strand"
    inside = "" if summary.inside_loci is None else f", {summary.inside_loci:.1%} inside loci"
    counted = "".join(f"; {name} {count:,}" for name, count in summary.counted.items())
    logger.info(
        "%s (%s): %s junctions with %s reads, %s chains; %s canonical%s%s%s",
        summary.name, summary.kind, f"{summary.junctions:,}", f"{summary.reads:,}", f"{summary.chains:,}",
        f"{summary.canonical:.1%}", agreeing, inside, counted,
    )  # fmt: skip
