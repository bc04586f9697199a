"""All decoders behind one interface: learn, write valid transcripts, search as they learned, save and load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.model.tiny import DECODERS, ENCODERS, random_text, windows
from transgenic_tools.errors import UsageError
from transgenic_tools.lattice.grammar import path_to_transcript
from transgenic_tools.lattice.site_graph import SiteGraph
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.lattice.window import WindowInput
from transgenic_tools.model.transgenic import TransgenicConfig, TransgenicModel
from transgenic_tools.search.config import DecodingConfig
from transgenic_tools.search.reader import Reader
from transgenic_tools.search.search import search, start_search
from transgenic_tools.train.decoding import DecoderExample, decoder_loss, gold_steps

CPU = torch.device("cpu")
#: No calibration wanted: untrained sites are candidates wherever the sequence allows them.
GRAMMAR = {"min_probability": 1e-6, "candidates_per_kb": 40.0}


def make(decoder: str, encoder: str = "embedded", **changes: Any) -> TransgenicModel:
    torch.manual_seed(0)
    config = TransgenicConfig(
        encoder=ENCODERS[encoder],
        mapping={"channels": 8, "width": 8, "kernel": 3},
        decoder={**DECODERS[decoder], **changes},
        grammar=GRAMMAR,
    )
    return TransgenicModel(config).eval()


def graph_of(model: TransgenicModel, seed: int = 3, length: int = 400) -> SiteGraph:
    graph, _ = Reader(model, precision="fp32").read_window(WindowInput.of(random_text(length, seed=seed)))
    assert graph is not None
    return graph


def gold(model: TransgenicModel, graph: SiteGraph) -> DecoderExample:
    """Two sampled transcripts as the gold ones."""
    gene = start_search("gold", graph)
    search(
        model.decoder, DecodingConfig(decoding="sample", max_isoforms=2, temperature=3.0, top_p=1.0, group=1), [gene]
    )
    return gold_steps(graph, [f.path for f in gene.found], "gold")


@pytest.mark.parametrize("name", DECODERS)
def test_loss_falls_and_gradients_reach_the_new_vocabulary(name: str) -> None:
    model = make(name)
    example = gold(model, graph_of(model))
    decoder = model.decoder.train()
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss, _ = decoder_loss(decoder, [example], CPU)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    used = {"kind": np.unique(example.token_kind), "site_type": np.unique(example.site_type), "ordinal": [0, 1]}
    for table, rows in used.items():
        gradient = getattr(decoder, table).weight.grad
        assert (gradient[list(rows)].abs().sum(1) > 0).all(), table
    head = decoder.lm_head if name != "pointer" else decoder.more
    assert (head.weight.grad.abs().sum(1) > 0).all()


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("decoding", ["greedy", "beam", "sample"])
def test_every_written_transcript_is_valid(name: str, decoding: str) -> None:
    model = make(name)
    text = random_text(400, seed=3)
    gene = start_search("gene", graph_of(model))
    search(model.decoder, DecodingConfig(decoding=decoding, num_beams=3, max_isoforms=2, group=2), [gene])  # type: ignore[arg-type]
    assert gene.found
    graph = gene.sites.graph
    for found in gene.found:
        states = list(found.path.states)
        transcript = path_to_transcript(graph.kind[states].tolist(), graph.position[states].tolist(), transcript_id="t")
        coding = "".join(text[part.start : part.end] for part in transcript.cds)
        codons = [coding[i : i + 3] for i in range(0, len(coding), 3)]
        assert len(coding) % 3 == 0
        assert codons[0] == "ATG"
        assert codons[-1] in {"TAA", "TAG", "TGA"}
        assert not {"TAA", "TAG", "TGA"} & set(codons[:-1])


@pytest.mark.parametrize("name", DECODERS)
def test_search_scores_steps_as_training_does(name: str) -> None:
    """The greedy path's log-probability in the search equals the loss of the same path as a label."""
    model = make(name)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    gene = start_search("gene", graph_of(model))
    search(model.decoder, DecodingConfig(decoding="greedy", max_isoforms=2, group=3), [gene])
    label = gold_steps(gene.sites, [f.path for f in gene.found], "gene")
    with torch.no_grad():
        _, parts = decoder_loss(model.decoder, [label], CPU)
    steps = [p for f in gene.found for p in f.step_log_probability]
    assert float(parts["step_loss"]) == pytest.approx(-np.mean(steps), abs=2e-4)


