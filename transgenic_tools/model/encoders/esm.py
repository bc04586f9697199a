"""Nucleotide Transformer v1 and AgroNT: the ESM of transformers, over 6-mers.

In: token ids (S, N) and their mask. Out: hidden (S, N, H).
A surprise: ESM scales its embeddings by 0.88 where no token is masked (`token_dropout`), as in its pre-training.
"""

from __future__ import annotations

from torch import Tensor, nn
from transformers import EsmConfig, EsmModel

from transgenic_tools.model.config import EsmEncoderConfig


class EsmBackbone(nn.Module):
    """See the module docstring."""

    #: Names in published checkpoints that this part has no use for.
    unused = ("lm_head.", "contact_head.", "position_ids", "pooler.", "inv_freq")

    optional_mask = True

    def __init__(self, config: EsmEncoderConfig) -> None:
        super().__init__()
        self.width = config.dim
        self.esm = EsmModel(
            EsmConfig(
                vocab_size=config.vocab_size,
                mask_token_id=2,
                pad_token_id=1,
                hidden_size=config.dim,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=config.intermediate,
                max_position_embeddings=config.max_positions,
                position_embedding_type="absolute",
                token_dropout=config.token_dropout,
                emb_layer_norm_before=False,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                layer_norm_eps=1e-12,
            ),
            add_pooling_layer=False,
        )
        del self.esm.contact_head  # of proteins
        if config.checkpointing:
            self.esm.activation_checkpointing_enable({"use_reentrant": False})

    def forward(self, ids: Tensor, valid: Tensor | None) -> Tensor:
        """`valid` may be None where no segment is padded."""
        mask = None if valid is None else valid.long()
        return self.esm(input_ids=ids, attention_mask=mask).last_hidden_state
