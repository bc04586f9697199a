"""The network: encoder -> base scores -> graph of candidate sites -> decoder that points at them.

In: base codes of windows. Out: site and content logits at every base, and site graphs for the decoder.
A surprise: transformers is not imported here, which takes as long as reading 200 genes; `TransgenicModel` is the same
network as a `PreTrainedModel`, which training and other programs use.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from transgenic_tools.errors import BadInputError, MissingInputError, UsageError
from transgenic_tools.lattice.candidates import choose_candidates
from transgenic_tools.lattice.graph import Graph, build_graph
from transgenic_tools.lattice.site_graph import SiteGraph, site_graph
from transgenic_tools.lattice.vocabulary import VOCABULARY_VERSION, Site
from transgenic_tools.model.config_parts import SavedSettings, Settings, build_part
from transgenic_tools.model.decoders.factory import build_decoder
from transgenic_tools.model.encoders.embedded import EmbeddedEncoder
from transgenic_tools.model.encoders.factory import build_encoder
from transgenic_tools.model.encoders.fused import FusedTrunk
from transgenic_tools.model.head import BaseHead, BaseScores

Precision = Literal["auto", "fp32", "bf16"]


class Network(nn.Module):
    """Sequence to gene structure."""

    #: `Settings`; a `TransgenicConfig` where transformers holds the network.
    config: Any

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.config = settings
        self._make_parts(settings)

    def _make_parts(self, settings: Settings) -> None:
        self.grammar = build_part("grammar", settings.grammar)
        self.scoring = build_part("scoring", settings.scoring)
        self.encoder = build_encoder(build_part("encoder", settings.encoder), build_part("mapping", settings.mapping))
        self.head = BaseHead(self.encoder.channels)
        self.decoder = build_decoder(build_part("decoder", settings.decoder), self.encoder.channels)
        self._trunk: FusedTrunk | None = None
        #: What the prepared weights compute in.
        self.reading_dtype = torch.float32

    def prepare(self, precision: Precision = "auto") -> Precision:
        """Lay the weights out for reading windows on this device; call it again after they change.

        Args:
            precision: `auto` is bf16 on a CPU that multiplies it natively and fp32 everywhere else.

        Returns:
            The precision that is used.

        Raises:
            UsageError: bf16 on a processor that would emulate it.
        """
        device = self.head.project.weight.device
        precision = pick_precision(precision, device)
        self._trunk = None
        self.reading_dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        if device.type == "cpu" and type(self.encoder) is EmbeddedEncoder:
            self._trunk = FusedTrunk(self.encoder, self.head, self.reading_dtype)
        return precision

    def score_windows(self, windows: Sequence[npt.NDArray[np.uint8]]) -> Iterator[BaseScores]:
        """Scores of windows (L,), each a batch of one, in their order; with prepared weights where there are any."""
        if self._trunk is not None:
            yield from self._trunk.read(windows)
            return
        device = self.head.project.weight.device
        for codes in windows:
            with torch.no_grad():
                yield self.score_bases(torch.from_numpy(codes.astype(np.int64))[None].to(device))

    def score_bases(self, codes: Tensor) -> BaseScores:
        """Features, site logits and content logits of every base. Codes (B, L), PAD_CODE at the right."""
        return self.head(self.encoder(codes))

    def forward(self, codes: Tensor | None = None, compute: Callable[[Network], Any] | None = None) -> Any:
        """Base scores of `codes`; or what `compute` returns, so that wrappers for many processes see the call."""
        if compute is not None:
            return compute(self)
        if codes is None:
            raise TypeError("the model reads codes (B, L)")
        return self.score_bases(codes)

    @torch.no_grad()
    def read_window(
        self, codes: npt.NDArray[np.uint8], *, forced: Sequence[tuple[Site, int]] = ()
    ) -> tuple[SiteGraph | None, npt.NDArray[np.float32]]:
        """Trunk and graph of one window.

        Args:
            codes: (L,) base codes.
            forced: Sites that must be candidates.

        Returns:
            The site graph, None where the window holds no valid transcript at all, and the site logits (N_SITES, L).
        """
        return self.graph_of(codes, next(self.score_windows([codes])), 0, forced=forced)

    def graph_of(
        self, codes: npt.NDArray[np.uint8], scores: BaseScores, row: int, *, forced: Sequence[tuple[Site, int]] = ()
    ) -> tuple[SiteGraph | None, npt.NDArray[np.float32]]:
        """The graph of one row of a scored batch; see `read_window`."""
        length = len(codes)
        sites = scores.sites[row, :, :length].float().cpu().numpy()
        contents = scores.contents[row, :, :length].float().log_softmax(0).cpu().numpy()
        graph = self._build(codes, sites, contents, forced, every_start=False)
        if graph is None:
            graph = self._build(codes, sites, contents, forced, every_start=True)
        if graph is None:
            return None, sites

        def features_at(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
            features = scores.features[row, :, :length]
            at_sites = features.t()[torch.from_numpy(positions).to(features.device)]
            return at_sites.float().contiguous().cpu().numpy()

        return site_graph(graph, features_at), sites

    def _build(
        self,
        codes: npt.NDArray[np.uint8],
        sites: npt.NDArray[np.float32],
        contents: npt.NDArray[np.float32],
        forced: Sequence[tuple[Site, int]],
        *,
        every_start: bool,
    ) -> Graph | None:
        candidates = choose_candidates(codes, sites, self.grammar, forced=forced, every_start=every_start)
        return build_graph(codes, sites, contents, grammar=self.grammar, scoring=self.scoring, candidates=candidates)

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters())


def pick_precision(name: Precision, device: torch.device) -> Precision:
    """`auto` is bf16 on a CPU that multiplies it natively (AVX-512 BF16, AMX), else fp32.

    Raises:
        UsageError: bf16 asked for on a CPU that would emulate it, many times slower.
    """
    native = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    if name == "auto":
        return "bf16" if native and device.type == "cpu" else "fp32"
    if name == "bf16" and not native:
        raise UsageError("--precision bf16, but this processor has no bf16 instructions", hint="use auto or fp32")
    return name


def pick_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one, else CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def default_model_dir() -> Path:
    """The embedded model: $TRANSGENIC_MODEL, else the one inside the package."""
    named = os.environ.get("TRANSGENIC_MODEL")
    return Path(named) if named else Path(__file__).resolve().parents[1] / "assets" / "model"


def model_dir(path: str | Path | None) -> Path:
    """A directory that holds a model, the embedded one by default.

    Raises:
        MissingInputError: it holds no model.
    """
    directory = Path(path) if path is not None else default_model_dir()
    for name in ("config.json", "model.safetensors"):
        if not (directory / name).is_file():
            raise MissingInputError(
                f"no {name} in the model directory", path=directory, hint="give a directory made by tg-train to --model"
            )
    return directory


def check_vocabulary(version: int, directory: Path) -> None:
    """Raises BadInputError where the model was made with another vocabulary."""
    if version != VOCABULARY_VERSION:
        raise BadInputError(
            f"vocabulary version {version}, this program has {VOCABULARY_VERSION}",
            path=directory,
            hint="use the version of transgenic_tools that made the model",
        )


def load_network(path: str | Path | None = None) -> tuple[Network, Path]:
    """Load a model directory for reading, the embedded one by default; nothing is ever downloaded.

    Raises:
        MissingInputError: the directory holds no model.
        BadInputError: it was made with another vocabulary.
    """
    directory = model_dir(path)
    try:
        saved = json.loads((directory / "config.json").read_text())
        settings = SavedSettings(**{f.name: saved[f.name] for f in fields(SavedSettings)})
        if any(part["name"] != "embedded" for part in (settings.encoder, settings.decoder)):
            from transgenic_tools.model.transgenic import load_model

            return load_model(directory)
        check_vocabulary(settings.vocabulary_version, directory)
        network = Network(settings)
        network.load_state_dict(load_file(directory / "model.safetensors"), assign=True)
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise BadInputError(f"cannot load the model: {error}", path=directory, hint="train or copy it again") from error
    return network, directory
