"""Token encodings of all windows, one file a shard.

In: gene shards and a model with a pretrained encoder. Out: `encodings-*.parquet` that tg-generate and tg-train read.
A surprise: a file that is there already for the same network and settings is kept, so a killed run goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from transgenic_tools.encode.config import Config
from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.genome.sequence import encode as base_codes
from transgenic_tools.io.encodings import EncodingStore, Header, StoredEncoding, write_encodings
from transgenic_tools.io.progress import Progress
from transgenic_tools.io.rows import GeneRow
from transgenic_tools.io.shards import expand_shards, read_lengths, read_shard
from transgenic_tools.lattice.vocabulary import PAD_CODE
from transgenic_tools.model.encoders.tokens import TokenEncoder
from transgenic_tools.model.files import load_model
from transgenic_tools.model.network import pick_device
from transgenic_tools.model.stored import compress, header_of, token_encoder
from transgenic_tools.provenance import Provenance

logger = logging.getLogger(__name__)
_ITEM = {"int8": 1, "float16": 2}


@dataclass(frozen=True)
class Result:
    """What a run left behind.

    Attributes:
        announced: Bytes of values, as computed before the start.
        written: Bytes of the files.
    """

    genes: int
    announced: int
    written: int
    reused: int
    seconds: float
    files: tuple[Path, ...]


def expected_bytes(bases: int, *, kmer: int, width: int, dtype: str, pool: int) -> int:
    """Values and scales of windows without unknown bases: `bases / kmer / pool` vectors."""
    vectors = -(-bases // (kmer * pool))
    return vectors * (width * _ITEM[dtype] + (4 if dtype == "int8" else 0))


def run(config: Config) -> Result:
    """Announce the size, then encode shard by shard.

    Raises:
        UsageError: larger than `limit_gb`, or a model with the embedded encoder.
    """
    began = time.perf_counter()
    torch.set_num_threads(config.threads)
    shards = expand_shards(config.shards)
    model, _ = load_model(config.model)
    device = pick_device(config.device)
    model.eval().to(device)
    logger.info("device %s, %d thread(s)", device, config.threads)
    encoder = token_encoder(model)
    header = header_of(encoder, dtype="float16" if config.dtype == "fp16" else "int8", pool=config.pool)
    lengths = [bases for shard in shards for bases in read_lengths(shard)]
    genes, bases = len(lengths), sum(lengths)
    announced = _announce(config, encoder, header, genes=genes, bases=bases)
    files, written, reused, progress = [], 0, 0, Progress(logger, total=genes, all_bases=bases)
    targets = [config.outdir / f"encodings-{shard.stem.removeprefix('genes-')}.parquet" for shard in shards]
    if len(set(targets)) < len(targets):
        raise UsageError("two shards have the same file name", hint="run them with different --outdir")
    for path, shard in zip(targets, shards, strict=True):
        files.append(path)
        if not config.overwrite and _is_current(path, header, shard):
            reused += 1
            written += path.stat().st_size
            lengths = read_lengths(shard)
            progress.skip(len(lengths), sum(lengths))
            continue
        stamp = Provenance("tg-encode", {"shard": shard.name, "model_hash": header.model_hash})
        encoded = _encoded(config, encoder, header, shard, progress)
        written += write_encodings(path, encoded, header, provenance=stamp)
    return Result(genes, announced, written, reused, time.perf_counter() - began, tuple(files))


def _announce(config: Config, encoder: TokenEncoder, header: Header, *, genes: int, bases: int) -> int:
    size = expected_bytes(bases, kmer=encoder.tokenizer.kmer, width=header.width, dtype=header.dtype, pool=header.pool)
    logger.info(
        "%d windows, %d bases: at most %.3f GB in all, %.3f MB a gene (%s, %d tokens a vector)",
        *(genes, bases, size / 1e9, size / 1e6 / max(genes, 1), header.dtype, header.pool),
    )
    if size > config.limit_gb * 1e9:
        raise UsageError(
            f"{size / 1e9:.1f} GB of encodings, more than --limit-gb {config.limit_gb}",
            hint="raise --pool, take --dtype int8, raise --limit-gb, or encode on the fly (leave tg-encode out)",
        )
    return size


def _is_current(path: Path, header: Header, shard: Path) -> bool:
    """The file holds this shard's windows, made by this network with these settings."""
    if not path.exists():
        return False
    try:
        store = EncodingStore(path.parent)
        if store.header != header:
            return False
        return all(store.get(base_codes(row.sequence)) is not None for row in read_shard(shard))
    except BadInputError as error:
        if error.path == str(shard):
            raise
        return False  # a damaged file is made again


def _encoded(
    config: Config, encoder: TokenEncoder, header: Header, shard: Path, progress: Progress
) -> Iterator[StoredEncoding]:
    group: list[GeneRow] = []
    for row in read_shard(shard):
        longest = max(len(one.sequence) for one in (row, *group))
        if group and longest * (len(group) + 1) > config.batch_bases:
            yield from _encode_group(encoder, header, group)
            progress.add(len(group), sum(len(row.sequence) for row in group))
            group = []
        group.append(row)
    if group:
        yield from _encode_group(encoder, header, group)
        progress.add(len(group), sum(len(row.sequence) for row in group))


@torch.no_grad()
def _encode_group(encoder: TokenEncoder, header: Header, group: list[GeneRow]) -> Iterator[StoredEncoding]:
    rows = [base_codes(row.sequence) for row in group]
    table = np.full((len(rows), max(map(len, rows))), PAD_CODE, dtype=np.int64)
    for line, own in zip(table, rows, strict=True):
        line[: len(own)] = own
    device = next(encoder.parameters()).device
    encoded = encoder.encode(torch.from_numpy(table).to(device))
    for index, (row, own) in enumerate(zip(group, rows, strict=True)):
        hidden = encoded.hidden[index, : encoded.counts[index]]
        yield compress(hidden, codes=own, gene_id=row.gene_id, dtype=header.dtype, pool=header.pool)
