"""A species as AUGUSTUS describes it: lengths, content models, signals of genes; read from its parameter files.

In: `<species>_{exon,intron}_probs.pbl` and `<species>_parameters.cfg` of a species directory, as Debian's augustus-data
has for a hundred species (Stanke & Waack 2003). Out: a `SpeciesModel` of probabilities.
Dims: K bases that a content model looks back, W bases of a motif, M that a motif looks back.
A surprise: a species has several content models, one for each class of GC; a gene is drawn from one of them. What a
file does not list of splice sites has next to no probability, and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from transgenic_tools.errors import BadInputError, MissingInputError
from transgenic_tools.genome.sequence import encode
from transgenic_tools.io.files import text_lines

Floats = npt.NDArray[np.float64]
#: Kinds of coding exons, in the order of AUGUSTUS's columns.
SINGLE, INITIAL, INTERNAL, TERMINAL = range(4)
_STOPS = {"amberprob": "TAG", "ochreprob": "TAA", "opalprob": "TGA"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Content:
    """Probabilities of one class of GC.

    Attributes:
        coding: (3, 4^K, 4) of a base, given its place in the codon and the K bases before it.
        intron: (4^K, 4).
        start: (W, 4^M, 4) of the bases before a start codon, given the M before each.
        acceptor: (W, 4^M, 4) of the bases before the three that an acceptor's pattern has.
        short: Share of introns that are no longer than the table of lengths.
        beyond: Mean of what longer ones are longer by.
    """

    coding: Floats
    intron: Floats
    start: Floats
    acceptor: Floats
    short: float
    beyond: float


@dataclass(frozen=True, eq=False, kw_only=True)
class SpeciesModel:
    """What genes of a species are drawn from.

    Attributes:
        exons: (4, longest + 1) probabilities of the lengths of single, initial, internal and terminal exons.
        counts: (4,) exons of each kind that it was trained on.
        introns: Probabilities of lengths up to the longest that is listed.
        donors, acceptors: Patterns with their probabilities: bases before GT and behind; before AG and behind.
        donor_exon, acceptor_exon: Bases of the patterns that belong to the exon: the first, and the last.
        stops: Stop codons with their probabilities.
        contents: One a class of GC.
    """

    name: str
    exons: Floats
    counts: tuple[float, ...]
    introns: Floats
    donors: Mapping[str, float]
    acceptors: Mapping[str, float]
    donor_exon: int
    acceptor_exon: int
    stops: Mapping[str, float]
    contents: tuple[Content, ...]


@dataclass(frozen=True)
class _Section:
    """Lines below a name in brackets, without comments and blanks; `group` is the class of GC, 0 before the first."""

    group: int
    lines: tuple[str, ...]


class _File:
    """The sections of one file. Raises MissingInputError where there is none."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise MissingInputError(
                "no parameters of AUGUSTUS", path=path, hint="install augustus-data, or give its species directory"
            )
        self.path, self._found = path, dict[str, list[_Section]]()
        name, group, lines = "", 0, list[str]()
        for _, text in text_lines(path):
            line = text.strip()
            if line.startswith("[") and line.endswith("]"):
                self._close(name, group, lines)
                name, lines = line[1:-1], []
                group = int(name) if name.isdecimal() else group
            elif line and not line.startswith("#"):
                lines.append(line)
        self._close(name, group, lines)

    def _close(self, name: str, group: int, lines: Sequence[str]) -> None:
        self._found.setdefault(name, []).append(_Section(group, tuple(lines)))

    def one(self, name: str, group: int = 0) -> tuple[str, ...]:
        """Lines of a section. Raises BadInputError where there is none."""
        for section in self._found.get(name, ()):
            if section.group == group:
                return section.lines
        raise BadInputError(f"no section [{name}]", path=self.path, hint="give parameters of AUGUSTUS 3")

    def has(self, name: str, group: int) -> bool:
        return any(section.group == group for section in self._found.get(name, ()))

    @property
    def groups(self) -> list[int]:
        return [int(name) for name in self._found if name.isdecimal()]

    def fault(self, name: str, error: Exception) -> BadInputError:
        return BadInputError(f"section [{name}]: {error}", path=self.path, hint="give parameters of AUGUSTUS 3")


def _scaled(values: Floats) -> Floats:
    """Rows that add up to 1; rows of nothing become even."""
    total = values.sum(-1, keepdims=True)
    return np.where(total > 0, values / np.where(total > 0, total, 1.0), 1 / values.shape[-1])


