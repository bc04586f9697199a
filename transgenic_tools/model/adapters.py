"""Adapters: a few learned numbers inside a frozen pretrained encoder.

In: a model and a method (`lora`, `ia3`). Out: the same model with adapters in its encoder; their tensors alone; and a
plain model with the adapters merged into its weights.
A surprise: mapping, head and decoder are learned in full, since nothing of them is pretrained.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from transgenic_tools.errors import BadInputError, UsageError
from transgenic_tools.model.transgenic import TransgenicModel
from transgenic_tools.provenance import write_aside

ADAPTER_FILE = "adapter.safetensors"
#: Linear layers that take an adapter: attention's, Hyena's projections, those of the embedded encoder; and for IA3 the
#: last layer of the feed-forward.
_ATTENTION = ("query", "key", "value", "in_proj", "out_proj", "qkv")
_FEED_FORWARD = ("output.dense", "fc2", "down")
_MARKS = ("lora_", "ia3_")


def backbone_of(model: TransgenicModel) -> nn.Module:
    """The part of the encoder that may be pretrained; all of it for the embedded one."""
    return getattr(model.encoder, "backbone", model.encoder)


def _targets(backbone: nn.Module, names: tuple[str, ...]) -> list[str]:
    found = [
        path
        for path, module in backbone.named_modules()
        if isinstance(module, nn.Linear) and any(path == name or path.endswith(f".{name}") for name in names)
    ]
    return [path for path in found if not path.endswith("attention.output.dense")]


def add_adapters(model: TransgenicModel, method: str, *, rank: int = 8) -> int:
    """Put adapters into the encoder and freeze the rest of it; returns how many numbers they hold.

    Raises:
        UsageError: an unknown method, or an encoder without a layer that could take one.
    """
    import peft

    backbone = backbone_of(model)
    attention, feed_forward = _targets(backbone, _ATTENTION), _targets(backbone, _FEED_FORWARD)
    if not attention:
        raise UsageError("no layer of this encoder can take an adapter", hint="use --peft none")
    config: Any
    if method == "lora":
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=attention)
    elif method == "ia3":
        config = peft.IA3Config(target_modules=attention + feed_forward, feedforward_modules=feed_forward)
    else:
        raise UsageError(f"adapter method {method!r}", hint="choose lora, ia3 or none")
    peft.inject_adapter_in_model(config, backbone)
    return sum(tensor.numel() for tensor in adapter_state(model).values())


def adapter_state(model: TransgenicModel) -> dict[str, Tensor]:
    """Tensors of the adapters alone."""
    return {name: p for name, p in model.state_dict().items() if any(mark in name for mark in _MARKS)}


def save_adapters(model: TransgenicModel, directory: Path) -> Path:
    """`adapter.safetensors` in a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in adapter_state(model).items()}
    with write_aside(directory / ADAPTER_FILE) as aside:
        save_file(tensors, aside)
    return directory / ADAPTER_FILE


@torch.no_grad()
def load_adapters(model: TransgenicModel, directory: Path) -> None:
    """Tensors of `save_adapters` into a model that has the same adapters.

    Raises:
        BadInputError: names or shapes differ.
    """
    own, found = adapter_state(model), load_file(directory / ADAPTER_FILE)
    if {name: t.shape for name, t in own.items()} != {name: t.shape for name, t in found.items()}:
        raise BadInputError(
            "the adapters are those of another model", path=directory, hint="use the same --peft, rank and encoder"
        )
    for name, tensor in own.items():
        tensor.copy_(found[name])


@torch.no_grad()
def merged(model: TransgenicModel) -> TransgenicModel:
    """A plain model with the adapters merged into its weights; `model` stays as it is."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    twin = copy.deepcopy(model)
    for module in twin.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()
    state = {
        name.replace(".base_layer.", "."): tensor
        for name, tensor in twin.state_dict().items()
        if not any(mark in name for mark in _MARKS)
    }
    plain = TransgenicModel(copy.deepcopy(model.config))
    plain.load_state_dict(state)
    return plain.eval()
