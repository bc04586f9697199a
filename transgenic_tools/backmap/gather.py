"""Bring the rows of any number of shards into one order, in bounded memory.

In: prediction rows in any order. Out: the same rows by seqid, window and ID, so that shard order and size leave no
trace in the results.
A surprise: an external merge sort; runs that do not fit are spilled as prediction shards to a temporary directory.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path

from transgenic_tools.io.rows import PredictionRow
from transgenic_tools.io.shards import read_predictions, write_prediction_shard
from transgenic_tools.provenance import Provenance, folder_aside


def row_key(row: PredictionRow) -> tuple[str, int, int, str, str, int, int, str]:
    """Order of predictions: seqid, window, strand, gene ID, locus, sentence."""
    return (
        row.seqid, row.window_start, row.window_end, row.strand, row.gene_id, row.start, row.end, row.gsf or "",
    )  # fmt: skip


def sorted_rows(rows: Iterable[PredictionRow], *, rows_in_memory: int, spill_beside: Path) -> Iterator[PredictionRow]:
    """All rows by `row_key`.

    Args:
        rows_in_memory: Rows held and sorted at once.
        spill_beside: A path in whose directory a temporary one may be made.
    """
    buffer: list[PredictionRow] = []
    runs: list[Path] = []
    with folder_aside(spill_beside.parent, f"{spill_beside.name}.sort") as spill:
        for row in rows:
            buffer.append(row)
            if len(buffer) >= rows_in_memory:
                runs.append(spill / f"run-{len(runs):05d}.parquet")
                write_prediction_shard(
                    sorted(buffer, key=row_key), runs[-1], provenance=Provenance("tg-backmap"), evidence=True
                )
                buffer = []
        buffer.sort(key=row_key)
        yield from heapq.merge(*(read_predictions(run) for run in runs), buffer, key=row_key)
