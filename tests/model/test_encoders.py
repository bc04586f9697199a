"""Pretrained encoders: shapes, padding, segments, gradients, and published parameter names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

from tests.model.tiny import ENCODERS, MAPPINGS, OWN, random_text, windows
from transgenic_tools.errors import BadInputError, MissingInputError, TryAgainError, UsageError
from transgenic_tools.model.config import build_part
from transgenic_tools.model.encoders.factory import build_encoder, find_weights, load_published, sizes_from_directory
from transgenic_tools.model.encoders.hyenadna import causal_convolution
from transgenic_tools.model.encoders.tokens import TokenEncoder

PRETRAINED = [name for name in ENCODERS if name not in OWN]


def make(name: str, mapping: str = "linear", **changes: Any) -> TokenEncoder:
    torch.manual_seed(0)
    config = build_part("encoder", {**ENCODERS[name], **changes})
    encoder = build_encoder(config, build_part("mapping", {"name": mapping, "channels": 6, "width": 8, "kernel": 3}))
    return encoder.eval()  # type: ignore[return-value]


@pytest.mark.parametrize("name", PRETRAINED)
@pytest.mark.parametrize("mapping", MAPPINGS)
def test_every_base_gets_features_and_padding_gets_none(name: str, mapping: str) -> None:
    codes = windows(random_text(150), random_text(61, seed=2), "ACGT")
    features = make(name, mapping)(codes)
    assert features.shape == (3, 6, 150)
    for row, size in enumerate((150, 61, 4)):
        assert (features[row, :, :size].abs().sum(0) > 0).all()
        assert (features[row, :, size:] == 0).all()


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_window_is_read_alike_alone_and_in_a_batch(name: str) -> None:
    encoder, short = make(name), random_text(61, seed=2)
    together = encoder(windows(random_text(150), short))[1, :, :61]
    torch.testing.assert_close(together, encoder(windows(short))[0], atol=1e-5, rtol=1e-4)


def test_segments_agree_with_one_whole_segment_where_the_network_is_local() -> None:
    """With position-free token embeddings as hidden vectors, cutting must not change anything at all."""
    encoder = make("nucleotide-transformer-v2", "conv")
    table = encoder.backbone.get_submodule("esm.embeddings.word_embeddings")

    class Lookup(torch.nn.Module):
        width = 16

        def forward(self, ids: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
            return table(ids)

    encoder.backbone = Lookup()
    codes = windows(random_text(400))
    cut = encoder.encode(codes)
    encoder.segment_tokens = 10_000
    whole = encoder.encode(codes)
    torch.testing.assert_close(cut.hidden, whole.hidden, atol=0, rtol=0)
    assert cut.counts == whole.counts


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", PRETRAINED)
def test_gradients_reach_all_of_the_backbone(name: str, checkpointing: bool) -> None:
    encoder = make(name, checkpointing=checkpointing).train()
    encoder(windows(random_text(150))).square().sum().backward()
    dead = [n for n, p in encoder.backbone.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert [n for n in dead if "pooler" not in n and "key.bias" not in n] == []


def test_checkpointing_changes_no_gradient() -> None:
    grads = []
    for checkpointing in (False, True):
        encoder = make("nucleotide-transformer-v2", checkpointing=checkpointing).train()
        encoder(windows(random_text(100))).square().sum().backward()
        grads.append(torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None]))
    torch.testing.assert_close(*grads)


# -- published parameter names -----------------------------------------------------------------------------------------


def v2_checkpoint(*, vocab: int = 4107, dim: int = 16, inner: int = 24, layers: int = 2) -> dict[str, torch.Tensor]:
    """Names and shapes of InstaDeepAI/nucleotide-transformer-v2-*, written down by hand."""
    shapes: dict[str, tuple[int, ...]] = {
        "esm.embeddings.word_embeddings.weight": (vocab, dim),
        "esm.embeddings.position_embeddings.weight": (2050, dim),
        "esm.encoder.emb_layer_norm_after.weight": (dim,),
        "esm.encoder.emb_layer_norm_after.bias": (dim,),
        "lm_head.bias": (vocab,),
        "lm_head.decoder.weight": (vocab, dim),
        "lm_head.dense.weight": (dim, dim),
        "esm.contact_head.regression.weight": (1, layers * 2),
    }
    for i in range(layers):
        layer = f"esm.encoder.layer.{i}"
        for part in ("query", "key", "value"):
            shapes[f"{layer}.attention.self.{part}.weight"] = (dim, dim)
            shapes[f"{layer}.attention.self.{part}.bias"] = (dim,)
        shapes[f"{layer}.attention.self.rotary_embeddings.inv_freq"] = (4,)
        shapes[f"{layer}.attention.output.dense.weight"] = (dim, dim)
        shapes[f"{layer}.attention.output.dense.bias"] = (dim,)
        for norm in (f"{layer}.attention.LayerNorm", f"{layer}.LayerNorm"):
            shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (dim,)
        shapes[f"{layer}.intermediate.dense.weight"] = (2 * inner, dim)
        shapes[f"{layer}.output.dense.weight"] = (dim, inner)
    generator = torch.Generator().manual_seed(3)
    return {name: torch.randn(shape, generator=generator) * 0.1 for name, shape in shapes.items()}


def reference_v2(state: dict[str, torch.Tensor], ids: torch.Tensor, heads: int, layers: int) -> torch.Tensor:
    """The same network from the checkpoint's tensors, one token pair at a time where positions matter."""
    norm = torch.nn.functional.layer_norm
    x = state["esm.embeddings.word_embeddings.weight"][ids]
    tokens, dim = x.shape
    size = dim // heads
    turns = torch.outer(torch.arange(tokens).float(), 10000.0 ** (-torch.arange(0, size, 2).float() / size))

    def turn(v: torch.Tensor, position: int) -> torch.Tensor:
        pairs = torch.complex(v[: size // 2], v[size // 2 :]) * torch.polar(torch.ones(size // 2), turns[position])
        return torch.cat([pairs.real, pairs.imag])

    for i in range(layers):
        p = f"esm.encoder.layer.{i}"
        normed = norm(
            x, (dim,), state[f"{p}.attention.LayerNorm.weight"], state[f"{p}.attention.LayerNorm.bias"], 1e-12
        )
        q, k, v = (
            normed @ state[f"{p}.attention.self.{n}.weight"].T + state[f"{p}.attention.self.{n}.bias"]
            for n in ("query", "key", "value")
        )
        mixed = torch.zeros_like(x)
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            for a in range(tokens):
                scores = torch.stack([turn(q[a, part], a) @ turn(k[b, part], b) / size**0.5 for b in range(tokens)])
                mixed[a, part] = scores.softmax(0) @ v[:, part]
        x = x + mixed @ state[f"{p}.attention.output.dense.weight"].T + state[f"{p}.attention.output.dense.bias"]
        normed = norm(x, (dim,), state[f"{p}.LayerNorm.weight"], state[f"{p}.LayerNorm.bias"], 1e-12)
        gate, value = (normed @ state[f"{p}.intermediate.dense.weight"].T).chunk(2, -1)
        x = x + (torch.nn.functional.silu(gate) * value) @ state[f"{p}.output.dense.weight"].T
    last = "esm.encoder.emb_layer_norm_after"
    return norm(x, (dim,), state[f"{last}.weight"], state[f"{last}.bias"], 1e-12)


def write_directory(path: Path, state: dict[str, torch.Tensor], config: dict[str, Any]) -> Path:
    path.mkdir()
    save_file(state, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_nucleotide_transformer_v2_loads_published_names_and_computes_the_published_network(tmp_path: Path) -> None:
    state = v2_checkpoint()
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    directory = write_directory(tmp_path / "nt", state, {**sizes, "vocab_size": 4107, "layer_norm_eps": 1e-12})
    config = sizes_from_directory(build_part("encoder", {"name": "nucleotide-transformer-v2"}), directory)
    assert (config.dim, config.layers, config.heads, config.intermediate) == (16, 2, 2, 24)
    encoder = build_encoder(config, build_part("mapping", None)).eval()
    assert load_published(encoder, directory) == 2 * 14 + 3
    ids = torch.tensor([3, 4, 700, 4100, 9])
    with torch.no_grad():
        hidden = encoder.backbone(ids[None], torch.ones(1, 5, dtype=torch.bool))[0]  # type: ignore[union-attr]
    torch.testing.assert_close(hidden, reference_v2(state, ids, 2, 2), atol=1e-5, rtol=1e-4)


def test_a_missing_or_misshapen_tensor_is_named(tmp_path: Path) -> None:
    state = v2_checkpoint()
    del state["esm.encoder.layer.1.output.dense.weight"]
    encoder = make("nucleotide-transformer-v2")
    with pytest.raises(BadInputError, match=r"layer\.1\.output\.dense\.weight"):
        load_published(encoder, write_directory(tmp_path / "a", state, {}))
    with pytest.raises(BadInputError, match="shape"):
        load_published(encoder, write_directory(tmp_path / "b", v2_checkpoint(inner=20), {}))


def test_esm_loads_what_transformers_saves(tmp_path: Path) -> None:
    torch.manual_seed(5)
    source = make("esm", dim=24)
    source.backbone.esm.save_pretrained(tmp_path / "esm")  # type: ignore[union-attr]
    config = sizes_from_directory(build_part("encoder", {"name": "esm"}), tmp_path / "esm")
    assert config.dim == 24
    target = build_encoder(config, build_part("mapping", None)).eval()
    load_published(target, tmp_path / "esm")
    ids = torch.tensor([[3, 4, 9, 77]])
    valid = torch.ones_like(ids, dtype=torch.bool)
    torch.testing.assert_close(target.backbone(ids, valid), source.backbone(ids, valid))  # type: ignore[union-attr]


def hyena_checkpoint(dim: int = 8, width: int = 6, length: int = 128) -> dict[str, torch.Tensor]:
    """Names and shapes of LongSafari/hyenadna-*-hf, written down by hand."""
    shapes: dict[str, tuple[int, ...]] = {
        "hyena.backbone.embeddings.word_embeddings.weight": (16, dim),
        "hyena.backbone.ln_f.weight": (dim,),
        "hyena.backbone.ln_f.bias": (dim,),
        "lm_head.weight": (16, dim),
    }
    for i in range(2):
        layer = f"hyena.backbone.layers.{i}"
        mixer, filter_fn = f"{layer}.mixer", f"{layer}.mixer.filter_fn"
        for norm in ("norm1", "norm2"):
            shapes[f"{layer}.{norm}.weight"] = shapes[f"{layer}.{norm}.bias"] = (dim,)
        shapes |= {
            f"{mixer}.in_proj.weight": (3 * dim, dim), f"{mixer}.in_proj.bias": (3 * dim,),
            f"{mixer}.out_proj.weight": (dim, dim), f"{mixer}.out_proj.bias": (dim,),
            f"{mixer}.short_filter.weight": (3 * dim, 1, 3), f"{mixer}.short_filter.bias": (3 * dim,),
            f"{filter_fn}.bias": (dim,),
            f"{filter_fn}.pos_emb.z": (1, length, 5), f"{filter_fn}.pos_emb.t": (1, length, 1),
            f"{filter_fn}.implicit_filter.0.weight": (width, 5), f"{filter_fn}.implicit_filter.0.bias": (width,),
            f"{filter_fn}.implicit_filter.1.freq": (1, width),
            f"{filter_fn}.implicit_filter.2.weight": (width, width), f"{filter_fn}.implicit_filter.2.bias": (width,),
            f"{filter_fn}.implicit_filter.4.weight": (width, width), f"{filter_fn}.implicit_filter.4.bias": (width,),
            f"{filter_fn}.implicit_filter.6.weight": (dim, width),
            f"{filter_fn}.modulation.deltas": (1, 1, dim),
            f"{layer}.mlp.fc1.weight": (16, dim), f"{layer}.mlp.fc1.bias": (16,),
            f"{layer}.mlp.fc2.weight": (dim, 16), f"{layer}.mlp.fc2.bias": (dim,),
        }  # fmt: skip
    generator = torch.Generator().manual_seed(4)
    return {name: torch.randn(shape, generator=generator) * 0.2 for name, shape in shapes.items()}


def test_hyenadna_loads_published_names(tmp_path: Path) -> None:
    state = hyena_checkpoint()
    encoder = make("hyenadna")
    config = {"d_model": 8, "n_layer": 2, "d_inner": 16, "filter_order": 6, "max_seq_len": 128}
    directory = write_directory(tmp_path / "hyena", state, config)
    assert load_published(encoder, directory) == len(state) - 1
    own = {f"hyena.{k}": v for k, v in encoder.backbone.state_dict().items()}
    assert all(torch.equal(own[name], state[name]) for name in own)


def test_hyenadna_operator_equals_its_definition() -> None:
    torch.manual_seed(1)
    x, kernel, skip = torch.randn(2, 3, 20), torch.randn(3, 20), torch.randn(3)
    slow = torch.zeros_like(x)
    for n in range(20):
        for m in range(n + 1):
            slow[:, :, n] += kernel[:, m] * x[:, :, n - m]
    torch.testing.assert_close(causal_convolution(x, kernel, skip), slow + skip[:, None] * x, atol=1e-4, rtol=1e-4)


def test_hyenadna_is_causal_on_one_strand_and_sees_both_sides_on_two() -> None:
    first, second = windows("ACGTACGTAC", "ACGTACGTAG")
    for both in (False, True):
        hidden = [make("hyenadna", both_strands=both).encode(c[None]).hidden[0, :9, :] for c in (first, second)]
        assert torch.allclose(hidden[0], hidden[1]) is not both


def test_hyenadna_reads_the_reverse_complement_as_its_mirror() -> None:
    encoder = make("hyenadna")
    forward = encoder.encode(windows("ACGTTGCANGAC")).hidden[0]
    backward = encoder.encode(windows("GTCNTGCAACGT")).hidden[0].flip(0)
    torch.testing.assert_close(forward, torch.cat([backward[:, 8:], backward[:, :8]], dim=1), atol=1e-6, rtol=1e-5)


def test_auto_takes_architecture_and_weights_from_a_directory(tmp_path: Path) -> None:
    torch.manual_seed(6)
    sizes = ENCODERS["auto"]["architecture"]
    source = BertModel(BertConfig(**{k: v for k, v in sizes.items() if k != "model_type"})).eval()
    source.save_pretrained(tmp_path / "bert")
    config = sizes_from_directory(build_part("encoder", {"name": "auto"}), tmp_path / "bert")
    encoder = build_encoder(config, build_part("mapping", None)).eval()
    load_published(encoder, tmp_path / "bert")
    ids = torch.tensor([[0, 1, 2, 3]])
    got = encoder.backbone(ids, torch.ones_like(ids, dtype=torch.bool))  # type: ignore[union-attr]
    torch.testing.assert_close(got, source(input_ids=ids).last_hidden_state)


def test_auto_without_architecture_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="architecture"):
        build_encoder(build_part("encoder", {"name": "auto"}), build_part("mapping", None))


def test_nothing_is_downloaded_unasked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert find_weights(str(tmp_path)) == tmp_path
    with pytest.raises(MissingInputError, match="no weights"):
        find_weights("someone/some-model")
    with pytest.raises(UsageError, match="revision"):
        find_weights("someone/some-model", allow_download=True)


def test_published_sizes_have_the_published_numbers_of_parameters() -> None:
    """Counted on the meta device: 498 M for NT v2 500M, 985 M for AgroNT without its heads."""
    with torch.device("meta"):
        v2 = build_encoder(build_part("encoder", {"name": "nucleotide-transformer-v2"}), build_part("mapping", None))
        sizes = {"name": "esm", "dim": 1500, "layers": 40, "heads": 20, "intermediate": 5120}
        agro = build_encoder(build_part("encoder", sizes), build_part("mapping", None))
    count = {k: sum(p.numel() for p in m.backbone.parameters()) for k, m in (("v2", v2), ("agro", agro))}  # type: ignore[union-attr]
    assert count["v2"] == pytest.approx(492e6, rel=0.01)
    assert count["agro"] == pytest.approx(983e6, rel=0.01)


def test_mapping_tells_neighbouring_bases_apart() -> None:
    features = make("nucleotide-transformer-v2", "linear")(windows("A" * 36))[0]
    distinct = {tuple(np.round(column, 4)) for column in features[:, 12:18].T.detach().numpy().tolist()}
    assert len(distinct) == 6


def test_a_hub_that_does_not_answer_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def down(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", down)
    with pytest.raises(TryAgainError) as caught:
        find_weights("someone/some-model", revision="abc", allow_download=True)
    assert caught.value.exit_code == 75
    with pytest.raises(MissingInputError):
        find_weights("someone/some-model")
