"""Does a region that somebody gave hold a gene at all?

In: gene rows. Out: the probability that each holds a gene on its strand, from a model that can scan.
A surprise: only regions without a known structure are judged. Genes of an annotation and loci of a scan are not; nor is
anything where the model that writes is somebody's own, since its plants may be strange to the embedded model of scans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from transgenic_tools.errors import UsageError
from transgenic_tools.generate.config import Config
from transgenic_tools.genome.interval import Interval
from transgenic_tools.genome.sequence import encode
from transgenic_tools.io.rows import SCANNED, GeneRow
from transgenic_tools.model.config import StrandEncoderConfig
from transgenic_tools.model.files import load_network, model_hash
from transgenic_tools.model.network import Network
from transgenic_tools.search.loci import REGION, Judge, strand_stretch
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.tiles import TILE, BothStrands, TileReader, both_strands

Codes = npt.NDArray[np.uint8]


def is_region(row: GeneRow) -> bool:
    """A whole window whose structure nobody knows, and which no scan proposed."""
    return row.gsf is None and row.kept is None and SCANNED not in row.flags


class RegionJudge:
    """A model that can scan, laid out on a device.

    Attributes:
        digest: Of its files.
    """

    def __init__(self, network: Network, digest: str, *, least: float) -> None:
        """`least`: regions less probable than this hold no gene.

        Raises:
            UsageError: the model cannot scan, or was not calibrated for regions.
        """
        scoring, encoder = network.settings.scan, network.settings.encoder
        if (
            scoring is None
            or not isinstance(encoder, StrandEncoderConfig)
            or REGION not in network.settings.calibration
        ):
            raise UsageError(
                "the model that is to judge regions cannot scan, or is not calibrated for it",
                hint="fit it with python -m transgenic_tools.train.scan_scoring, or give tg-generate --min-region 0",
            )
        self.digest, self.least, self._patch = digest, least, encoder.patch
        self._reader = Reader(network)
        self._judge = Judge(scoring=scoring, calibration=network.settings.calibration)

    def without_gene(self, rows: Sequence[GeneRow]) -> dict[int, float]:
        """Which of some rows are regions that hold no gene, by their number, with the probability that they do."""
        regions = [i for i, row in enumerate(rows) if is_region(row)]
        codes = [encode(rows[i].sequence) for i in regions]
        verdicts = zip(regions, codes, self._scores(codes), strict=True)
        found = {i: self._probability(bases, scores) for i, bases, scores in verdicts}
        return {i: p for i, p in found.items() if p < self.least}

    def _probability(self, codes: Codes, scores: BothStrands) -> float:
        stretch = strand_stretch(codes, scores, "+", longest_gap=self._judge.longest_gap)
        return self._judge.probability(REGION, self._judge.best_of_region(stretch))

    def _scores(self, windows: Sequence[Codes]) -> Iterator[BothStrands]:
        """Of each window; neighbours that are short are read together."""
        short: list[Codes] = []
        for codes in windows:
            if len(codes) <= TILE:
                short.append(codes)
                continue
            yield from self._read(short)
            short = []
            yield self._in_tiles(codes)
        yield from self._read(short)

    def _read(self, windows: Sequence[Codes]) -> Iterator[BothStrands]:
        return (both_strands(*scores) for scores in self._reader.scan(windows))

    def _in_tiles(self, codes: Codes) -> BothStrands:
        tiles = TileReader(
            len(codes), lambda i: codes[i.start : i.end], lambda some: next(self._read([some])), patch=self._patch
        )
        return tiles.stretch(Interval(0, len(codes)))


def judge_of(config: Config, network: Network, directory: Path, device: torch.device) -> RegionJudge | None:
    """Who judges the regions of a run: the model named for it, or the one that writes where it can.

    Args:
        network, directory: The model that writes.

    Raises:
        MissingInputError, UsageError: the model that was named is not there, or cannot judge.
    """
    if config.min_region <= 0:
        return None
    if config.scan_model is not None:
        named, where = load_network(config.scan_model)
    elif network.settings.scan is not None and REGION in network.settings.calibration:
        named, where = network, directory
    else:
        return None
    return RegionJudge(named.eval().to(device), model_hash(where), least=config.min_region)
