"""GFF3 and GTF: one reader, one writer. Nowhere else are coordinates 1-based."""

from __future__ import annotations

from typing import Any

from transgenic_tools.io.gff3.reader import Annotation, read_annotation

__all__ = ["Annotation", "read_annotation", "write_genes"]


def __getattr__(name: str) -> Any:
    if name == "write_genes":
        from transgenic_tools.io.gff3.writer import write_genes

        return write_genes
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
