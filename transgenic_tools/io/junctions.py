"""Evidence of one genome as a Parquet file: junctions and chains, each with its reads by input.

In: rows of `tg-evidence`. Out: the file, sorted by place, byte-identical for equal rows; and back, as arrays, or as
what it shows inside one window.
A surprise: counts are sparse: `inputs` numbers the sources that show a row, `counts` are their reads, and what each
source is (name, condition, weight) stands in the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.evidence import MINUS, PLUS
from transgenic_tools.genome.interval import Interval, Strand
from transgenic_tools.genome.reading import Reading
from transgenic_tools.io.parquet import Kind, ParquetInput, SealedWriter
from transgenic_tools.io.schemas import EVIDENCE, with_metadata
from transgenic_tools.lattice.evidence import WindowEvidence
from transgenic_tools.provenance import Provenance, write_aside

_ROWS_PER_GROUP = 65_536
JUNCTION, CHAIN, UNSPLICED, NONCANONICAL = "junction", "chain", "unspliced", "noncanonical"
#: Junctions of a window that are looked at, for each 1,000 bases; as many as a grammar takes candidates.
_MOST_PER_KB = 24
_KIND = Kind(name="evidence", schema=EVIDENCE, maker="tg-evidence")
_PARQUET = b"PAR1"


def is_evidence_file(path: Path) -> bool:
    """Whether a file is one of `tg-evidence` by its first bytes, not what such a file is made from."""
    if not path.is_file():
        return False
    with open(path, "rb") as handle:
        return handle.read(len(_PARQUET)) == _PARQUET


@dataclass(frozen=True, slots=True, kw_only=True)
class InputInfo:
    """One source of evidence, as files hold it."""

    name: str
    kind: str
    condition: str | None
    weight: float
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """A junction, or a chain of them.

    Attributes:
        kind: `junction` (start to end is the intron), `chain` (start to end is the span) or `unspliced` (start to end
            are the two bases on either side of a junction's end, the reads go through both) or `noncanonical` (a
            junction that is told, but no candidate, since it has no splice motif).
        introns: Of a chain: start, end, start, end ...; empty for the others.
        inputs: Numbers of the sources that show it, ascending.
        counts: Their reads, in the same order.
    """

    kind: str
    seqid: str
    start: int
    end: int
    strand: Strand
    introns: tuple[int, ...]
    inputs: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Junctions:
    """Junctions of one strand of one sequence, by start and end; J junctions, I inputs.

    Attributes:
        start, end: (J,) int64, 0-based half-open.
        reads: (J, I) float32.
    """

    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    reads: npt.NDArray[np.float32]


def write_evidence(
    path: Path, rows: Sequence[EvidenceRow], *, inputs: Sequence[InputInfo], provenance: Provenance
) -> None:
    """Write rows that are sorted by sequence, start, end, strand and kind."""
    names = EVIDENCE.names
    table = pa.Table.from_arrays(
        [pa.array([getattr(row, name) for row in rows], EVIDENCE.field(name).type) for name in names], schema=EVIDENCE
    )
    schema = with_metadata(EVIDENCE, kind="evidence", provenance=provenance)
    described = json.dumps([asdict(source) for source in inputs], sort_keys=True)
    schema = schema.with_metadata({**(schema.metadata or {}), b"inputs": described.encode()})
    with write_aside(path) as aside:
        writer = SealedWriter(aside, schema, use_dictionary=["kind", "seqid", "strand"])
        for start in range(0, table.num_rows, _ROWS_PER_GROUP):
            writer.write_table(table.slice(start, _ROWS_PER_GROUP).cast(schema))
        writer.close()


class EvidenceFile:
    """The evidence of one genome.

    Attributes:
        inputs: Sources, in the order of the counts.

    Raises:
        MissingInputError: no such file.
        BadInputError: it is no evidence file, of another version, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with ParquetInput(path, _KIND) as file:
            try:
                self.inputs = tuple(InputInfo(**source) for source in json.loads(file.metadata["inputs"]))
            except (KeyError, TypeError, ValueError) as error:
                raise BadInputError(f"damaged ({error})", path=path, hint=file.kind.hint) from error
            self._table = file.read_all(EVIDENCE.names)

    def rows(self, kind: str | None = None) -> Iterator[EvidenceRow]:
        """Rows in file order, of one kind or of all."""
        table = self._table if kind is None else self.of_kind(kind)
        for batch in table.to_batches():
            for values in batch.to_pylist():
                yield EvidenceRow(
                    **{**values, **{name: tuple(values[name]) for name in ("introns", "inputs", "counts")}}
                )

    def of_kind(self, kind: str) -> pa.Table:
        """Rows of one kind, in file order."""
        return self._table.filter(pc.equal(self._table["kind"], kind))

    def junctions(self) -> dict[tuple[str, Strand], Junctions]:
        """Junctions by sequence and strand, as arrays."""
        table = self.of_kind(JUNCTION).combine_chunks()
        found: dict[tuple[str, Strand], Junctions] = {}
        if not table.num_rows:
            return found
        lists = table["inputs"].chunk(0)
        offsets = lists.offsets.to_numpy()
        reads = np.zeros((table.num_rows, len(self.inputs)), dtype=np.float32)
        row_of = np.repeat(np.arange(table.num_rows), np.diff(offsets))
        reads[row_of, lists.flatten().to_numpy()] = table["counts"].chunk(0).flatten().to_numpy()
        seqid = table["seqid"].to_numpy(zero_copy_only=False)
        strand = table["strand"].to_numpy(zero_copy_only=False)
        start, end = table["start"].to_numpy(), table["end"].to_numpy()
        for name in dict.fromkeys(seqid):
            for sign in ("+", "-"):
                own = (seqid == name) & (strand == sign)
                if own.any():
                    found[name, sign] = Junctions(start=start[own], end=end[own], reads=reads[own])
        return found


