"""Configuration of the model: which encoder, mapping, decoder and head, and their sizes.

In: keyword arguments or a saved config.json. Out: `TransgenicConfig`, a transformers `PretrainedConfig`.
A surprise: parts are plain dicts in the JSON and frozen dataclasses in the code; unknown keys are refused.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from transformers import PretrainedConfig

from transgenic_tools.errors import UsageError
from transgenic_tools.model.config_parts import (
    AutoEncoderConfig,
    EsmEncoderConfig,
    HyenaDnaConfig,
    MappingConfig,
    NucleotideTransformerV2Config,
    Seq2SeqDecoderConfig,
)
from transgenic_tools.model.vocabulary import VOCABULARY_VERSION


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class PointerDecoderConfig:
    """Sizes of the pointing decoder (see `decoders/pointer.py`).

    Attributes:
        band: Sites on each side that a site sees, and steps on its left that a step sees, so that time and memory are
            linear in the window; most genes have fewer.
    """

    name: str = "embedded"
    dim: int = 128
    node_layers: int = 2
    layers: int = 3
    heads: int = 4
    expansion: int = 3
    dropout: float = 0.1
    max_transcripts: int = 12
    band: int = 512


@dataclass(frozen=True)
class GrammarConfig:
    """Candidate sites and the biology that decoding must respect.

    Attributes:
        candidates_per_kb: Most candidates of each splice-site type kept for every 1,000 bases.
        min_probability: Sites below it are no candidates, except the best few that keep a path open.
        min_intron: Shortest intron in bases.
        max_intron: Longest intron in bases.
        min_exon: Shortest internal exon in bases; 3 or more, so that an exon holds its own part of a split codon.
        max_utr_exon: Longest part of an exon in a UTR (the longest of A. thaliana chromosome 1 has 3,723 bases).
        noncanonical_probability: AT-AC introns and split start codons need sites at least this probable.
    """

    candidates_per_kb: float = 24.0
    min_probability: float = 0.002
    min_intron: int = 20
    max_intron: int = 100_000
    min_exon: int = 3
    max_utr_exon: int = 5_000
    noncanonical_probability: float = 0.05


@dataclass(frozen=True)
class ScoringConfig:
    """Weights of the segment scores, fitted on validation genes; see `grammar.py`."""

    site_scale: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    site_bias: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    content_weight: float = 0.05
    no_five_prime_utr: float = -2.0
    no_three_prime_utr: float = -2.0


_PARTS: dict[str, dict[str, type]] = {
    "encoder": {
        "embedded": EmbeddedEncoderConfig,
        "esm": EsmEncoderConfig,
        "nucleotide-transformer-v2": NucleotideTransformerV2Config,
        "hyenadna": HyenaDnaConfig,
        "auto": AutoEncoderConfig,
    },
    "mapping": dict.fromkeys(("linear", "mlp", "conv", "pool"), MappingConfig),
    "decoder": {
        "embedded": PointerDecoderConfig,
        **dict.fromkeys(("led", "longt5", "t5"), Seq2SeqDecoderConfig),
    },
    "grammar": {"grammar": GrammarConfig},
    "scoring": {"scoring": ScoringConfig},
}


def build_part(part: str, values: dict[str, Any] | None) -> Any:
    """The frozen config of one part.

    Raises:
        UsageError: unknown part name or key.
    """
    values = dict(values or {})
    choices = _PARTS[part]
    name = values.get("name", next(iter(choices)))
    if name not in choices:
        raise UsageError(f"{part} {name!r} is not known", hint=f"choose one of {', '.join(sorted(choices))}")
    kind = choices[name]
    unknown = set(values) - set(kind.__dataclass_fields__)  # type: ignore[attr-defined]
    if unknown:
        raise UsageError(f"{part} {name!r} has no setting {sorted(unknown)}", hint="see docs/formats.md")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


class TransgenicConfig(PretrainedConfig):
    """Configuration of `TransgenicModel`; every part is a dict with a `name`."""

    model_type = "transgenic"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        mapping: dict[str, Any] | None = None,
        decoder: dict[str, Any] | None = None,
        grammar: dict[str, Any] | None = None,
        scoring: dict[str, Any] | None = None,
        calibration: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.encoder = asdict(build_part("encoder", encoder))
        self.mapping = asdict(build_part("mapping", mapping))
        self.decoder = asdict(build_part("decoder", decoder))
        self.grammar = asdict(build_part("grammar", grammar))
        self.scoring = asdict(build_part("scoring", scoring))
        self.calibration = dict(calibration or {})
        self.vocabulary_version = VOCABULARY_VERSION
        super().__init__(**kwargs)
