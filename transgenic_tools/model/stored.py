"""Token encodings made small, and used again.

In: hidden vectors (T, H) of a window. Out: pooled and rounded values; and an encoder that takes them from a store.
Dims: T tokens, G groups of `pool` neighbouring tokens, H hidden size.
A surprise: a store is asked for each window by its sequence; a window that is not there is simply computed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.io.encodings import EncodingStore, Header, StoredEncoding, window_key
from transgenic_tools.model.encoders.tokens import TokenEncoder
from transgenic_tools.model.network import Network


def token_encoder(model: Network) -> TokenEncoder:
    """The model's encoder where it has token encodings.

    Raises:
        UsageError: a small encoder of our own, which computes faster than a disk reads.
    """
    if not isinstance(model.encoder, TokenEncoder):
        raise UsageError(
            "this encoder has no token encodings to store",
            hint="leave tg-encode out: tg-generate reads DNA by itself with this model; one with a pretrained encoder "
            "comes of tg-train --preset nt500m-led --weights DIR",
        )
    return model.encoder


def backbone_hash(encoder: TokenEncoder) -> str:
    """Digest of the network's weights and of how windows are cut."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{encoder.segment_tokens} {encoder.overlap_tokens}".encode())
    for name, tensor in sorted(encoder.backbone.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def compress(hidden: Tensor, *, codes: np.ndarray, gene_id: str, dtype: str, pool: int) -> StoredEncoding:
    """Mean over `pool` tokens, then float16, or int8 with one scale a group."""
    values = hidden.detach().float().cpu().numpy()
    if pool > 1:
        starts = np.arange(0, len(values), pool)
        sizes = np.diff(np.append(starts, len(values)))
        values = np.add.reduceat(values, starts, axis=0) / sizes[:, None] if len(values) else values
    scales = np.zeros(0, dtype=np.float32)
    if dtype == "int8":
        scales = (np.abs(values).max(axis=1, initial=0.0) / 127).astype(np.float32)
        small = np.rint(values / np.maximum(scales, np.finfo(np.float32).tiny)[:, None]).astype(np.int8)
    else:
        small = values.astype(np.float16)
    return StoredEncoding(gene_id, window_key(codes), len(hidden), small, scales)


def restore(stored: StoredEncoding, pool: int) -> Tensor:
    """(T, H) float32; tokens of one group are equal."""
    values = stored.values.astype(np.float32)
    if len(stored.scales):
        values = values * stored.scales[:, None]
    return torch.from_numpy(np.repeat(values, pool, axis=0)[: stored.n_tokens])


def header_of(encoder: TokenEncoder, *, dtype: str, pool: int) -> Header:
    """What all encodings of one run share."""
    return Header(backbone_hash(encoder), dtype, encoder.width, pool)


def use_stored(model: Network, directory: Path) -> None:
    """`use_store` of a directory of `tg-encode`."""
    use_store(model, EncodingStore(directory))


def use_store(model: Network, store: EncodingStore) -> None:
    """Take token encodings from the store wherever it has the window.

    Raises:
        BadInputError: the store was made by another network.
    """
    encoder = token_encoder(model)
    if backbone_hash(encoder) != store.header.model_hash:
        raise BadInputError(
            "these encodings were made by another network", path=store.directory, hint="run tg-encode with this model"
        )
    pool = store.header.pool

    def look_up(codes: np.ndarray) -> Tensor | None:
        found = store.get(codes)
        return None if found is None else restore(found, pool)

    encoder.look_up = look_up
