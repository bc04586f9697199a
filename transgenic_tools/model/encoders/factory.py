"""Encoders by name, and published weights into them.

In: the configs of encoder and mapping; a directory (or, on request, a hub model). Out: an encoder of bases.
A surprise: sizes are taken from the config.json beside the weights, so `weights` is all a user has to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from transgenic_tools.errors import BadInputError, MissingInputError, TryAgainError, UsageError
from transgenic_tools.io.json_text import read_object
from transgenic_tools.model.config import (
    AutoEncoderConfig,
    EsmEncoderConfig,
    HyenaDnaConfig,
    MappingConfig,
    NucleotideTransformerV2Config,
    StrandEncoderConfig,
)
from transgenic_tools.model.encoders import hyenadna
from transgenic_tools.model.encoders.embedded import EmbeddedEncoder
from transgenic_tools.model.encoders.kmer import (
    Tokenizer,
    base_tokenizer,
    nucleotide_vocabulary,
    read_vocabulary,
    tokenizer_from_vocabulary,
)
from transgenic_tools.model.encoders.nucleotide_transformer_v2 import NucleotideTransformerV2
from transgenic_tools.model.encoders.strands import StrandEncoder
from transgenic_tools.model.encoders.tokens import TokenEncoder
from transgenic_tools.model.mappings import BaseMapping

Pretrained = EsmEncoderConfig | NucleotideTransformerV2Config | HyenaDnaConfig | AutoEncoderConfig
Encoder = EmbeddedEncoder | StrandEncoder | TokenEncoder


def build_encoder(config: Any, mapping: MappingConfig) -> Encoder:
    """The encoder with fresh weights; `mapping` joins token encodings with bases and is unused by the others."""
    if isinstance(config, EsmEncoderConfig | NucleotideTransformerV2Config | HyenaDnaConfig | AutoEncoderConfig):
        backbone, tokenizer = _backbone(config)
        return TokenEncoder(
            backbone,
            BaseMapping(mapping, int(backbone.width), tokenizer.kmer),  # type: ignore[arg-type]
            tokenizer,
            segment_tokens=config.segment_tokens,
            overlap_tokens=config.overlap_tokens,
            segments_per_batch=config.segments_per_batch,
        )
    return StrandEncoder(config) if isinstance(config, StrandEncoderConfig) else EmbeddedEncoder(config)


def _backbone(config: Pretrained) -> tuple[nn.Module, Tokenizer]:
    if isinstance(config, HyenaDnaConfig):
        bases = base_tokenizer(hyenadna.FIRST_BASE_ID, class_id=None, pad_id=hyenadna.PAD_ID)
        return hyenadna.HyenaDna(config), bases
    if isinstance(config, AutoEncoderConfig):
        from transgenic_tools.model.encoders.auto import AutoBackbone, auto_tokenizer

        return AutoBackbone(config), auto_tokenizer(config)
    tokenizer = tokenizer_from_vocabulary(nucleotide_vocabulary(config.kmer), config.kmer)
    if isinstance(config, EsmEncoderConfig):
        from transgenic_tools.model.encoders.esm import EsmBackbone

        return EsmBackbone(config), tokenizer
    return NucleotideTransformerV2(config), tokenizer


# -- published weights -------------------------------------------------------------------------------------------------


def find_weights(weights: str, *, revision: str | None = None, allow_download: bool = False) -> Path:
    """The directory of published weights; the network is asked only with `allow_download` and a pinned revision.

    Raises:
        MissingInputError: neither a directory nor in the local hub cache.
        UsageError: a download without a revision.
        TryAgainError: the hub does not answer.
    """
    directory = Path(weights)
    if directory.is_dir():
        return directory
    if allow_download and not revision:
        raise UsageError(f"weights {weights!r} without a revision", hint="pin encoder.revision to a commit of the hub")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    unreachable = (LocalEntryNotFoundError, ConnectionError, TimeoutError) if allow_download else ()
    try:
        return Path(snapshot_download(weights, revision=revision, local_files_only=not allow_download))
    except unreachable as error:
        raise TryAgainError(
            f"weights {weights!r}: the hub does not answer ({type(error).__name__})",
            hint="try again later, or give a local directory",
        ) from error
    except (OSError, ValueError) as error:
        raise MissingInputError(
            f"no weights {weights!r} here ({type(error).__name__})",
            hint="give a local directory, or allow the download: tg-train --allow-download --revision COMMIT",
        ) from error


#: Keys of a published config.json -> fields of ours.
_SIZES = {
    "vocab_size": "vocab_size",
    "hidden_size": "dim",
    "d_model": "dim",
    "num_hidden_layers": "layers",
    "n_layer": "layers",
    "num_attention_heads": "heads",
    "intermediate_size": "intermediate",
    "d_inner": "intermediate",
    "max_position_embeddings": "max_positions",
    "token_dropout": "token_dropout",
    "layer_norm_eps": "layer_norm_eps",
    "layer_norm_epsilon": "layer_norm_eps",
    "max_seq_len": "max_length",
    "filter_order": "filter_width",
    "num_inner_mlps": "filter_inner",
    "emb_dim": "position_dim",
    "hyena_order": "order",
    "short_filter_order": "short_filter",
    "pad_vocab_size_multiple": "pad_vocab_multiple",
}


def sizes_from_directory(config: Pretrained, directory: Path) -> Pretrained:
    """The config with the sizes that the directory's config.json states."""
    if isinstance(config, AutoEncoderConfig):
        from transgenic_tools.model.encoders.auto import fill_from_directory

        return fill_from_directory(config, directory)
    path = directory / "config.json"
    if not path.is_file():
        return config
    published = read_object(path, hint="give the directory of a published encoder")
    own = set(type(config).__dataclass_fields__)
    sizes = {_SIZES[key]: value for key, value in published.items() if _SIZES.get(key) in own and value is not None}
    return replace(config, **sizes)


