"""From gene rows to prediction rows.

In: `GeneRow`s and a model. Out: one `PredictionRow` for each, in the same order.
A surprise: on a CPU a window's scores do not depend on what it is read with (`fused_layers`) and threads share out
the genes, each computing on one core, so that a gene's answer is the same for any number of threads; on CUDA windows
are batched by bases.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from transgenic_tools.generate.config import Config
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.genome.sequence import encode
from transgenic_tools.gsf import write
from transgenic_tools.io.rows import GeneRow, PredictionRow
from transgenic_tools.lattice.paths import exact_sites, find_paths
from transgenic_tools.lattice.site_graph import SiteGraph
from transgenic_tools.lattice.vocabulary import PAD_CODE
from transgenic_tools.model.confidence import Scores, found_transcript, score
from transgenic_tools.model.network import Network
from transgenic_tools.model.search import GeneSearch, Searcher, start_search

NO_TRANSCRIPT = "no_valid_transcript"
PROMPT_LOST = "prompt_outside_grammar"


@dataclass(frozen=True)
class _Written:
    transcript: Transcript
    scores: Scores


class Predictor:
    """A loaded model and the settings of one run."""

    def __init__(self, model: Network, config: Config, *, model_hash: str) -> None:
        self.model, self.config, self.model_hash = model, config, model_hash
        self.device = model.head.project.weight.device
        self.searcher = Searcher(model.decoder, config.decoding, dtype=model.reading_dtype)

    def predict(self, rows: Sequence[GeneRow]) -> list[PredictionRow]:
        """Prediction rows of some genes, in their order."""
        threads = self.config.threads if self.device.type == "cpu" else 1
        if threads == 1 or len(rows) < 2:
            return self._predict(rows)
        parts = [rows[i::threads] for i in range(min(threads, len(rows)))]
        with ThreadPoolExecutor(len(parts)) as pool:
            done = list(pool.map(self._predict, parts))
        return [done[i % len(parts)][i // len(parts)] for i in range(len(rows))]

    def _predict(self, rows: Sequence[GeneRow]) -> list[PredictionRow]:
        codes = [encode(row.sequence) for row in rows]
        prompts = [row.read_transcripts() if self.config.complete else () for row in rows]
        sites = self._read(codes, prompts)
        searches: list[GeneSearch | None] = []
        for row, graph, known in zip(rows, sites, prompts, strict=True):
            paths = find_paths(graph.graph, known) if graph is not None else []
            searches.append(None if graph is None else start_search(row.gene_id, graph, paths))
        self.searcher.run([one for one in searches if one is not None])
        return [self._row(row, gene, known) for row, gene, known in zip(rows, searches, prompts, strict=True)]

    @torch.no_grad()
    def _read(
        self, codes: Sequence[npt.NDArray[np.uint8]], prompts: Sequence[tuple[Transcript, ...]]
    ) -> list[SiteGraph | None]:
        forced = [exact_sites(known) for known in prompts]
        if self.device.type == "cpu":
            scored = zip(codes, self.model.score_windows(codes), forced, strict=True)
            return [self.model.graph_of(c, scores, 0, forced=f)[0] for c, scores, f in scored]
        graphs: list[SiteGraph | None] = [None] * len(codes)
        order = sorted(range(len(codes)), key=lambda i: len(codes[i]))
        while order:
            size = max(1, min(len(order), self.config.batch_bases // max(1, len(codes[order[-1]]))))
            group, order = order[-size:], order[:-size]
            longest = max(len(codes[i]) for i in group)
            batch = np.full((len(group), longest), PAD_CODE, dtype=np.int64)
            for row, i in enumerate(group):
                batch[row, : len(codes[i])] = codes[i]
            scores = self.model.score_bases(torch.from_numpy(batch).to(self.device))
            for row, i in enumerate(group):
                graphs[i] = self.model.graph_of(codes[i], scores, row, forced=forced[i])[0]
        return graphs

    def _row(self, row: GeneRow, gene: GeneSearch | None, known: Sequence[Transcript]) -> PredictionRow:
        flags = list(row.flags)
        written = [] if gene is None else self._written(row, gene)
        if gene is None:
            flags.append(NO_TRANSCRIPT)
        elif sum(f.prompt for f in gene.found) < len(known):
            flags.append(PROMPT_LOST)
        scores = [one.scores for one in written]
        placed = [row.reading.to_window(one.transcript) for one in written]
        return PredictionRow(
            gene_id=row.gene_id,
            sample=row.sample,
            seqid=row.seqid,
            start=row.start,
            end=row.end,
            strand=row.strand,
            window_start=row.window_start,
            window_end=row.window_end,
            gsf=write(placed, strand=row.strand) if placed else None,
            scores=tuple(round(s.transcript, 4) for s in scores),
            exon_scores=tuple(tuple(round(v, 4) for v in s.exons) for s in scores),
            donor_scores=tuple(tuple(round(v, 4) for v in s.donors) for s in scores),
            acceptor_scores=tuple(tuple(round(v, 4) for v in s.acceptors) for s in scores),
            confidence=round(max(s.transcript for s in scores), 4) if scores else None,
            flags=tuple(flags),
            model_hash=self.model_hash,
        )

    def _written(self, row: GeneRow, gene: GeneSearch) -> list[_Written]:
        """New transcripts, most probable first; the best one always stays."""
        calibration = self.model.config.calibration
        new: list[_Written] = []
        for ordinal, found in enumerate(gene.found):
            if not found.prompt:
                transcript = found_transcript(found, gene, f"{row.gene_id}.t{ordinal + 1}")
                new.append(_Written(transcript, score(found, gene, ordinal, calibration)))
        new.sort(key=lambda one: -one.scores.transcript)
        floor = self.config.decoding.min_confidence
        return [one for rank, one in enumerate(new) if rank == 0 or one.scores.transcript >= floor]
