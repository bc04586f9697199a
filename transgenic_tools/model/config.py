"""The configuration of a model: one frozen record, one part each for encoder, mapping, decoder, grammar and scoring.

In: the dicts of a saved config.json or a preset. Out: `ModelConfig`; unknown names and keys are refused.
A surprise: nothing of transformers is imported here, because that takes two seconds which `tg-generate` does not need.
`weights` names a directory (or a hub model) to start training from; a trained model carries all its weights
itself and never looks there again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from transgenic_tools.errors import UsageError
from transgenic_tools.lattice.config import GrammarConfig, ScoringConfig
from transgenic_tools.lattice.vocabulary import VOCABULARY_VERSION


@dataclass(frozen=True, kw_only=True)
class EsmEncoderConfig:
    """Nucleotide Transformer v1 and AgroNT: ESM with learned positions over 6-mers. Defaults: NT 500M.

    Attributes:
        dim, layers, heads, intermediate: Of the transformer.
        max_positions: Rows of the position table.
        kmer: Bases a token.
        segment_tokens: Tokens computed together, the class token included.
        overlap_tokens: Tokens that neighbouring segments share; each takes the half that lies deeper in it.
        segments_per_batch: Segments computed at once.
        checkpointing: Compute activations again in the backward pass instead of keeping them.
        weights, revision: Where published weights are, and their commit on a hub.
    """

    name: str = "esm"
    vocab_size: int = 4105
    dim: int = 1280
    layers: int = 24
    heads: int = 20
    intermediate: int = 5120
    max_positions: int = 1002
    token_dropout: bool = True
    kmer: int = 6
    segment_tokens: int = 1000
    overlap_tokens: int = 64
    segments_per_batch: int = 8
    checkpointing: bool = False
    weights: str | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class NucleotideTransformerV2Config:
    """Nucleotide Transformer v2: rotary positions, SwiGLU, no biases in the feed-forward. Defaults: 500M multi-species.

    Attributes are those of `EsmEncoderConfig`.
    """

    name: str = "nucleotide-transformer-v2"
    vocab_size: int = 4107
    dim: int = 1024
    layers: int = 29
    heads: int = 16
    intermediate: int = 4096
    layer_norm_eps: float = 1e-12
    kmer: int = 6
    segment_tokens: int = 1000
    overlap_tokens: int = 64
    segments_per_batch: int = 8
    checkpointing: bool = False
    weights: str | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class HyenaDnaConfig:
    """HyenaDNA at 1 bp. Defaults: medium, 160 kb.

    Attributes:
        dim, layers, intermediate: Of the blocks.
        order: Of the Hyena recurrence; every published model has 2.
        filter_width, filter_inner, position_dim: Of the network that writes the long filters.
        max_length: Length of the published filter, in bases.
        both_strands: Read the reverse complement too and join both; the model alone sees only what comes before.
        segment_tokens, overlap_tokens, segments_per_batch, checkpointing, weights, revision: As for ESM.
    """

    name: str = "hyenadna"
    vocab_size: int = 12
    pad_vocab_multiple: int = 8
    dim: int = 256
    layers: int = 8
    intermediate: int = 1024
    order: int = 2
    short_filter: int = 3
    filter_width: int = 64
    filter_inner: int = 2
    position_dim: int = 5
    max_length: int = 160_002
    layer_norm_eps: float = 1e-5
    both_strands: bool = True
    segment_tokens: int = 32_768
    overlap_tokens: int = 4096
    segments_per_batch: int = 2
    checkpointing: bool = False
    weights: str | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class AutoEncoderConfig:
    """Any transformers `AutoModel` over DNA tokens.

    Attributes:
        architecture: The transformers configuration as a dict with `model_type`; filled from `weights` where empty.
        kmer, vocabulary, class_token, pad_token: How bases become token ids. `vocabulary` lists the tokens by id; where
            it is empty, single bases A, C, G, T, N are ids 0 to 4 after `first_base_id`.
        trust_remote_code: Run the code that lies beside the weights. Off unless asked for by name.
    """

    name: str = "auto"
    architecture: Mapping[str, Any] = field(default_factory=dict)
    kmer: int = 1
    vocabulary: tuple[str, ...] = ()
    first_base_id: int = 0
    class_token: int | None = None
    pad_token: int = 5
    segment_tokens: int = 512
    overlap_tokens: int = 64
    segments_per_batch: int = 8
    checkpointing: bool = False
    weights: str | None = None
    revision: str | None = None
    trust_remote_code: bool = False


@dataclass(frozen=True, kw_only=True)
class MappingConfig:
    """From token encodings to per-base features.

    Attributes:
        name: `linear`, `mlp`, `conv` or `pool`.
        channels: Features a base.
        width: Hidden size of `mlp`, and of the one-hot stem.
        kernel: Of the convolutions at 1 bp.
        pool: Tokens averaged by `pool`.
    """

    name: str = "linear"
    channels: int = 64
    width: int = 64
    kernel: int = 9
    pool: int = 4
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Seq2SeqDecoderConfig:
    """A decoder of transformers: LED, LongT5 or T5, over the candidate sites.

    Attributes:
        name: `led`, `longt5` or `t5`.
        dim, heads, intermediate: Of both stacks.
        node_layers: Encoder layers over the candidate sites.
        layers: Decoder layers.
        window: Attention window of LED, local radius of LongT5, in sites.
        global_attention: `none`, or `sites`: candidates at least `global_probability` probable attend to all (LED).
        max_sites: Rows of LED's position table for sites.
        max_steps: Rows of LED's position table for steps; the first version's 1,024, doubled.
        max_transcripts: Most transcripts of a gene.
    """

    name: str = "led"
    dim: int = 768
    node_layers: int = 6
    layers: int = 6
    heads: int = 12
    intermediate: int = 3072
    dropout: float = 0.1
    window: int = 256
    global_attention: str = "sites"
    global_probability: float = 0.5
    max_sites: int = 16_384
    max_steps: int = 2048
    max_transcripts: int = 12


@dataclass(frozen=True, kw_only=True)
class EmbeddedEncoderConfig:
    """Sizes of the embedded encoder.

    Attributes:
        stem: Channels at 1 bp before the patches.
        channels: Channels at 1 bp after the patches.
        patch: Bases a patch; a multiple of 3 keeps the reading frame.
        dim, blocks, heads, expansion, kernel: Of the patch network.
        attention_every: Every n-th block attends.
        band: Patches seen on each side.
    """

    name: str = "embedded"
    stem: int = 48
    channels: int = 64
    patch: int = 9
    dim: int = 192
    blocks: int = 8
    heads: int = 6
    expansion: int = 3
    kernel: int = 9
    attention_every: int = 2
    band: int = 256
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StrandEncoderConfig:
    """Sizes of the strand-symmetric encoder, all for one strand; the network has them twice.

    Attributes:
        stem: Channels at 1 bp before the patches.
        channels: Channels at 1 bp after the patches.
        patch: Bases a patch; a multiple of 3 keeps the reading frame.
        dim, blocks, heads, expansion, kernel: Of the patch network.
        attention_every: Every n-th block attends.
        band: Patches seen on each side.
    """

    name: str = "strands"
    stem: int = 24
    channels: int = 32
    patch: int = 18
    dim: int = 160
    blocks: int = 6
    heads: int = 4
    expansion: int = 2
    kernel: int = 9
    attention_every: int = 3
    band: int = 256


@dataclass(frozen=True, kw_only=True)
class PointerDecoderConfig:
    """Sizes of the pointing decoder (see `decoders/pointer.py`); models of earlier versions call it `embedded`.

    Attributes:
        band: Sites on each side that a site sees, and steps on its left that a step sees, so that time and memory are
            linear in the window; most genes have fewer.
    """

    name: str = "pointer"
    dim: int = 128
    node_layers: int = 2
    layers: int = 3
    heads: int = 4
    expansion: int = 3
    dropout: float = 0.1
    max_transcripts: int = 12
    band: int = 512


EncoderConfig = (
    EmbeddedEncoderConfig
    | StrandEncoderConfig
    | EsmEncoderConfig
    | NucleotideTransformerV2Config
    | HyenaDnaConfig
    | AutoEncoderConfig
)
DecoderConfig = PointerDecoderConfig | Seq2SeqDecoderConfig

_PARTS: dict[str, dict[str, type]] = {
    "encoder": {
        "embedded": EmbeddedEncoderConfig,
        "strands": StrandEncoderConfig,
        "esm": EsmEncoderConfig,
        "nucleotide-transformer-v2": NucleotideTransformerV2Config,
        "hyenadna": HyenaDnaConfig,
        "auto": AutoEncoderConfig,
    },
    "mapping": dict.fromkeys(("linear", "mlp", "conv", "pool"), MappingConfig),
    "decoder": {
        "pointer": PointerDecoderConfig,
        **dict.fromkeys(("led", "longt5", "t5"), Seq2SeqDecoderConfig),
    },
    "grammar": {"grammar": GrammarConfig},
    "scoring": {"scoring": ScoringConfig},
}
#: Names that models and presets of earlier versions hold.
_FORMER_NAMES = {("decoder", "embedded"): "pointer"}


def build_part(part: str, values: Mapping[str, Any] | None) -> Any:
    """The frozen config of one part.

    Raises:
        UsageError: unknown part name or key.
    """
    values = dict(values or {})
    choices = _PARTS[part]
    if "name" in values:
        values["name"] = _FORMER_NAMES.get((part, values["name"]), values["name"])
    name = values.get("name", next(iter(choices)))
    if name not in choices:
        raise UsageError(f"{part} {name!r} is not known", hint=f"choose one of {', '.join(sorted(choices))}")
    kind = choices[name]
    unknown = set(values) - set(kind.__dataclass_fields__)  # type: ignore[attr-defined]
    if unknown:
        raise UsageError(f"{part} {name!r} has no setting {sorted(unknown)}", hint="see docs/formats.md")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    for key, value in values.items():
        if value == 0 and type(value) is int and key in _MAY_BE_ZERO:
            continue
        if fault := _value_fault(getattr(kind(), key), value):
            raise UsageError(f"{part}.{key} is {value!r}: {fault}", hint="see docs/formats.md")
    sizes = kind(**values)
    dim, heads = getattr(sizes, "dim", 0), getattr(sizes, "heads", 1)
    if dim % heads:
        raise UsageError(f"{part}.dim {dim} is no multiple of {part}.heads {heads}", hint="see docs/formats.md")
    return sizes


#: Numbers of layers: a part of none passes on what it is given.
_MAY_BE_ZERO = frozenset({"layers", "node_layers"})


def _value_fault(default: Any, value: Any) -> str | None:
    """What is wrong with a setting, judged by its default; None where nothing is."""
    if isinstance(default, bool | str):
        return None if type(value) is type(default) else f"{type(default).__name__} is wanted"
    if isinstance(default, int):
        if type(value) is not int:
            return "a whole number is wanted"
        return None if 0 <= value < 1 << 40 and (value or not default) else "it must be above 0"
    if isinstance(default, float):
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return None if numeric and math.isfinite(value) else "a number is wanted"
    if isinstance(default, tuple) and default and isinstance(default[0], float):
        if not isinstance(value, tuple) or len(value) != len(default):
            return f"{len(default)} numbers are wanted"
        return next(filter(None, (_value_fault(0.0, one) for one in value)), None)
    return None


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """All that a network is built from, and what was fitted to its weights.

    Attributes:
        encoder, mapping, decoder: Sizes of the parts that have weights.
        grammar, scoring: Of the graph, see `lattice.config`.
        scan: Weights of the segment model of a scan (`lattice.segments`); None where the model cannot scan.
        calibration: Weights of logistic regressions by name, see `search.confidence`; empty: raw probabilities.
        vocabulary_version: Of `lattice.vocabulary`.
    """

    encoder: EncoderConfig = field(default_factory=EmbeddedEncoderConfig)
    mapping: MappingConfig = field(default_factory=MappingConfig)
    decoder: DecoderConfig = field(default_factory=PointerDecoderConfig)
    grammar: GrammarConfig = field(default_factory=GrammarConfig)
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    scan: ScoringConfig | None = None
    calibration: Mapping[str, Sequence[float]] = field(default_factory=dict)
    vocabulary_version: int = VOCABULARY_VERSION

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """From dicts by part, as presets and config.json have them; a part that is missing or None has its defaults.

        Raises:
            UsageError: unknown part, part name or key.
        """
        if unknown := set(values) - set(cls.__dataclass_fields__):
            raise UsageError(f"a model has no part {sorted(unknown)}", hint="see docs/formats.md")
        calibration = dict(values.get("calibration") or {})
        for name, weights in calibration.items():
            if not isinstance(weights, list | tuple) or any(_value_fault(0.0, one) for one in weights):
                raise UsageError(f"calibration.{name} is {weights!r}: numbers are wanted", hint="see docs/formats.md")
        return cls(
            **{part: build_part(part, values.get(part)) for part in _PARTS},
            scan=build_part("scoring", values["scan"]) if values.get("scan") else None,
            calibration=calibration,
            vocabulary_version=values.get("vocabulary_version", VOCABULARY_VERSION),
        )

    def to_dict(self) -> dict[str, Any]:
        """The dicts that `from_dict` reads."""
        return asdict(self)