def _checkpoint_files(directory: Path) -> list[Path]:
    found = sorted(directory.glob("*.safetensors")) or sorted(directory.glob("pytorch_model*.bin"))
    if not found:
        raise MissingInputError(
            "no *.safetensors or pytorch_model*.bin in the directory", path=directory, hint="check encoder.weights"
        )
    return found


def read_tensors(directory: Path) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a model directory, one at a time; pickles are read in torch's safe mode."""
    for path in _checkpoint_files(directory):
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 not a dict
                    yield name, file.get_tensor(name)
        else:
            yield from torch.load(path, map_location="cpu", weights_only=True).items()


@torch.no_grad()
def load_published(encoder: Encoder, directory: Path, *, trust_remote_code: bool = False) -> int:
    """Copy published tensors into the encoder's backbone; returns how many.

    Raises:
        BadInputError: a tensor is missing or has another shape, or the directory's vocabulary is another one.
    """
    backbone = getattr(encoder, "backbone", None)
    if backbone is None:
        raise UsageError(
            "the embedded encoder takes no published weights", hint="take a trained model: tg-train --init"
        )
    if hasattr(backbone, "load"):
        backbone.load(directory, trust_remote_code=trust_remote_code)
        return len(backbone.state_dict())
    _check_vocabulary(encoder, directory)
    own = dict(backbone.state_dict())
    prefix = getattr(backbone, "prefix", "")
    seen: set[str] = set()
    for published, tensor in read_tensors(directory):
        name = _own_name(published.removeprefix(prefix), own)
        if name not in own:
            continue
        if own[name].shape != tensor.shape:
            raise BadInputError(
                f"{published} has shape {tuple(tensor.shape)}, the encoder expects {tuple(own[name].shape)}",
                path=directory,
                hint="give the encoder the sizes of these weights",
            )
        own[name].copy_(tensor)
        seen.add(name)
    missing = sorted(name for name in set(own) - seen if not any(part in name for part in backbone.unused))
    if missing:
        raise BadInputError(
            f"{len(missing)} of {len(own)} tensors are missing, {missing[0]!r} first",
            path=directory,
            hint="are these the weights of another architecture?",
        )
    return len(seen)


def _own_name(published: str, own: Mapping[str, Tensor]) -> str:
    """Old names of norms, and models saved without their first prefix."""
    name = published.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    return name if name in own else f"esm.{name}"


def _check_vocabulary(encoder: Encoder, directory: Path) -> None:
    path = directory / "vocab.txt"
    if not path.is_file() or not isinstance(encoder, TokenEncoder) or encoder.tokenizer.kmer == 1:
        return
    found = tokenizer_from_vocabulary(read_vocabulary(path), encoder.tokenizer.kmer)
    if found.kmer_ids.tolist() != encoder.tokenizer.kmer_ids.tolist():
        raise BadInputError("the k-mers have other ids than expected", path=path, hint="use the encoder 'auto'")
