"""LED, LongT5 and T5 as decoders: the stacks of transformers around the project's own vocabulary.

In and out as for `PointerDecoder`: candidate sites of a gene and the states visited so far; scores of the next states.
The encoder stack reads the candidate sites in their order along the DNA, the decoder stack the states written so far,
with cross-attention to the sites. A step's logits join pointers (dot products with the states of the graph, so frame
and reachability hold by construction) with the LM head over the two structural tokens NEXT and EOS.
Dims: G genes, S sites, T steps, R rows, D model size.

A surprise: with `global_attention: sites`, LED's likely splice sites attend to all others and are seen by all; other
candidates see a window.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache, LEDConfig, LongT5Config, T5Config
from transformers.models.led.modeling_led import LEDDecoder, LEDEncoder
from transformers.models.longt5.modeling_longt5 import LongT5Stack
from transformers.models.t5.modeling_t5 import T5Stack

from transgenic_tools.errors import UsageError
from transgenic_tools.lattice.vocabulary import Site
from transgenic_tools.model.config import PointerDecoderConfig, Seq2SeqDecoderConfig
from transgenic_tools.model.decoders.pointer import DecoderState, PointerDecoder

NEXT, EOS = 0, 1
_GLOBAL_CHOICES = ("none", "sites")
#: Added to attention scores of what must not be seen; finite, so that a row that sees nothing gives numbers.
_HIDDEN = -1e9


def _led(config: Seq2SeqDecoderConfig) -> tuple[nn.Module, nn.Module]:
    sizes = LEDConfig(
        vocab_size=2,
        d_model=config.dim,
        encoder_layers=config.node_layers,
        decoder_layers=config.layers,
        encoder_attention_heads=config.heads,
        decoder_attention_heads=config.heads,
        encoder_ffn_dim=config.intermediate,
        decoder_ffn_dim=config.intermediate,
        max_encoder_position_embeddings=config.max_sites + config.window,
        max_decoder_position_embeddings=config.max_steps,
        attention_window=config.window,
        dropout=config.dropout,
        attention_dropout=0.0,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        use_cache=False,
    )
    return LEDEncoder(sizes), LEDDecoder(sizes)


def _t5(config: Seq2SeqDecoderConfig) -> tuple[nn.Module, nn.Module]:
    kind: Any = LongT5Config if config.name == "longt5" else T5Config
    stack: Any = LongT5Stack if config.name == "longt5" else T5Stack
    common: dict[str, Any] = {
        "vocab_size": 2,
        "d_model": config.dim,
        "d_kv": config.dim // config.heads,
        "d_ff": config.intermediate,
        "num_heads": config.heads,
        "dropout_rate": config.dropout,
        "feed_forward_proj": "gated-gelu",
        "use_cache": False,
    }
    if config.name == "longt5":
        common["local_radius"] = config.window
    encoder = kind(**common, num_layers=config.node_layers, is_decoder=False, is_encoder_decoder=False)
    decoder = kind(**common, num_layers=config.layers, is_decoder=True, is_encoder_decoder=False)
    return stack(encoder), stack(decoder)


class Seq2SeqDecoder(PointerDecoder):
    """See the module docstring."""

    def __init__(self, config: Seq2SeqDecoderConfig, channels: int) -> None:
        if config.global_attention not in _GLOBAL_CHOICES:
            raise UsageError(
                f"decoder.global_attention {config.global_attention!r}", hint=f"choose one of {_GLOBAL_CHOICES}"
            )
        shared = PointerDecoderConfig(
            dim=config.dim, node_layers=0, layers=0, heads=config.heads, dropout=config.dropout
        )
        super().__init__(shared, channels)
        self.config = config  # type: ignore[assignment]
        self.sizes = config
        self.stack_in, self.stack_out = _led(config) if config.name == "led" else _t5(config)
        for stack in (self.stack_in, self.stack_out):
            stack.get_input_embeddings().requires_grad_(False)  # type: ignore[operator]
        del self.more, self.norm
        self.lm_head = nn.Linear(config.dim, 2)

    def _global_mask(self, site_type: Tensor, logit: Tensor, valid: Tensor) -> Tensor:
        """1 where a likely splice site attends to all. (G, S)."""
        p = self.sizes.global_probability
        splice = (site_type == Site.DONOR) | (site_type == Site.ACCEPTOR)
        return (splice & valid & (logit >= math.log(p / (1 - p)))).long()

    def encode_sites(self, features: Tensor, site_type: Tensor, logit: Tensor, valid: Tensor) -> Tensor:
        if self.sizes.name == "led" and features.shape[1] > self.sizes.max_sites:
            raise UsageError(
                f"{features.shape[1]} candidate sites, LED has positions for {self.sizes.max_sites}",
                hint="train with a larger decoder.max_sites, or lower grammar.candidates_per_kb",
            )
        x = self.site_in(self.dropout(features)) + self.site_type(site_type) + self.site_logit(logit[..., None] / 5)
        extra = {}
        if self.sizes.name == "led" and self.sizes.global_attention == "sites":
            extra["global_attention_mask"] = self._global_mask(site_type, logit, valid)
        return self.stack_in(inputs_embeds=x, attention_mask=valid.long(), **extra).last_hidden_state

    def _check_steps(self, steps: int) -> None:
        if self.sizes.name == "led" and steps > self.sizes.max_steps:
            raise UsageError(
                f"a gene of {steps} steps, LED has positions for {self.sizes.max_steps}",
                hint="train with a larger decoder.max_steps, or use longt5",
            )

    def forward(self, tokens: Tensor, sites: Tensor | None = None, valid: Tensor | None = None) -> Tensor:
        """(G, T, D) tokens -> (G, T, D) hidden, causal, with cross-attention to `sites` (G, S, D)."""
        assert sites is not None, "a seq2seq decoder reads the sites"
        assert valid is not None, "a seq2seq decoder reads the mask of the sites"
        self._check_steps(tokens.shape[1])
        return self.stack_out(
            inputs_embeds=tokens,
            encoder_hidden_states=sites,
            encoder_attention_mask=valid.long(),
            use_cache=False,
        ).last_hidden_state

    def more_logit(self, hidden: Tensor) -> Tensor:
        logits = self.lm_head(hidden)
        return logits[..., NEXT] - logits[..., EOS]

    def start(
        self, tokens: Tensor, lengths: Tensor, *, beams: int, sites: Tensor, valid: Tensor, room: int = 64
    ) -> DecoderState:
        return CachedState(self, tokens, lengths, beams=beams, sites=sites, valid=valid)

    def advance(
        self, x: Tensor, place: Tensor, pad: Tensor, sites: Tensor, valid: Tensor, cache: EncoderDecoderCache
    ) -> Tensor:
        """Hidden states of further tokens, whose keys and values join the cache.

        Args:
            x: (R, T, D), the last T of all that is written.
            place: (R, T) or (R, 1), index of each token in its own row.
            pad: (R,) empty places before the row's first token.
            sites, valid: (R, S, D) and (R, S).
        """
        self._check_steps(int(place.max()) + 1)
        known = cache.get_seq_length()
        key = torch.arange(known + x.shape[1], device=x.device)
        seen = (key[None, None] <= key[known:, None]) & (key >= pad[:, None, None])
        own = torch.zeros(seen.shape, device=x.device).masked_fill(~seen, _HIDDEN)[:, None]
        cross = torch.zeros(valid.shape, device=x.device).masked_fill(~valid, _HIDDEN)[:, None, None]
        cross = cross.expand(-1, 1, x.shape[1], -1)
        stack: Any = self.stack_out
        if self.sizes.name != "led":
            return stack(
                inputs_embeds=x,
                attention_mask=own,
                encoder_hidden_states=sites,
                encoder_attention_mask=cross,
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state
        # LED's own forward pass gives all rows the same positions and leaves the mask of a single token out.
        x = stack.layernorm_embedding(x + nn.functional.embedding(place, stack.embed_positions.weight))
        for layer in stack.layers:
            x = layer(x, own, sites, encoder_attention_mask=cross, past_key_values=cache, use_cache=True)[0]
        return x


class CachedState:
    """Keys and values of what all rows have written, in the caches of transformers.

    Rows have written different numbers of tokens, so they stand right-aligned: row r has `pad[r]` empty places first.
    T5's positions are differences and LED's are looked up by hand, so the places themselves mean nothing.
    """

    def __init__(
        self, decoder: Seq2SeqDecoder, tokens: Tensor, lengths: Tensor, *, beams: int, sites: Tensor, valid: Tensor
    ) -> None:
        self.decoder = decoder
        # Free slots have no site; a first one is opened for them, because attention to nothing is undefined.
        valid = valid.clone()
        valid[:, 0] = True
        self.cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self.written = int(lengths.max())
        pad = self.written - lengths
        self.hidden = tokens[:, 0]  # nobody asks for it where nothing is written
        if self.written:
            place = (torch.arange(self.written, device=tokens.device)[None] - pad[:, None]).clamp(min=0)
            aligned = tokens.gather(1, place[..., None].expand(-1, -1, tokens.shape[2]))
            self.hidden = decoder.advance(aligned, place, pad, sites, valid, self.cache)[:, -1]
            self.cache.batch_repeat_interleave(beams)
        self.pad = pad.repeat_interleave(beams, 0)
        self.sites, self.valid = sites.repeat_interleave(beams, 0), valid.repeat_interleave(beams, 0)

    def step(self, x: Tensor, at: Tensor) -> Tensor:
        place = (self.written - self.pad)[:, None]
        hidden = self.decoder.advance(x[:, None], place, self.pad, self.sites, self.valid, self.cache)
        self.written += 1
        return hidden[:, 0]

    def reorder(self, parents: Tensor) -> None:
        # Beams of a gene have the same sites and as many empty places, so nothing else moves.
        if not torch.equal(parents, torch.arange(len(parents), device=parents.device)):
            self.cache.self_attention_cache.reorder_cache(parents.long())  # type: ignore[arg-type]
