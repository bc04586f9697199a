"""Tiny configurations of every part, and windows to run them on."""

from __future__ import annotations

from typing import Any

import torch

from transgenic_tools.genome.sequence import encode
from transgenic_tools.lattice.vocabulary import PAD_CODE

ENCODERS: dict[str, dict[str, Any]] = {
    "embedded": {"stem": 8, "channels": 8, "dim": 12, "blocks": 2, "heads": 1},
    "strands": {
        "name": "strands", "stem": 4, "channels": 8, "dim": 8, "blocks": 2, "heads": 1, "patch": 6,
        "attention_every": 2,
    },
    "esm": {
        "name": "esm", "dim": 12, "layers": 2, "heads": 2, "intermediate": 16, "max_positions": 18,
        "segment_tokens": 16, "overlap_tokens": 4, "segments_per_batch": 3,
    },
    "nucleotide-transformer-v2": {
        "name": "nucleotide-transformer-v2", "dim": 16, "layers": 2, "heads": 2, "intermediate": 24,
        "segment_tokens": 16, "overlap_tokens": 4, "segments_per_batch": 3,
    },
    "hyenadna": {
        "name": "hyenadna", "dim": 8, "layers": 2, "intermediate": 16, "filter_width": 6, "max_length": 128,
        "segment_tokens": 64, "overlap_tokens": 16,
    },
    "auto": {
        "name": "auto", "segment_tokens": 64, "overlap_tokens": 16,
        "architecture": {
            "model_type": "bert", "vocab_size": 8, "hidden_size": 12, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 64,
        },
    },
}  # fmt: skip
#: Those that are trained here, not by others.
OWN = ("embedded", "strands")
DECODERS: dict[str, dict[str, Any]] = {
    "pointer": {"dim": 16, "heads": 2, "layers": 1, "node_layers": 1},
    **{
        name: {
            "name": name, "dim": 16, "heads": 2, "layers": 1, "node_layers": 1, "intermediate": 16, "window": 4,
            "max_sites": 512, "max_steps": 256, "dropout": 0.0,
        }
        for name in ("led", "longt5", "t5")
    },
}  # fmt: skip
MAPPINGS = ("linear", "mlp", "conv", "pool")


def windows(*texts: str) -> torch.Tensor:
    """Base codes (B, L), padded at the right."""
    longest = max(map(len, texts))
    rows = [torch.from_numpy(encode(text)).long() for text in texts]
    return torch.stack([torch.nn.functional.pad(row, (0, longest - len(row)), value=PAD_CODE) for row in rows])


def random_text(length: int, seed: int = 1) -> str:
    """Bases drawn at random, with one unknown base in the middle."""
    generator = torch.Generator().manual_seed(seed)
    letters = [("ACGT")[i] for i in torch.randint(0, 4, (length,), generator=generator).tolist()]
    letters[length // 2] = "N"
    return "".join(letters)
