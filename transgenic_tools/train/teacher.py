"""What a trained network says of a batch, for a smaller one that learns from it (distillation, Hinton et al. 2015).

In: a model directory that reads both strands, micro-batches. Out: probabilities of sites and contents.
Dims: N strands, B windows, L bases.
A surprise: the teacher is computed by the compiled layers, window by window without padding, so that it costs a small
part of the student's step; bases of padding get 0, and nobody learns there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from transgenic_tools.errors import UsageError
from transgenic_tools.lattice.vocabulary import N_CONTENTS, N_SITES, PAD_CODE
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.config import StrandEncoderConfig
from transgenic_tools.model.files import load_network
from transgenic_tools.model.head import BaseScores
from transgenic_tools.search.reader import Precision, Reader


class Taught(NamedTuple):
    """Probabilities (N, B, N_SITES, L) that a site is there, and (N, B, N_CONTENTS, L) of each content."""

    sites: Tensor
    contents: Tensor


class Teacher:
    """A network that both strands of a window can be asked for.

    Args:
        directory: A model directory.
        precision: What it computes in.

    Raises:
        UsageError: it reads one strand alone.
    """

    def __init__(self, directory: Path, *, precision: Precision = "auto") -> None:
        network, _ = load_network(directory)
        if not isinstance(network.settings.encoder, StrandEncoderConfig):
            raise UsageError(f"the model {directory} reads one strand alone and cannot teach", hint="give another one")
        self._reader = Reader(network, precision=precision)

    def say(self, codes: Tensor, *, one_gene: bool) -> Taught:
        """Of windows (B, L), PAD_CODE at the right: of their one gene, or of all genes of both strands."""
        windows = [row[row != PAD_CODE].to(torch.uint8).numpy() for row in codes.cpu()]
        read: Iterator[tuple[BaseScores, ...]]
        if one_gene:
            read = ((scores,) for scores in self._reader.score_windows([WindowInput(codes=w) for w in windows]))
        else:
            read = self._reader.scan(windows)
        (batch, length), strands = codes.shape, 1 if one_gene else 2
        sites = torch.zeros(strands, batch, N_SITES, length)
        contents = torch.zeros(strands, batch, N_CONTENTS, length)
        for row, (window, found) in enumerate(zip(windows, read, strict=True)):
            for strand, scores in enumerate(found):
                sites[strand, row, :, : len(window)] = scores.sites[0].sigmoid()
                contents[strand, row, :, : len(window)] = scores.contents[0].softmax(0)
        return Taught(sites.to(codes.device), contents.to(codes.device))
