"""Does it fit, and how long will it take: asked before a run begins.

In: a model configuration, the bases of a micro-batch, and what is learned. Out: bytes by purpose, and one line for the
log; a run that cannot fit is stopped here with advice.
Activations are counted, not guessed: a thin copy of the encoder (one and two layers, true widths) runs on the meta
device, where tensors have sizes and no values, and what autograd would keep is added up; layers scale it.
A surprise: this counts attention's probabilities, which fused kernels never store, so on CUDA it is an upper bound.
"""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from transgenic_tools.errors import OutOfMemoryError
from transgenic_tools.io.memory import free_bytes
from transgenic_tools.model.config import (
    AutoEncoderConfig,
    EmbeddedEncoderConfig,
    MappingConfig,
    ModelConfig,
    StrandEncoderConfig,
)
from transgenic_tools.model.encoders.factory import build_encoder
from transgenic_tools.model.encoders.tokens import TokenEncoder
from transgenic_tools.model.network import Network

#: Share of the free memory that a run may plan with.
USABLE = 0.9
#: Beyond this many bases activations grow with the length (attention has a band or segments), so it is not counted.
LONGEST = 24_000
#: Steps and candidate sites of a gene in a window of 1,000 bases, for the decoder's share (A. thaliana, chromosome 1).
SITES_PER_KB, STEPS_PER_KB = 100, 40


@dataclass(frozen=True)
class Memory:
    """Bytes by purpose.

    Attributes:
        weights, gradients, optimizer, average: Of the parameters (fp32; the last three of the learned ones alone).
        activations: Kept for the backward pass, or the most that is alive in a forward pass.
        passing: Gradients of one layer's activations, while the backward pass is in it.
    """

    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int
    passing: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.average + self.activations + self.passing


class _Kept:
    """Counts the distinct storages that autograd keeps, parameters left out."""

    def __init__(self, module: nn.Module) -> None:
        self.own = {p.untyped_storage()._cdata for p in module.parameters()}
        self.sizes: dict[int, int] = {}
        self.tensors: list[Tensor] = []

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.own:
            self.sizes[storage._cdata] = storage.nbytes()
            self.tensors.append(tensor)  # so that no address is used twice
        return tensor

    @property
    def total(self) -> int:
        return sum(self.sizes.values())


def kept_bytes(module: nn.Module, *inputs: Tensor | None) -> int:
    """Bytes that autograd keeps of one forward pass, and its output."""
    kept = _Kept(module)
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor):
        output = module(*inputs)
    return kept.total + output.untyped_storage().nbytes()


def _thin(config: Any, layers: int) -> Any:
    if isinstance(config, EmbeddedEncoderConfig | StrandEncoderConfig):
        return replace(config, blocks=layers * config.attention_every)
    if hasattr(config, "layers"):
        return replace(config, layers=layers, checkpointing=False)
    architecture = dict(config.architecture) | {"num_hidden_layers": layers}
    return replace(config, architecture=architecture, checkpointing=False)


def _layers(config: Any) -> float:
    if isinstance(config, EmbeddedEncoderConfig | StrandEncoderConfig):
        return config.blocks / config.attention_every
    return config.layers if hasattr(config, "layers") else config.architecture["num_hidden_layers"]


def _one_pass(config: Any, mapping: MappingConfig, bases: int) -> tuple[int, int]:
    """(bytes kept by one window in the encoder's own network, in the mapping)."""
    meta = torch.device("meta")
    with meta:
        encoder = build_encoder(config, mapping).train()
    codes = torch.zeros(1, bases, dtype=torch.long, device=meta)
    if not isinstance(encoder, TokenEncoder):
        return kept_bytes(encoder, codes), 0
    kmer = encoder.tokenizer.kmer
    tokens = math.ceil(bases / kmer)
    size = min(tokens, encoder.segment_tokens)
    step = max(1, encoder.segment_tokens - encoder.overlap_tokens)
    segments = 1 if tokens <= size else math.ceil((tokens - size) / step) + 1
    ids = torch.zeros(1, size, dtype=torch.long, device=meta)
    # transformers looks at a mask's values, which meta tensors do not have
    mask = None if getattr(encoder.backbone, "optional_mask", False) else torch.ones_like(ids, dtype=torch.bool)
    network = kept_bytes(encoder.backbone, ids, mask) * segments
    hidden = torch.zeros(1, tokens, encoder.width, requires_grad=True, device=meta)
    index = torch.zeros(1, bases, dtype=torch.long, device=meta)
    return network, kept_bytes(encoder.mapping, hidden, index, index, codes)


