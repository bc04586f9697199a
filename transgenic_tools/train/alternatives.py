"""Fit how probable alternatives are for a model: boosted trees over what candidates look like.

In: a model directory and gene shards with known transcripts. Out: `alternatives.json`, which belongs into the model
directory; and, on the held-out genes, what it wins.
Usage: python -m transgenic_tools.train.alternatives MODEL --shards DIR --out MODEL/alternatives.json
A surprise: trees are grown on genes that the network has learned; there are not enough others, and it is as often
right on those. Every gene is seen twice: as generation meets it, and with its main isoform known, as `--complete` does.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from transgenic_tools.errors import UsageError
from transgenic_tools.genome.gene import Transcript
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import read_shard
from transgenic_tools.lattice.paths import exact_sites, find_path
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.alternatives import AlternativeScoring, Trees, write_alternatives
from transgenic_tools.model.files import load_network, model_hash
from transgenic_tools.provenance import Provenance
from transgenic_tools.search.alternatives import Candidate, find_candidates, first_of
from transgenic_tools.search.confidence import found_transcript
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.departures import AT, FEATURES
from transgenic_tools.search.further import judge
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.search import GeneSearch, Searcher, start_search
from transgenic_tools.train.examples import chosen_rows

logger = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]
#: Genes that are read and searched together.
GENES = 64
#: From which probabilities candidates are written, see `AlternativeScoring`. Chosen with trees of four folds on 5,092
#: training and 347 other genes, and on validation for UTRs (docs/lab-notebook.md): at most a quarter of a CDS more a
#: gene, and an F1 of transcripts that is not below that of first transcripts alone.
MIN_RIGHT, MIN_FURTHER, MIN_BESIDE, MIN_ADDED = 0.25, 0.18, 0.4, 0.5


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One candidate of one gene, and whether it is right.

    Attributes:
        right: It is an isoform of the gene: by its CDS, or where that is the first's by its introns.
        further: With it there is one isoform more beside the gene's main one, its longest CDS: it is right and, if
            longer than the first transcript, so is that; if not longer, it is not the main one.
        same_cds: Its CDS is the first transcript's.
    """

    gene: str
    features: Floats
    right: bool
    further: bool
    known: bool
    same_cds: bool


def _main_of(transcripts: Sequence[Transcript]) -> Transcript:
    return max(transcripts, key=lambda t: t.size)


def _judged(gene: GeneSearch, candidates: Iterable[Candidate], isoforms: Sequence[Transcript]) -> Iterator[Sample]:
    cds, main = {t.cds for t in isoforms}, _main_of(isoforms)
    whole = {(t.cds, t.introns) for t in isoforms}
    first = found_transcript(first_of(gene), gene, "first")
    for candidate in candidates:
        transcript, like_first = candidate.transcript, bool(candidate.features[AT.same_cds])
        right = (transcript.cds, transcript.introns) in whole if like_first else transcript.cds in cds
        beside = first.cds in cds if transcript.cds_length > first.cds_length else transcript.cds != main.cds
        yield Sample(
            gene=gene.key, features=candidate.features, right=right, further=right and (like_first or beside),
            known=bool(candidate.features[AT.known]), same_cds=like_first,
        )  # fmt: skip


def _with_prompt(gene: GeneSearch, main: Transcript) -> GeneSearch | None:
    """The same search where it has written the main isoform first of itself: as if that had been known."""
    path = find_path(gene.sites.graph, main)
    if path is None or path.core(gene.sites.graph) != gene.found[0].path.core(gene.sites.graph):
        return None
    return replace(gene, found=[replace(gene.found[0], prompt=True), *gene.found[1:]])


def collect(rows: Sequence[GeneRow], reader: Reader, config: DecodingConfig) -> Iterator[Sample]:
    """Candidates of some genes, as they are predicted and with their main isoform known."""
    searcher = Searcher(reader.network.decoder, config, dtype=reader.dtype)
    for begin in range(0, len(rows), GENES):
        part = rows[begin : begin + GENES]
        isoforms = [[t for t in row.read_transcripts() if t.cds] for row in part]
        windows = [WindowInput.of(row.sequence) for row in part]
        scored = list(reader.score_windows(windows))

        def search(wanted: Sequence[int], prompts: Mapping[int, Transcript]) -> dict[int, GeneSearch]:
            genes = {}
            for i in wanted:
                forced = exact_sites([prompts[i]]) if i in prompts else ()
                graph, _ = reader.graph_of(windows[i], scored[i], 0, forced=forced, floor=config.floor)  # noqa: B023
                path = find_path(graph.graph, prompts[i]) if graph is not None and i in prompts else None
                if graph is not None and (i not in prompts or path is not None):
                    genes[i] = start_search(part[i].gene_id, graph, [path] if path is not None else ())  # noqa: B023
            searcher.run(list(genes.values()))
            return genes

        some = [i for i in range(len(part)) if isoforms[i]]
        plain = search(some, {})
        mains = {i: _main_of(isoforms[i]) for i in some}
        prompted = {i: known for i, gene in plain.items() if (known := _with_prompt(gene, mains[i])) is not None}
        again = [i for i in some if i not in prompted]
        prompted |= search(again, {i: mains[i] for i in again})
        for genes in (plain, prompted):
            for i, gene in genes.items():
                yield from _judged(gene, find_candidates(gene, windows[i].codes), isoforms[i])
        logger.info("%d of %d genes", begin + len(part), len(rows))