def by_condition(file: EvidenceFile) -> tuple[tuple[str, ...], dict[tuple[str, Strand], Junctions]]:
    """Reads pooled by condition, unweighted: conditions in the order of the inputs, and (J, conditions) reads.

    An input without a condition stands for itself, under its name.
    """
    names = [source.condition or source.name for source in file.inputs]
    conditions = tuple(dict.fromkeys(names))
    pool = np.array([[name == condition for condition in conditions] for name in names], dtype=np.float32)
    return conditions, {key: replace(group, reads=group.reads @ pool) for key, group in file.junctions().items()}


class _Placed(NamedTuple):
    """Introns, or exons of chains, of one strand of one sequence, sorted by start, then end; J of them.

    Attributes:
        start, end: (J,), 0-based half-open.
        reads: (J,) weighted sums over inputs.
        inputs: (J,) inputs that show each and have a weight.
    """

    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    reads: npt.NDArray[np.float64]
    inputs: npt.NDArray[np.int64]

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> _Placed:
        return _Placed(self.start[chosen], self.end[chosen], self.reads[chosen], self.inputs[chosen])


_NOTHING = _Placed(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))


def _by_place(place: npt.NDArray[np.int64], found: _Placed) -> dict[int, _Placed]:
    """Divided by place, sorted."""
    if not len(place):
        return {}
    order = np.lexsort((found.end, found.start, place))
    place, found = place[order], found.take(order)
    places, first = np.unique(place, return_index=True)
    ends = [*first[1:].tolist(), len(place)]
    return {
        number: found.take(slice(low, high))
        for number, low, high in zip(places.tolist(), first.tolist(), ends, strict=True)
    }