def _activations(config: ModelConfig, bases: int, *, train: bool) -> tuple[int, int]:
    """(bytes kept, bytes of the gradients of one layer)."""
    encoder, mapping = config.encoder, config.mapping
    whole, bases = bases, min(bases, LONGEST)
    one, mapped = _one_pass(_thin(encoder, 1), mapping, bases)
    two, _ = _one_pass(_thin(encoder, 2), mapping, bases)
    layer, outside = two - one, 2 * one - two
    decoder = 0
    if train and getattr(encoder, "checkpointing", False):
        # Only each layer's input is kept; one layer is computed again at a time.
        width = encoder.architecture["hidden_size"] if isinstance(encoder, AutoEncoderConfig) else encoder.dim
        inputs = 4 * width * math.ceil(bases / getattr(encoder, "kmer", 1))
        return int((outside + layer + _layers(encoder) * inputs + mapped) * whole / bases), int(layer * whole / bases)
    if train:
        sizes = config.decoder
        positions = (SITES_PER_KB * sizes.node_layers + STEPS_PER_KB * sizes.layers) * bases / 1000
        decoder = int(4 * 24 * sizes.dim * positions)
    kept = outside + layer * (_layers(encoder) if train else 1) + mapped + decoder
    return int(kept * whole / bases), int(layer * whole / bases) if train else 0


def _embedded_forward(sizes: EmbeddedEncoderConfig, bases: int) -> int:
    """What `_activations` counts for a forward pass, by a formula: counting loads a second's worth of torch's compiler.

    Each channel at 1 bp is kept in 10 forms and each channel of a patch in 12.5; a test holds them together.
    """
    return int(4 * bases * (10 * (sizes.stem + sizes.channels) + 12.5 * sizes.dim / sizes.patch))


def _strands_forward(sizes: StrandEncoderConfig, bases: int) -> int:
    """The same for the encoder of both strands: within a tenth from 2,000 bases on.

    Each channel at 1 bp is kept in 8.5 (stem) and 4.7 forms, each channel of a patch in 33 and in each block of a layer
    in 12 and four times its expansion; attention keeps the probabilities of the keys that a patch looks at.
    """
    keys = min(2.2 * sizes.band, bases / sizes.patch)
    patches = (33 + sizes.attention_every * (12 + 4 * sizes.expansion)) * sizes.dim + 2 * sizes.heads * keys
    return int(4 * bases * (8.5 * sizes.stem + 4.7 * sizes.channels + patches / sizes.patch))


