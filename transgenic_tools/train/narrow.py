"""A narrower model, cut out of a trained one: what a student of fewer products begins with.

In: a model directory that reads both strands, a plan of the trunk's training with smaller sizes, a sheet of genomes.
Out: a model directory of the plan's sizes, for `init` of the plan; what it says is to be learned again (`teacher`).
Dims: D patch channels, S stem channels, C base channels, F hidden channels, H heads, A channels of a head.
Usage: python -m transgenic_tools.train.narrow MODEL PLAN.yaml --sheet genomes.yaml --outdir NARROW
A surprise: a channel is kept for what its loss would cost, to first order and summed over all that read it (Molchanov
et al. 2019); but queries and keys keep those rotary angles that are nearest to the narrower heads' own.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor

from transgenic_tools.errors import UsageError
from transgenic_tools.model.config import StrandEncoderConfig
from transgenic_tools.model.encoders.strands import StrandAttention, StrandEncoder, StrandNorm
from transgenic_tools.model.files import load_model
from transgenic_tools.model.strand_trunk import StrandTrunk, trunk_of
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel
from transgenic_tools.train.mixture import StrandBatch, load_step
from transgenic_tools.train.trunk import make_drawer, read_plan, strand_loss

#: What the axes of each tensor are; `{0}` is the number of a block, within which hidden and attention channels lie.
_AXES = {
    r"encoder\.stem_in\.conv\.(?:weight|bias)": ("stem",),
    r"encoder\.stem_mix\.conv\.(?:weight|bias)": ("stem", "stem"),
    r"encoder\.patch\.conv\.(?:weight|bias)": ("dim", "stem"),
    r"encoder\.one_gene": ("dim",),
    r"encoder\.blocks\.(\d+)\.conv\.conv\.(?:weight|bias)": ("dim",),
    r"encoder\.blocks\.(\d+)\.\w+_norm\.weight": ("dim",),
    r"encoder\.blocks\.(\d+)\.attention\.qkv\.(?:even|odd)": ("qkv {0}", "dim"),
    r"encoder\.blocks\.(\d+)\.attention\.out\.(?:even|odd)": ("dim", "value {0}"),
    r"encoder\.blocks\.(\d+)\.up\.(?:even|odd|bias)": ("hidden {0}", "dim"),
    r"encoder\.blocks\.(\d+)\.down\.(?:even|odd|bias)": ("dim", "hidden {0}"),
    r"encoder\.norm\.weight": ("dim",),
    r"encoder\.expand\.(?:even|odd|bias)": ("patch", "dim"),
    r"encoder\.skip\.conv\.(?:weight|bias)": ("channels", "stem"),
    r"encoder\.base_mix\.conv\.(?:weight|bias)": ("channels", "channels"),
    r"(?:head\.project|decoder\.site_in)\.weight": ("", "channels"),
}


def axes_of(name: str) -> tuple[str, ...]:
    """What the first axes of a tensor are; none for one that keeps its size."""
    for pattern, axes in _AXES.items():
        if found := re.fullmatch(pattern, name):
            return tuple(axis.format(*found.groups()) for axis in axes)
    return ()


def _read_along(name: str) -> tuple[int, str] | None:
    """Axis along which a tensor reads channels, and which; a norm reads the patches' for all that is behind it."""
    axes = axes_of(name)
    if "norm" in name:
        return 0, axes[0]
    return (1, axes[1]) if len(axes) > 1 and axes[1] != "dim" and not name.endswith("bias") else None


# -- what a channel is worth -------------------------------------------------------------------------------------------


def channel_worth(trunk: StrandTrunk, batches: Iterator[tuple[StrandBatch, bool]]) -> dict[str, Tensor]:
    """Sum over micro-batches of the square of what the loss would change by, to first order, were a channel not read.

    Args:
        batches: Micro-batches, and whether each window holds one gene.
    """
    worth: dict[str, Tensor] = {}
    for batch, one_gene in batches:
        trunk.zero_grad()
        loss, _ = strand_loss((trunk(batch.codes),) if one_gene else trunk.scan(batch.codes), batch)
        loss.backward()
        changes: dict[str, Tensor] = {}
        for name, parameter in trunk.named_parameters():
            if (reads := _read_along(name)) is not None and parameter.grad is not None:
                axis, kind = reads
                change = (parameter.detach() * parameter.grad).movedim(axis, 0)
                changes[kind] = changes.get(kind, 0) + change.reshape(len(change), -1).sum(1)
        for kind, change in changes.items():
            worth[kind] = worth.get(kind, 0) + change.square()
    return worth


# -- which channels are kept -------------------------------------------------------------------------------------------