def _patterns(lines: Sequence[str]) -> dict[str, float]:
    """Probabilities of patterns; the two numbers above the list are a count and a pseudocount."""
    found = {pattern.upper(): float(value) for pattern, value in (line.split() for line in lines[3:])}
    total = sum(found.values())
    return {pattern: value / total for pattern, value in found.items()}


def _emissions(lines: Sequence[str], columns: int) -> Floats:
    """(columns, 4^K, 4) of lines of a pattern and its probabilities; of the longest patterns alone.

    It does not matter whether probabilities are of whole patterns or of their last base.
    """
    rows = [line.split() for line in lines if line[0].isalpha()]
    order = max(len(row[0]) for row in rows) - 1
    rows = [row for row in rows if len(row[0]) == order + 1]
    table = np.zeros((columns, 4 ** (order + 1)))
    for pattern, *values in rows:
        number = int("".join(map(str, encode(pattern))), 4)
        table[:, number] = [float(value) for value in values[:columns]]
    return _scaled(table.reshape(columns, -1, 4))


def _motif(lines: Sequence[str]) -> Floats:
    """(W, 4^M, 4) of a motif that remembers M bases."""
    rows = [[float(value) for value in line.split()[1:]] for line in lines[2 : 2 + int(lines[0])]]
    return _scaled(np.array(rows).reshape(len(rows), 4 ** int(lines[1]), 4))


def _content(exon: _File, intron: _File, group: int) -> Content:
    coding = "EMISSION" if exon.has("EMISSION", group) else "P_ls"
    short, beyond = (float(line) for line in intron.one("TRANSITION", group))
    return Content(
        coding=_emissions(exon.one(coding, group), 3),
        intron=_emissions(intron.one("EMISSION", group), 1)[0],
        start=_motif(exon.one("TRANSINIT", group)),
        acceptor=_motif(intron.one("ASSMOTIF", group)),
        short=short,
        beyond=beyond,
    )


def _constants(path: Path) -> dict[str, float]:
    """Settings below /Constant/ that are numbers. Raises MissingInputError where there is no such file."""
    if not path.is_file():
        raise MissingInputError("no parameters of AUGUSTUS", path=path, hint="install augustus-data")
    found = {}
    for _, text in text_lines(path):
        words = text.split()
        if len(words) > 1 and words[0].startswith("/Constant/"):
            with suppress(ValueError):
                found[words[0].removeprefix("/Constant/")] = float(words[1])
    return found


def _stops(constants: Mapping[str, float]) -> dict[str, float]:
    """Where a species says nothing, all three alike; 0 stands for a codon that is read on."""
    found = {codon: constants.get(name, 1.0) for name, codon in _STOPS.items()}
    total = sum(found.values()) or 1.0
    return {codon: value / total for codon, value in found.items() if value > 0}


def read_species(directory: Path) -> SpeciesModel:
    """The species of a directory `<config>/species/<name>`.

    Raises:
        MissingInputError: a file is missing.
        BadInputError: a file is not what it should be; the message names the section.
    """
    name = directory.name
    exon, intron = (_File(directory / f"{name}_{part}_probs.pbl") for part in ("exon", "intron"))
    constants, lengths = _constants(directory / f"{name}_parameters.cfg"), exon.one("LENGTH")
    try:
        exons = np.array([[float(value) for value in line.split()[1:5]] for line in lengths[5:]]).T
        counts = tuple(float(value) for value in lengths[3].split())
        introns = _scaled(np.array([float(line) for line in intron.one("LENGTH")[1:]]))
        donors, acceptors = _patterns(intron.one("DSS")), _patterns(intron.one("ASS"))
        contents = tuple(_content(exon, intron, group) for group in exon.groups)
    except (ValueError, IndexError) as error:
        raise exon.fault("LENGTH or below", error) from error
    if exons.shape[0] != 4 or len(counts) != 4 or not contents:
        raise exon.fault("LENGTH", ValueError(f"lengths of {exons.shape[0]} kinds of exons, {len(contents)} classes"))
    return SpeciesModel(
        name=name, exons=_scaled(exons), counts=counts, introns=introns, donors=donors, acceptors=acceptors,
        donor_exon=int(constants.get("dss_start", 3)), acceptor_exon=int(constants.get("ass_end", 2)),
        stops=_stops(constants), contents=contents,
    )  # fmt: skip