def estimate(
    config: ModelConfig, *, bases: int, train: bool, learned: float = 1.0, half: bool = False, average: bool = True
) -> Memory:
    """Memory of one process.

    Args:
        bases: Of the micro-batch, padding included.
        learned: Share of the parameters that get gradients (adapters, or a frozen encoder, make it small).
        half: Activations in bf16.
        average: Averaged weights are kept.
    """
    with torch.device("meta"):
        parameters = sum(p.numel() for p in Network(config).parameters())
    own = int(parameters * learned) if train else 0
    kept, passing = (size // (2 if half else 1) for size in _activations(config, bases, train=train))
    return Memory(4 * parameters, 4 * own, 8 * own, 4 * own if average else 0, kept, passing)


def free_memory(device: torch.device) -> int:
    """Bytes that this process may still take."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_bytes()


def operations_per_second(device: torch.device, *, half: bool, size: int = 768) -> float:
    """Floating-point operations a second of a matrix product, measured now."""
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16 if half else torch.float32)
    best = math.inf
    for _ in range(3):
        began = time.perf_counter()
        product = matrix @ matrix
        float(product[0, 0])  # waits for CUDA
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def expected_seconds(config: ModelConfig, *, total_bases: int, train: bool, speed: float) -> float:
    """Two operations a parameter and token forward, three times that to learn, at a third of the peak speed."""
    encoder = config.encoder
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build_encoder(encoder, config.mapping).parameters())
    bases_a_step = getattr(encoder, "patch", getattr(encoder, "kmer", 1))
    return 2 * parameters * total_bases / bases_a_step * (3 if train else 1) / (speed / 3)


def check(memory: Memory, device: torch.device, *, half: bool, seconds: float, free: int | None = None) -> str:
    """The preflight line.

    Raises:
        OutOfMemoryError: it cannot fit.
    """
    free = free_memory(device) if free is None else free
    parts = ", ".join(f"{key} {value / 1e9:.2f}" for key, value in asdict(memory).items() if value)
    line = (
        f"{device.type}, {'bf16' if half else 'fp32'}: needs {memory.total / 1e9:.2f} GB ({parts}) of "
        f"{free / 1e9:.2f} GB free; about {_span(seconds)}"
    )
    if memory.total > USABLE * free:
        raise OutOfMemoryError(f"the run cannot fit. {line}", hint=_advice(memory))
    return line


def _span(seconds: float) -> str:
    """A time in words that a reader need not divide."""
    minutes, hours = seconds / 60, seconds / 3600
    return f"{minutes:.0f} min" if minutes < 100 else f"{hours:.0f} h" if hours < 100 else f"{hours / 24:.0f} days"


def shared(memory: Memory, *, zero: int, processes: int) -> Memory:
    """What one of several processes needs where they share optimiser states (ZeRO 1), gradients (2), weights (3)."""
    return replace(
        memory,
        optimizer=memory.optimizer // (processes if zero >= 1 else 1),
        gradients=memory.gradients // (processes if zero >= 2 else 1),
        weights=memory.weights // (processes if zero >= 3 else 1),
    )


def _reading(config: ModelConfig, bases: int) -> Memory:
    """Memory for reading windows of so many bases at once, with a model that lies on its device already."""
    sizes, bases = config.encoder, max(bases, 1000)
    if isinstance(sizes, EmbeddedEncoderConfig):
        return Memory(0, 0, 0, 0, _embedded_forward(sizes, bases))
    if isinstance(sizes, StrandEncoderConfig):
        return Memory(0, 0, 0, 0, _strands_forward(sizes, bases))
    return Memory(0, 0, 0, 0, _activations(config, bases, train=False)[0])


def longest_that_fits(config: ModelConfig, device: torch.device, lengths: Sequence[int], *, times: int = 1) -> int:
    """The longest of these windows of which `times` can be read at once; 0 where none fits."""
    ordered, free = sorted(set(lengths)), free_memory(device)

    def too_large(bases: int) -> bool:
        return _reading(config, bases * times).total > USABLE * free

    fits = bisect.bisect_left(ordered, True, key=too_large)
    return ordered[fits - 1] if fits else 0


def generation_line(
    config: ModelConfig, device: torch.device, *, at_once: int, total_bases: int, half: bool = False
) -> str:
    """The preflight line of tg-generate, for a model that lies on its device already.

    Args:
        at_once: Bases of the windows that are read at the same time.
        half: It computes in bf16; memory is counted as of fp32 all the same.
        total_bases: Of all windows.

    Raises:
        OutOfMemoryError: the trunk's activations cannot fit.
    """
    memory = _reading(config, at_once)
    speed = operations_per_second(device, half=half)
    seconds = expected_seconds(config, total_bases=total_bases, train=False, speed=speed)
    return check(memory, device, half=half, seconds=seconds)


def _advice(memory: Memory) -> str:
    if not memory.gradients:
        return "run where more memory is free, take a smaller preset, or cut longer windows away (tg-prep --max-length)"
    if memory.activations > memory.total / 2:
        return "lower --batch-bases and --max-bases, or set encoder.checkpointing=true"
    if memory.optimizer:
        return "learn adapters (--peft lora), keep the encoder (--freeze encoder), or shard it (--deepspeed, ZeRO 3)"
    return "run where more memory is free, or take a smaller preset"