def _most(worth: Tensor, number: int) -> Tensor:
    return worth.argsort(descending=True, stable=True)[:number].sort().values


def kept_channels(worth: Mapping[str, Tensor], old: StrandEncoderConfig, new: StrandEncoderConfig) -> dict[str, Tensor]:
    """Indices of what is kept along each kind of axis, ascending but for `qkv` and `value`, which go head by head.

    Raises:
        UsageError: the new sizes are larger, or differ in more than widths.
    """
    narrow = ("stem", "channels", "dim", "expansion")
    widths = {name: getattr(new, name) for name in narrow}
    if new != replace(old, **widths) or any(width > getattr(old, name) for name, width in widths.items()):
        raise UsageError(f"{new} is no narrower form of {old}", hint="change stem, channels, dim and expansion alone")
    kept = {kind: _most(worth[kind], getattr(new, kind)) for kind in ("stem", "dim", "channels")}
    kept["patch"] = torch.cat([i * old.channels + kept["channels"] for i in range(old.patch)])
    for kind, value in worth.items():
        if kind.startswith("hidden"):
            kept[kind] = _most(value, new.expansion * new.dim)
        elif kind.startswith("value"):
            size, least = old.dim // old.heads, new.dim // new.heads
            kept[kind] = torch.cat([i * size + _most(part, least) for i, part in enumerate(value.split(size))])
            pairs = (torch.arange(least // 2) * size / least).round().long()
            turned = torch.cat([torch.cat((pairs, pairs + size // 2)) + i * size for i in range(old.heads)])
            kept[kind.replace("value", "qkv")] = torch.cat((turned, turned + old.dim, kept[kind] + 2 * old.dim))
    return kept


def cut(state: Mapping[str, Tensor], kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The kept channels of all tensors of a trunk."""
    narrow = {}
    for name, value in state.items():
        for axis, kind in enumerate(axes_of(name)[: value.ndim]):
            if kind in kept:
                value = value.index_select(axis, kept[kind])
        narrow[name] = value.clone()
    return narrow


@torch.no_grad()
def match_norms(narrow: StrandEncoder, wide: StrandEncoder, kept: Tensor, batches: Iterator[StrandBatch]) -> None:
    """Scale norms to what the kept channels of the wider trunk have, and queries for fewer channels.

    A root mean square over the channels that matter most is larger than over all of them.
    """
    ratios: dict[str, list[Tensor]] = {}
    norms = {name: module for name, module in wide.named_modules() if isinstance(module, StrandNorm)}

    def measure(name: str, x: Tensor) -> None:
        rms = x.float().square().mean((0, -1)).sqrt()
        part = x.float()[..., kept].square().mean((0, -1)).sqrt()
        ratios.setdefault(name, []).append((part / rms.clamp(min=1e-6)).mean())

    hooks = [
        module.register_forward_pre_hook(lambda _, given, name=name: measure(name, given[0]))
        for name, module in norms.items()
    ]
    for batch in batches:
        wide.read(batch.codes, one_gene=False, both=True)
    for hook in hooks:
        hook.remove()
    for name, norm in narrow.named_modules():
        if isinstance(norm, StrandNorm):
            norm.weight.mul_(torch.stack(ratios[name]).mean())
    old, new = wide.config, narrow.config
    for layer in narrow.modules():
        if isinstance(layer, StrandAttention):
            for weight in (layer.qkv.even, layer.qkv.odd):
                weight[: new.dim].mul_((old.dim / new.dim) ** 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m transgenic_tools.train.narrow", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--sheet", type=Path, required=True, help="genomes to learn from")
    parser.add_argument("--outdir", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=40, help="steps of the plan to judge channels by")
    given = parser.parse_args()
    plan = replace(read_plan(given.plan), init=None)
    model, _ = load_model(given.model)
    wide = trunk_of(model)
    drawer = make_drawer(given.sheet, plan.mixture)
    steps = [load_step(drawer, step) for step in range(given.steps)]
    pairs = ((batch, i == 0) for step in steps for i, batch in enumerate(step) if batch is not None)
    kept = kept_channels(channel_worth(wide, pairs), wide.encoder.config, plan.encoder)
    settings = {**model.settings.to_dict(), "encoder": asdict(plan.encoder)}
    narrow = TransgenicModel(TransgenicConfig(**settings))
    narrow.load_state_dict(cut(model.state_dict(), kept))
    read = (genes if tiles is None else tiles for genes, tiles in steps[:8])
    match_norms(trunk_of(narrow).encoder, wide.encoder, kept["dim"], (batch for batch in read if batch is not None))
    narrow.save_pretrained(given.outdir)


if __name__ == "__main__":
    main()
