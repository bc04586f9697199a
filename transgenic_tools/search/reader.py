"""From windows to graphs: the trunk's scores at every base, and the graph of valid transcripts with what is said there.

In: a trained network and windows. Out: `BaseScores`, and a `SiteGraph` for each window.
Dims: L bases, S sites, C channels.
A surprise: a reader holds copies of the weights, laid out for its device: make it anew after they change. Where there
is no fast twin of an encoder, it reads through the network itself.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from transgenic_tools.choices import Precision
from transgenic_tools.errors import UsageError
from transgenic_tools.genome.code import STANDARD, GeneticCode
from transgenic_tools.lattice.candidates import choose_candidates, site_floor
from transgenic_tools.lattice.carrying import candidates_of
from transgenic_tools.lattice.condition import SiteShift
from transgenic_tools.lattice.graph import Graph, build_graph, build_graph_from_sums
from transgenic_tools.lattice.site_graph import SiteGraph, site_graph
from transgenic_tools.lattice.support import with_evidence
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.lattice.window import WindowInput, pad_codes
from transgenic_tools.model.encoders.strands import SCAN_BAND, StrandEncoder
from transgenic_tools.model.head import BaseScores
from transgenic_tools.model.network import Network
from transgenic_tools.search.twins import ScanningTrunk, fast_trunk

Codes = npt.NDArray[np.uint8]
#: Sites that must be candidates, whatever their score.
Forced = Sequence[tuple[Site, int]]


def bf16_on_cpu() -> Literal["native", "emulated", "none"]:
    """How this processor multiplies bf16: with AVX-512 BF16 or AMX, with AVX-512 alone, or not at all (AVX2, arm64).

    oneDNN is asked first: it may be told to leave instructions alone (ONEDNN_MAX_CPU_ISA), and then raises.
    """
    if not torch.backends.mkldnn.is_available() or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "none"
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "native" if native else "emulated"


def pick_precision(name: Precision, device: torch.device) -> Precision:
    """`auto` is bf16 on a CPU that multiplies it natively, else fp32.

    Raises:
        UsageError: bf16 asked for on a CPU that would emulate it, many times slower, or cannot compute it.
    """
    if name == "fp32" or device.type != "cpu":
        return "fp32" if name == "auto" else name
    native = bf16_on_cpu() == "native"
    if name == "auto":
        return "bf16" if native else "fp32"
    if not native:
        raise UsageError("precision bf16, but this processor has no bf16 instructions", hint="use auto or fp32")
    return name


class Reader:
    """A network that reads windows.

    Attributes:
        network: Whose weights it reads with.
        precision: What it computes in, `fp32` or `bf16`; `dtype` is the same for torch.
        genetic_code: What codons and introns are.
        evidence_weights: (N_EVIDENCE,) weights of what reads say; empty: evidence of windows is not looked at.
    """

    def __init__(
        self,
        network: Network,
        *,
        precision: Precision = "auto",
        genetic_code: GeneticCode = STANDARD,
        evidence_weights: Sequence[float] = (),
    ) -> None:
        """Lay the weights out.

        Raises:
            UsageError: bf16 on a processor that would emulate it.
        """
        self.network, self.device, self.genetic_code = network, network.device, genetic_code
        self.evidence_weights = tuple(evidence_weights)
        self.precision = pick_precision(precision, self.device)
        self.dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        self._trunk = fast_trunk(network.encoder, network.head, self.dtype)

    def guided(self, evidence_weights: Sequence[float]) -> Reader:
        """One that reads with the same weights of the network, and looks at evidence."""
        reader = copy.copy(self)
        reader.evidence_weights = tuple(evidence_weights)
        return reader

    def score_windows(self, windows: Sequence[WindowInput]) -> Iterator[BaseScores]:
        """Scores of windows, each a batch of one, in their order."""
        if self._trunk is not None:
            yield from self._trunk.read([window.codes for window in windows])
            return
        for window in windows:
            yield self._score_together([window])

    def scan(self, windows: Sequence[Codes]) -> Iterator[tuple[BaseScores, BaseScores]]:
        """Scores of all genes of the forward and of the reverse strand of bare windows (L,), in their order.

        Both are in the order of the window's bases; a mirrored window has the mirrored scores where its length is a
        multiple of the encoder's patch.

        Raises:
            UsageError: the model reads one gene on one strand and nothing else.
        """
        encoder = self.network.encoder
        if not isinstance(encoder, StrandEncoder):
            raise UsageError(
                f"a model with the encoder {self.network.settings.encoder.name!r} cannot scan a bare genome",
                hint="use a model with the encoder 'strands'",
            )
        if isinstance(self._trunk, ScanningTrunk):
            yield from self._trunk.scan(windows)
            return
        for codes in windows:
            batch = torch.from_numpy(codes.astype(np.int64))[None].to(self.device)
            with torch.no_grad():
                forward, reverse = encoder.read(batch, one_gene=False, both=True, band=SCAN_BAND)
                yield self.network.head(forward), self.network.head(reverse)

    @torch.no_grad()
    def _score_together(self, windows: Sequence[WindowInput]) -> BaseScores:
        """Scores of one batch."""
        return self.network.score_bases(torch.from_numpy(pad_codes(windows)).to(self.device))

    def read_window(
        self, window: WindowInput, *, forced: Forced = (), floor: float = math.inf
    ) -> tuple[SiteGraph | None, npt.NDArray[np.float32]]:
        """Scores and graph of one window.

        Args:
            floor: See `build_graph`; where sites are forced or reads speak, nothing is left out.

        Returns:
            The site graph, None where the window holds no valid transcript at all, and the site logits (N_SITES, L).
        """
        return self.graph_of(window, next(self.score_windows([window])), 0, forced=forced, floor=floor)

    def read_windows(
        self, windows: Sequence[WindowInput], *, forced: Sequence[Forced], batch_bases: int, floor: float = math.inf
    ) -> list[SiteGraph | None]:
        """Graphs of windows, in their order; None where a window holds no valid transcript.

        What a scan has read with this network already is not read again.

        Args:
            forced: Of each window.
            batch_bases: Bases read together on CUDA, padding included.
            floor: As in `read_window`.
        """
        graphs = [self._graph_of_carried(w, s, floor) for w, s in zip(windows, forced, strict=True)]
        left = [i for i, graph in enumerate(graphs) if graph is None]
        for i, graph in zip(
            left,
            self._read_all([windows[i] for i in left], [forced[i] for i in left], batch_bases, floor),
            strict=True,
        ):
            graphs[i] = graph
        return graphs

    def _read_all(
        self, windows: Sequence[WindowInput], forced: Sequence[Forced], batch_bases: int, floor: float
    ) -> list[SiteGraph | None]:
        if self.device.type != "cpu":
            return self.read_in_batches(windows, forced=forced, batch_bases=batch_bases, floor=floor)
        order = list(range(len(windows)))
        if self._trunk is not None:
            order = self._trunk.order([window.codes for window in windows])
        graphs: list[SiteGraph | None] = [None] * len(windows)
        for i, scores in zip(order, self.score_windows([windows[i] for i in order]), strict=True):
            graphs[i] = self.graph_of(windows[i], scores, 0, forced=forced[i], floor=floor)[0]
        return graphs

    @cached_property
    def made_by(self) -> str:
        """16 letters for what scores depend on: the trunk's weights, its grammar and the precision."""
        network = self.network
        parts = [f"{self.precision} {network.settings.grammar} {network.settings.encoder}"]
        for part in (network.encoder, network.head):
            for name, tensor in sorted(part.state_dict().items()):
                parts += [name, hashlib.sha256(tensor.detach().float().cpu().numpy().tobytes()).hexdigest()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def _graph_of_carried(self, window: WindowInput, forced: Forced, floor: float) -> SiteGraph | None:
        """The graph of what a scan has carried over; None where nothing was, or where the window must be read anew.

        Evidence, conditions, prompts and other genetic codes look at bases that no candidate stands at.
        """
        carried = window.carried
        plain = window.evidence is None and window.condition is None and not forced and self.genetic_code == STANDARD
        if carried is None or not plain or carried.made_by != self.made_by or carried.length != len(window):
            return None
        graph = build_graph_from_sums(
            window, carried.site_logits(), carried.content_sums(), grammar=self.network.settings.grammar,
            scoring=self.network.settings.scoring, candidates=candidates_of(carried), floor=floor,
        )  # fmt: skip
        return None if graph is None else site_graph(graph, carried.features_at)

    def read_in_batches(
        self, windows: Sequence[WindowInput], *, forced: Sequence[Forced], batch_bases: int, floor: float = math.inf
    ) -> list[SiteGraph | None]:
        """`read_windows` as on CUDA: windows of about one length together, padded; the longest come first."""
        graphs: list[SiteGraph | None] = [None] * len(windows)
        order = sorted(range(len(windows)), key=lambda i: len(windows[i]))
        while order:
            size = max(1, min(len(order), batch_bases // max(1, len(windows[order[-1]]))))
            group, order = order[-size:], order[:-size]
            scores = self._score_together([windows[i] for i in group])
            for row, i in enumerate(group):
                graphs[i] = self.graph_of(windows[i], scores, row, forced=forced[i], floor=floor)[0]
        return graphs

    @torch.no_grad()
    def graph_of(
        self, window: WindowInput, scores: BaseScores, row: int, *, forced: Forced = (), floor: float = math.inf
    ) -> tuple[SiteGraph | None, npt.NDArray[np.float32]]:
        """The graph of one row of a scored batch; see `read_window`."""
        length = len(window)
        sites = scores.sites[row, :, :length].float().cpu().numpy()
        contents = scores.contents[row, :, :length].float().log_softmax(0).cpu().numpy()
        given = (forced, floor)
        if window.evidence is not None and self.evidence_weights:
            forced = (*forced, *window.evidence.sites())
        if forced:
            floor = math.inf
        if window.condition is not None:
            features = scores.features[row, :, :length].float().cpu().numpy()
            sites = self._shifted(window, window.condition.shift, sites, features, forced)
        graph = self._build(window, sites, contents, forced, floor, every_start=False)
        if graph is None:
            graph = self._build(window, sites, contents, forced, floor, every_start=True)
        if graph is None:
            return None, sites

        def features_at(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
            features = scores.features[row, :, :length]
            at_sites = features.t()[torch.from_numpy(positions).to(features.device)]
            return at_sites.float().contiguous().cpu().numpy()

        support = None
        if window.evidence is not None and self.evidence_weights:
            guided = with_evidence(graph, window.evidence, self.evidence_weights)
            if guided is None:
                return self.graph_of(replace(window, evidence=None), scores, row, forced=given[0], floor=given[1])
            graph, support = guided
        return site_graph(graph, features_at, support=support), sites

    def _shifted(
        self,
        window: WindowInput,
        shift: SiteShift,
        sites: npt.NDArray[np.float32],
        features: npt.NDArray[np.float32],
        forced: Forced,
    ) -> npt.NDArray[np.float32]:
        """Site logits (N_SITES, L) in a condition.

        Only sites that are candidates without it are shifted: a condition chooses among them and makes none. A logit
        moves by so much that the score of an edge moves by the shift.
        """
        if shift.is_zero:
            return sites
        settings, rows = self.network.settings, [Site.DONOR, Site.ACCEPTOR]
        scale = np.array(settings.scoring.site_scale, dtype=np.float32)[rows, None]
        candidate = sites >= site_floor(settings.grammar)
        for site, position in forced:
            candidate[site, position] = True
        moved = sites.copy()
        moved[rows] += np.where(candidate[rows], shift.of(window.codes, features) / scale, np.float32(0.0))
        return moved

    def _build(
        self,
        window: WindowInput,
        sites: npt.NDArray[np.float32],
        contents: npt.NDArray[np.float32],
        forced: Forced,
        floor: float,
        *,
        every_start: bool,
    ) -> Graph | None:
        grammar, scoring = self.network.settings.grammar, self.network.settings.scoring
        code = self.genetic_code
        candidates = choose_candidates(
            window, sites, grammar, forced=forced, every_start=every_start, genetic_code=code
        )
        return build_graph(
            window, sites, contents, grammar=grammar, scoring=scoring, candidates=candidates, genetic_code=code,
            floor=floor,
        )  # fmt: skip
