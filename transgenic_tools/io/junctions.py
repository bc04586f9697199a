"""Evidence of one genome as a Parquet file: junctions and chains, each with its reads by input.

In: rows of `tg-evidence`. Out: the file, sorted by place, byte-identical for equal rows; and back, as arrays.
A surprise: counts are sparse: `inputs` numbers the sources that show a row, `counts` are their reads, and what each
source is (name, condition, weight) stands in the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transgenic_tools.errors import BadInputError
from transgenic_tools.genome.evidence import MINUS, PLUS
from transgenic_tools.genome.interval import Strand
from transgenic_tools.io.parquet import Kind, ParquetInput, SealedWriter
from transgenic_tools.io.schemas import EVIDENCE, with_metadata
from transgenic_tools.provenance import Provenance, write_aside

_ROWS_PER_GROUP = 65_536
JUNCTION, CHAIN = "junction", "chain"
_KIND = Kind(name="evidence", schema=EVIDENCE, maker="tg-evidence")


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
        kind: `junction` (start to end is the intron) or `chain` (start to end is the span).
        introns: Of a chain: start, end, start, end ...; empty for a junction.
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
        for batch in self._table.to_batches():
            for values in batch.to_pylist():
                if kind is None or values["kind"] == kind:
                    yield EvidenceRow(
                        **{**values, **{name: tuple(values[name]) for name in ("introns", "inputs", "counts")}}
                    )

    def junctions(self) -> dict[tuple[str, Strand], Junctions]:
        """Junctions by sequence and strand, as arrays."""
        table = self._table.filter(pa.compute.equal(self._table["kind"], JUNCTION)).combine_chunks()
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


def strand_of(sign: int) -> Strand:
    """The strand of a settled sign. ValueError for another number."""
    if sign not in (PLUS, MINUS):
        raise ValueError(f"sign {sign} is no strand")
    return "+" if sign == PLUS else "-"
