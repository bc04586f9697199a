"""How many genes have their first transcript exact, from the trunk and the graph's scores alone.

In: a model directory and a sheet of genomes with held-out genes. Out: for every genome the share of genes whose most
probable path (Viterbi) has the CDS of one of their transcripts, and the CDS exons found, on jittered windows.
Usage: python -m transgenic_tools.train.first_transcripts MODEL --sheet genomes.yaml [--fit NAME,NAME --outdir MODEL]
A surprise: with --fit the scores of the graph are fitted first, on the held-out genes of these genomes together, so the
figures of these genomes are those of the genes that were fitted on (fifteen numbers).
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from transgenic_tools.lattice.config import ScoringConfig
from transgenic_tools.model.files import load_model
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.reader import Reader
from transgenic_tools.train.examples import Example
from transgenic_tools.train.judged import judge_genes
from transgenic_tools.train.recipe import gold_graphs
from transgenic_tools.train.scoring import fit_scoring
from transgenic_tools.train.strand_metrics import held_out_sources

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FirstTranscripts:
    """Counts over genes.

    Attributes:
        genes: Looked at; exact: with the CDS of one of the known transcripts.
        exons, known_exons, right_exons: CDS exons that were written, that the transcripts have, and that are both.
    """

    genes: int
    exact: int
    exons: int
    known_exons: int
    right_exons: int

    def figures(self) -> dict[str, float]:
        """Shares; exons are counted against all transcripts of a gene."""
        recall, precision = self.right_exons / max(self.known_exons, 1), self.right_exons / max(self.exons, 1)
        f1 = 2 * recall * precision / max(recall + precision, 1e-9)
        return {"genes": self.genes, "gene_exact": self.exact / max(self.genes, 1), "exon_f1": f1}


def measure_first(reader: Reader, examples: Sequence[Example]) -> FirstTranscripts:
    """The most probable path of each gene's jittered window against its transcripts."""
    found = judge_genes(reader, examples, DecodingConfig(decoding="viterbi"), seed=1)
    return FirstTranscripts(found.genes, found.exact, found.exons, found.known_exons, found.right_exons)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.first_transcripts", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--sheet", type=Path, required=True)
    parser.add_argument("--fit", default="", help="fit the graph's scores on the held-out genes of these genomes")
    parser.add_argument("--outdir", type=Path, help="where the model with fitted scores is written")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    model, _ = load_model(given.model)
    model.eval()
    genes = {source.entry.name: list(source.genes.get("validation", ())) for source in held_out_sources(given.sheet)}
    names = [name for name in given.fit.split(",") if name]
    if names:
        graphs = [graph for name in names for graph in gold_graphs(Reader(model), genes[name])]
        scoring, before, after = fit_scoring(graphs, ScoringConfig())
        logger.info("scores of the graph: %.2f to %.2f nats a gene", before, after)
        model.refit(scoring=scoring)
        if given.outdir is not None:
            model.save_pretrained(given.outdir)
    reader = Reader(model)
    for name, examples in genes.items():
        if examples:
            print(json.dumps({"genome": name, **measure_first(reader, examples).figures()}), flush=True)


if __name__ == "__main__":
    main()
