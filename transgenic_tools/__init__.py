"""Read the DNA of a plant gene and generate all of its isoforms, exact to the base, as GFF3.

FASTA + GFF3 -> locus -> gene shard -> encoding -> model -> gene sentence (GSF) -> GFF3.

    import transgenic_tools as tg
    model = tg.load()
    genes = model.annotate("genome.fa")

A surprise: importing this package loads neither torch nor pyarrow; `load` does. Where transformers has been, or is
later imported, its `AutoModel` knows our models.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from transgenic_tools import automodel

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(model: str | os.PathLike[str] | None = None, **settings: Any) -> Any:
    """A model for `annotate`, the embedded one by default; see docs/python.md.

    Args:
        model: Model directory.
        settings: scan_model (directory), device (auto, cpu, cuda), precision (auto, fp32, bf16), threads, decoding
            (beam, greedy, sample, viterbi), num_beams, max_isoforms, min_confidence, min_gene_confidence and seed, with
            the defaults of the flags of `tg-annotate`.

    Returns:
        A `transgenic_tools.annotate.model.Model`.

    Raises:
        MissingInputError: no model there.
        UsageError: a setting out of range, or CUDA where there is none.
    """
    return importlib.import_module("transgenic_tools.annotate.model").load(model, **settings)


automodel.wait_for_transformers()
