"""Kernels that are compiled once: numba's cache, made with an installation and found by every task.

In: nothing, or the directory named by TRANSGENIC_KERNELS. Out: a filled cache of numba.
A surprise: an image is read-only for most users and numba wants to write, so a task copies the image's kernels to
NUMBA_CACHE_DIR before the first of them is imported. `python -m transgenic_tools.generate.kernels` makes them.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)


def use_shipped_kernels() -> None:
    """Copy the kernels of an image to numba's cache; to be called before modules with kernels are imported."""
    shipped, cache = os.environ.get("TRANSGENIC_KERNELS"), os.environ.get("NUMBA_CACHE_DIR")
    if not shipped or not cache or not Path(shipped).is_dir() or Path(cache).exists():
        return
    try:
        Path(cache).parent.mkdir(parents=True, exist_ok=True)
        aside = tempfile.mkdtemp(dir=Path(cache).parent)
        shutil.copytree(shipped, aside, dirs_exist_ok=True)
        os.replace(aside, cache)
    except OSError as error:  # another task was faster, or there is no room: they are compiled again
        logger.debug("kernels of the image are not used: %s", error)


def compile_kernels() -> None:
    """Predict one made-up gene with the embedded model, so that everything `tg-generate` needs is compiled."""
    from transgenic_tools.generate.config import Config
    from transgenic_tools.generate.predict import Predictor
    from transgenic_tools.genome.hashing import stable_rng
    from transgenic_tools.io.rows import GeneRow
    from transgenic_tools.model.network import load_network

    rng = stable_rng("kernels")
    sequence = "".join(rng.choice(list("ACGT"), 2_000))
    row = GeneRow(
        gene_id="gene", sample="sample", seqid="chr", start=0, end=2_000, strand="+", window_start=0,
        window_end=2_000, sequence=sequence, gsf=None, n_transcripts=0, primary_transcript=None, split="test",
    )  # fmt: skip
    model, _ = load_network()
    model.eval().prepare()
    Predictor(model, Config(shards=(), model=None, outdir=Path()), model_hash="").predict([row])


if __name__ == "__main__":
    compile_kernels()
