"""Nucleotide Transformer v2, written here because its published code does not run on transformers 5.

In: token ids (S, N) and their mask. Out: hidden (S, N, H).
Dims: S segments, N tokens, H hidden size, A heads.
Architecture: pre-norm transformer with biases in attention, rotary positions on queries and keys, SwiGLU feed-forward
without biases (Dalla-Torre et al. 2024; Shazeer 2020), a last norm.
A surprise: module names are those of the published checkpoints (`esm.encoder.layer.0.attention.self.query` ...), so
their tensors load as they are; the checkpoint's table of positions is unused.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from transgenic_tools.model.attention import rotary_angles, rotate
from transgenic_tools.model.config import NucleotideTransformerV2Config

PAD_ID = 1


class _Named(nn.Module):
    """A module that only holds named children."""

    def __init__(self, /, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


class Layer(nn.Module):
    """One transformer layer; names follow the checkpoint."""

    def __init__(self, config: NucleotideTransformerV2Config) -> None:
        super().__init__()
        dim, inner, eps = config.dim, config.intermediate, config.layer_norm_eps
        self.heads = config.heads
        self.attention = _Named(
            self=_Named(query=nn.Linear(dim, dim), key=nn.Linear(dim, dim), value=nn.Linear(dim, dim)),
            output=_Named(dense=nn.Linear(dim, dim)),
            LayerNorm=nn.LayerNorm(dim, eps=eps),
        )
        self.intermediate = _Named(dense=nn.Linear(dim, 2 * inner, bias=False))
        self.output = _Named(dense=nn.Linear(inner, dim, bias=False))
        self.LayerNorm = nn.LayerNorm(dim, eps=eps)

    def _attend(self, x: Tensor, mask: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        segments, tokens, dim = x.shape
        inner = self.attention.get_submodule("self")
        q, k, v = (
            inner.get_submodule(name)(x).view(segments, tokens, self.heads, dim // self.heads).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        mixed = F.scaled_dot_product_attention(rotate(q, *rotary), rotate(k, *rotary), v, attn_mask=mask)
        return self.attention.get_submodule("output.dense")(mixed.transpose(1, 2).reshape(segments, tokens, dim))

    def forward(self, x: Tensor, mask: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        x = x + self._attend(self.attention.get_submodule("LayerNorm")(x), mask, rotary)
        gate, value = self.intermediate.get_submodule("dense")(self.LayerNorm(x)).chunk(2, dim=-1)
        return x + self.output.get_submodule("dense")(F.silu(gate) * value)


class NucleotideTransformerV2(nn.Module):
    """See the module docstring."""

    #: Names in published checkpoints that this part has no use for.
    unused = ("lm_head.", "contact_head.", "position_ids", "position_embeddings.", "inv_freq")

    def __init__(self, config: NucleotideTransformerV2Config) -> None:
        super().__init__()
        self.config, self.width = config, config.dim
        self.esm = _Named(
            embeddings=_Named(word_embeddings=nn.Embedding(config.vocab_size, config.dim, padding_idx=PAD_ID)),
            encoder=_Named(
                layer=nn.ModuleList(Layer(config) for _ in range(config.layers)),
                emb_layer_norm_after=nn.LayerNorm(config.dim, eps=config.layer_norm_eps),
            ),
        )

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        config = self.config
        x = self.esm.get_submodule("embeddings.word_embeddings")(ids) * valid[..., None]
        rotary = rotary_angles(ids.shape[1], config.dim // config.heads, device=ids.device)
        mask = valid[:, None, None]
        for layer in self.esm.get_submodule("encoder.layer").children():
            if config.checkpointing and self.training and torch.is_grad_enabled():
                x = checkpoint(layer, x, mask, rotary, use_reentrant=False)
            else:
                x = layer(x, mask, rotary)
        return self.esm.get_submodule("encoder.emb_layer_norm_after")(x)