class EvidenceOfWindows:
    """What the evidence of a genome shows, looked up by window."""

    def __init__(self, evidence: EvidenceFile) -> None:
        self._number: dict[str, int] = {}
        weights = np.array([source.weight for source in evidence.inputs], dtype=np.float64)
        table = evidence.of_kind(JUNCTION)
        introns = _Placed(table["start"].to_numpy(), table["end"].to_numpy(), *_weighted(table, weights))
        self._introns = _by_place(self._places(table), introns)
        table = evidence.of_kind(CHAIN)
        self._exons = _by_place(*_exons_of_chains(table, self._places(table), weights))
        table = evidence.of_kind(UNSPLICED)
        through = _Placed(table["start"].to_numpy(), table["end"].to_numpy(), *_weighted(table, weights))
        self._through = _by_place(self._places(table), through) if table.num_rows else None

    def _places(self, table: pa.Table) -> npt.NDArray[np.int64]:
        """A number for the sequence and strand of each row."""
        encoded = pc.dictionary_encode(table["seqid"]).combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = pa.concat_arrays(encoded.chunks) if encoded.num_chunks else pa.array([], table["seqid"].type)
        if not len(encoded):
            return np.zeros(0, dtype=np.int64)
        names = encoded.dictionary.to_pylist()
        numbers = np.array([self._number.setdefault(name, len(self._number)) for name in names])
        minus = pc.equal(table["strand"], "-").to_numpy()
        return 2 * numbers[encoded.indices.to_numpy()] + minus

    def _inside(self, placed: dict[int, _Placed], reading: Reading, locus: Interval) -> _Placed:
        """What lies in a window whole and touches the locus, in coordinates of what is read, sorted."""
        window = reading.window
        number = self._number.get(window.seqid)
        found = None if number is None else placed.get(2 * number + (window.strand == "-"))
        if found is None:
            return _NOTHING
        found = found.take(slice(*np.searchsorted(found.start, (window.start, min(window.end, locus.end)))))
        found = found.take((found.end <= window.end) & (found.end > locus.start) & (found.reads > 0))
        if window.strand == "+":
            found = found._replace(start=found.start - window.start, end=found.end - window.start)
        else:
            found = found._replace(start=window.end - found.end, end=window.end - found.start)
        if reading.shortened is not None:
            found = _shortened(found, reading)
        return found.take(np.lexsort((found.end, found.start)))

    def of(self, reading: Reading, locus: Interval) -> WindowEvidence | None:
        """Junctions and chains on a window's strand.

        Junctions beside the locus are its neighbours' and are left out, so that a gene without reads is left alone. Of
        very many the strongest count, so many as the lattice takes candidates.

        Args:
            locus: In coordinates of the genome.

        Returns:
            None where no junction touches the locus.
        """
        introns = self._inside(self._introns, reading, locus)
        if not len(introns.start):
            return None
        most = max(16, _MOST_PER_KB * len(reading) // 1000)
        if len(introns.start) > most:
            strongest = np.argsort(-introns.reads, kind="stable")[:most]
            introns = introns.take(np.sort(strongest))
        exons = self._inside(self._exons, reading, locus)
        return WindowEvidence(
            start=introns.start, end=introns.end, reads=introns.reads, inputs=introns.inputs,
            exon_start=exons.start, exon_end=exons.end, exon_chains=exons.reads,
            unspliced=None if self._through is None else self._unspliced(introns, self._through, reading),
        )  # fmt: skip

    def _unspliced(self, introns: _Placed, through: dict[int, _Placed], reading: Reading) -> npt.NDArray[np.float64]:
        """(2, J) reads through the start and the end of each junction, in coordinates of what is read as they are."""
        window = reading.window
        found = self._inside(through, reading, Interval(window.start, window.end))
        places = found.start + 1
        reads = np.zeros((2, len(introns.start)))
        for side, ends in zip(reads, (introns.start, introns.end), strict=True):
            at = np.searchsorted(places, ends)
            known = at < len(places)
            known[known] = places[at[known]] == ends[known]
            side[known] = found.reads[at[known]]
        return reads


def _flat(table: pa.Table, column: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The numbers of a list column one behind the other, and the length of each list."""
    lists = table[column].combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], table[column].type)
    return lists.flatten().to_numpy().astype(np.int64), np.diff(lists.offsets.to_numpy()).astype(np.int64)


def _weighted(
    table: pa.Table, weights: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Weighted reads of each row, and how many inputs with a weight show it."""
    inputs, lengths = _flat(table, "inputs")
    counts, _ = _flat(table, "counts")
    row = np.repeat(np.arange(table.num_rows), lengths)
    value = weights[inputs] * counts
    reads = np.bincount(row, value, minlength=table.num_rows).astype(np.float64)
    return reads, np.bincount(row, value > 0, minlength=table.num_rows).astype(np.int64)


def _exons_of_chains(
    table: pa.Table, places: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], _Placed]:
    """Place and interval of every distinct exon between two introns of a chain; `reads` sum over chains."""
    bounds, lengths = _flat(table, "introns")
    reads, inputs = _weighted(table, weights)
    chain = np.repeat(np.arange(table.num_rows), lengths)
    last = np.cumsum(lengths) - 1
    inner = np.ones(len(bounds), dtype=bool)
    inner[last - lengths + 1] = inner[last] = False
    exons, chain = bounds[inner].reshape(-1, 2), chain[inner][::2]
    if not len(exons):
        return np.zeros(0, np.int64), _NOTHING
    keys, number = np.unique(np.column_stack([places[chain], exons]), axis=0, return_inverse=True)
    number = number.reshape(-1)
    most = np.zeros(len(keys), dtype=np.int64)
    np.maximum.at(most, number, inputs[chain])
    chains = np.bincount(number, reads[chain], minlength=len(keys)).astype(np.float64)
    return keys[:, 0], _Placed(keys[:, 1], keys[:, 2], chains, most)


def _shortened(found: _Placed, reading: Reading) -> _Placed:
    """In coordinates of the shortened window, those whose ends are kept."""
    assert reading.shortened is not None
    kept, places = [], []
    for index, (start, end) in enumerate(zip(found.start.tolist(), found.end.tolist(), strict=True)):
        with suppress(ValueError):  # an end is left out
            places.append(reading.shortened.to_short(Interval(start, end)))
            kept.append(index)
    starts, ends = ([getattr(place, side) for place in places] for side in ("start", "end"))
    return found.take(np.array(kept, dtype=np.intp))._replace(
        start=np.array(starts, dtype=np.int64), end=np.array(ends, dtype=np.int64)
    )


def strand_of(sign: int) -> Strand:
    """The strand of a settled sign. ValueError for another number."""
    if sign not in (PLUS, MINUS):
        raise ValueError(f"sign {sign} is no strand")
    return "+" if sign == PLUS else "-"