def grow(
    features: Floats,
    outcomes: npt.NDArray[np.bool_],
    *,
    rounds: int = 150,
    leaves: int = 16,
    depth: int | None = None,
    rate: float = 0.06,
    seed: int = 1,
) -> Trees:
    """Boosted trees, so many, of so many leaves at most, each so many questions deep at most.

    Raises:
        UsageError: scikit-learn is not installed, or the candidates are all right or all wrong.
    """
    if outcomes.all() or not outcomes.any():
        raise UsageError(
            f"{len(outcomes)} candidates, of which {int(outcomes.sum())} are right: there is nothing to learn",
            hint="take more genes, with several isoforms",
        )
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise UsageError("scikit-learn is not installed", hint="pip install 'transgenic-tools[fit]'") from error
    with threadpool_limits(1):  # sums of one thread are the same each time
        machine = HistGradientBoostingClassifier(
            max_iter=rounds, learning_rate=rate, max_leaf_nodes=leaves, max_depth=depth, min_samples_leaf=15,
            l2_regularization=10.0, max_features=0.3, early_stopping=False, random_state=seed,
        ).fit(features.astype(np.float32), outcomes)  # fmt: skip
    # There is no public way to the nodes; a test holds the probabilities of both against each other.
    trees = [stage[0].nodes for stage in machine._predictors]
    most = max(len(nodes) for nodes in trees)

    def filled(name: str) -> npt.NDArray[Any]:
        return np.array([np.append(nodes[name], np.zeros(most - len(nodes), nodes[name].dtype)) for nodes in trees])

    itself = np.arange(most)[None]
    inner = (itself < [[len(nodes)] for nodes in trees]) & (filled("is_leaf") == 0)
    return Trees(
        bias=round(float(machine._baseline_prediction.item()), 6),
        feature=np.where(inner, filled("feature_idx"), -1).astype(np.int64),
        threshold=np.where(inner, filled("num_threshold"), 0.0),
        left=np.where(inner, filled("left"), itself).astype(np.int64),
        right=np.where(inner, filled("right"), itself).astype(np.int64),
        value=np.where(inner, 0.0, filled("value")).round(6),
    )


@dataclass(frozen=True, kw_only=True)
class _Table:
    """Samples as arrays, and (N,) what each is."""

    features: Floats
    right: npt.NDArray[np.bool_]
    further: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    same_cds: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> _Table:
        def flags(name: str) -> npt.NDArray[np.bool_]:
            return np.array([getattr(sample, name) for sample in samples], dtype=bool)

        return cls(
            features=np.array([sample.features for sample in samples]).reshape(-1, len(FEATURES)),
            **{name: flags(name) for name in ("right", "further", "known", "same_cds")},
        )


def fit(
    learned: Sequence[Sample], held_out: Sequence[Sample], n_genes: int
) -> tuple[AlternativeScoring, dict[str, Any]]:
    """Trees, and figures on the held-out genes."""
    table, check = _Table.of(learned), _Table.of(held_out)
    own = ~table.known & ~table.same_cds
    scoring = AlternativeScoring(
        right=grow(table.features[own], table.right[own]),
        further=grow(table.features[own], table.further[own]),
        added=grow(table.features[~own], table.right[~own]),
        min_right=MIN_RIGHT, min_further=MIN_FURTHER, min_beside=MIN_BESIDE, min_added=MIN_ADDED,
    )  # fmt: skip
    _, written = judge(check.features, scoring, DecodingConfig())

    def shares(kind: npt.NDArray[np.bool_]) -> dict[str, float]:
        chosen = written & kind
        n = int(chosen.sum())
        return {
            "number": n,
            "right": round(float(check.right[chosen].mean()), 4) if n else 0.0,
            "further": round(float(check.further[chosen].mean()), 4) if n else 0.0,
        }

    return scoring, {
        "learned": len(learned), "held_out": len(held_out), "genes": n_genes,
        "written": shares(~check.known & ~check.same_cds), "written_utr": shares(~check.known & check.same_cds),
        "added": shares(check.known & ~check.same_cds), "added_utr": shares(check.known & check.same_cds),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.alternatives", description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", help="model directory; the embedded one by default")
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    parser.add_argument("--split", default="train", help="genes to grow trees on: SPLIT or SPLIT:NUMBER")
    parser.add_argument("--held-out", default="validation", help="genes that the model has not learned")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    network, directory = load_network(given.model)
    reader = Reader(network.eval())
    rows = [row for row in read_shard(given.shards) if row.gsf and row.split != "test"]
    held_out = chosen_rows(rows, given.held_out)
    learned = list(collect(chosen_rows(rows, given.split), reader, DecodingConfig()))
    unseen = list(collect(held_out, reader, DecodingConfig()))
    scoring, figures = fit(learned, unseen, len(held_out))
    parameters = {
        "model": model_hash(directory), "split": given.split, "held_out": given.held_out, "figures": figures,
    }  # fmt: skip
    provenance = Provenance("transgenic_tools.train.alternatives", parameters)
    write_alternatives(given.out, scoring, features=FEATURES, provenance=provenance)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
