"""All kernels of generation, compiled ahead: an image is made with them.

In: nothing. Out: kernels in their place (see `transgenic_tools.kernels`).
A surprise: an image is read-only for most users and numba wants to write, so a task copies the image's kernels, those
under TRANSGENIC_KERNELS, to a place of its own. `python -m transgenic_tools.generate.kernels` makes them.
"""

from __future__ import annotations

from pathlib import Path


def compile_kernels() -> None:
    """Predict one made-up gene with the embedded model, so that everything `tg-generate` needs is compiled."""
    from transgenic_tools.generate.config import Config
    from transgenic_tools.generate.predict import Predictor
    from transgenic_tools.genome.hashing import stable_rng
    from transgenic_tools.io.rows import GeneRow
    from transgenic_tools.model.alternatives import load_alternatives
    from transgenic_tools.model.files import load_network
    from transgenic_tools.search.departures import FEATURES
    from transgenic_tools.search.reader import Reader

    rng = stable_rng("kernels")
    sequence = "".join(rng.choice(list("ACGT"), 2_000))
    row = GeneRow(
        gene_id="gene", sample="sample", seqid="chr", start=0, end=2_000, strand="+", window_start=0,
        window_end=2_000, sequence=sequence, gsf=None, n_transcripts=0, primary_transcript=None, split="test",
    )  # fmt: skip
    model, directory = load_network()
    alternatives, config = load_alternatives(directory, features=FEATURES), Config(shards=(), model=None, outdir=Path())
    Predictor(Reader(model.eval()), config, model_hash="", alternatives=alternatives).predict([row])


if __name__ == "__main__":
    compile_kernels()