@pytest.mark.parametrize("name", [n for n in DECODERS if n != "pointer"])
@pytest.mark.parametrize("lengths", [(0, 0, 0), (5, 2, 0)])
def test_cached_steps_equal_the_whole_pass(name: str, lengths: tuple[int, ...]) -> None:
    """Rows of different lengths, two beams each, that change places; every step against a pass over its own row."""
    decoder = make(name).decoder
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=noise))
    sites, valid = torch.randn(3, 7, 16, generator=noise), torch.ones(3, 7, dtype=torch.bool)
    valid[1, 4:] = False
    begun = torch.randn(3, max(*lengths, 1), 16, generator=noise)
    rows = [begun[r // 2, : lengths[r // 2]] for r in range(6)]
    with torch.no_grad():
        state = decoder.start(begun, torch.tensor(lengths), beams=2, sites=sites, valid=valid)
        for gene in range(3):
            if lengths[gene]:
                whole = decoder(rows[2 * gene][None], sites[gene, None], valid[gene, None])[0, -1]
                torch.testing.assert_close(state.hidden[gene], whole, rtol=1e-4, atol=1e-5)
        for step in range(4):
            x = torch.randn(6, 16, generator=noise)
            at = torch.tensor([lengths[r // 2] + step for r in range(6)])
            hidden = state.step(x, at)
            rows = [torch.cat([row, x[r, None]]) for r, row in enumerate(rows)]
            for r, row in enumerate(rows):
                whole = decoder(row[None], sites[r // 2, None], valid[r // 2, None])[0, -1]
                torch.testing.assert_close(hidden[r], whole, rtol=1e-4, atol=1e-5)
            parents = torch.tensor([1, 0, 2, 2, 5, 4])
            state.reorder(parents)
            rows = [rows[p] for p in parents.tolist()]


@pytest.mark.parametrize("name", [n for n in DECODERS if n != "pointer"])
def test_padding_of_other_genes_changes_no_loss(name: str) -> None:
    model = make(name)
    short, long = (gold(model, graph_of(model, seed, length)) for seed, length in ((3, 300), (4, 500)))
    with torch.no_grad():
        alone = [float(decoder_loss(model.decoder, [e], CPU)[1]["step_loss"]) * len(e.gold) for e in (short, long)]
        both = float(decoder_loss(model.decoder, [short, long], CPU)[1]["step_loss"])
    assert both == pytest.approx(sum(alone) / (len(short.gold) + len(long.gold)), abs=1e-4)


def test_global_attention_reaches_beyond_the_window() -> None:
    torch.manual_seed(2)
    changed = {}
    for choice in ("none", "sites"):
        decoder = make("led", global_attention=choice, window=4).decoder
        features = torch.randn(1, 40, 8, generator=torch.Generator().manual_seed(1))
        kinds = torch.full((1, 40), int(Site.DONOR))
        logit = torch.full((1, 40), -5.0)
        logit[0, 20] = 5.0
        valid = torch.ones(1, 40, dtype=torch.bool)
        moved = features.clone()
        moved[0, 0] += 3.0
        with torch.no_grad():
            far = [decoder.encode_sites(f, kinds, logit, valid)[0, 20] for f in (features, moved)]
        changed[choice] = float((far[0] - far[1]).abs().max())
    assert changed["none"] == 0.0
    assert changed["sites"] > 1e-4


def test_labels_beyond_leds_usual_1024_by_config() -> None:
    decoder = make("led", max_steps=1400).decoder
    tokens, sites, valid = torch.randn(1, 1300, 16), torch.randn(1, 5, 16), torch.ones(1, 5, dtype=torch.bool)
    assert decoder(tokens, sites, valid).shape == (1, 1300, 16)
    with pytest.raises(UsageError, match="max_steps"):
        decoder(torch.randn(1, 1401, 16), sites, valid)


def test_an_unknown_global_attention_is_refused() -> None:
    with pytest.raises(UsageError, match="global_attention"):
        make("led", global_attention="everywhere")


PAIRS = [*((e, "pointer") for e in ENCODERS)]
PAIRS += [("esm", "led"), ("hyenadna", "t5"), ("nucleotide-transformer-v2", "longt5")]


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_saved_and_loaded_models_score_and_write_alike(encoder: str, decoder: str, tmp_path: Path) -> None:
    model = make(decoder, encoder)
    model.save_pretrained(tmp_path)
    loaded = TransgenicModel.from_pretrained(tmp_path, local_files_only=True).eval()
    codes = windows(random_text(150))
    with torch.no_grad():
        torch.testing.assert_close(
            model.score_bases(codes).sites, loaded.score_bases(codes).sites, rtol=1e-5, atol=1e-5
        )
    own, other = model.state_dict(), loaded.state_dict()
    assert own.keys() == other.keys()
    assert all(torch.equal(own[name], other[name]) for name in own)
    found = []
    for one in (model, loaded):
        gene = start_search("gene", graph_of(one, length=200))
        search(one.decoder, DecodingConfig(decoding="greedy", max_isoforms=1, group=1), [gene])
        found.append(gene.found[0].path)
    assert found[0] == found[1]
