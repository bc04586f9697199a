"""Any `AutoModel` of transformers as an encoder.

In: token ids (S, N) and their mask. Out: hidden (S, N, H).
A surprise: the architecture travels in the model's own config.json, so a trained model loads without the directory that
its encoder came from; only an encoder with code of its own still needs it.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from transgenic_tools.errors import UsageError
from transgenic_tools.model.config import AutoEncoderConfig
from transgenic_tools.model.encoders.kmer import Tokenizer, base_tokenizer, read_vocabulary, tokenizer_from_vocabulary


def fill_from_directory(config: AutoEncoderConfig, directory: Path) -> AutoEncoderConfig:
    """The config with architecture and vocabulary read from a model directory, where they are not given."""
    if not config.architecture:
        found = AutoConfig.from_pretrained(
            directory, local_files_only=True, trust_remote_code=config.trust_remote_code
        ).to_dict()
        config = replace(config, architecture=_plain(found))
    words = directory / "vocab.txt"
    if not config.vocabulary and words.is_file():
        config = replace(config, vocabulary=read_vocabulary(words))
    return config


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if not key.startswith("_") and key != "transformers_version"}


def auto_tokenizer(config: AutoEncoderConfig) -> Tokenizer:
    """From the vocabulary where there is one, else by `first_base_id`."""
    if config.vocabulary:
        return tokenizer_from_vocabulary(config.vocabulary, config.kmer)
    if config.kmer != 1:
        raise UsageError(f"encoder 'auto' with kmer {config.kmer} needs a vocabulary", hint="put vocab.txt beside it")
    return base_tokenizer(config.first_base_id, class_id=config.class_token, pad_id=config.pad_token)


class AutoBackbone(nn.Module):
    """See the module docstring."""

    #: Published names are those of transformers; `load` handles them.
    unused: tuple[str, ...] = ()

    optional_mask = True

    def __init__(self, config: AutoEncoderConfig) -> None:
        super().__init__()
        if not config.architecture:
            raise UsageError("encoder 'auto' has no architecture", hint="give encoder.weights a model directory")
        if config.trust_remote_code:
            # Remote code is found through the directory, never through the network.
            found = AutoConfig.from_pretrained(str(config.weights), local_files_only=True, trust_remote_code=True)
        else:
            values = dict(config.architecture)
            found = AutoConfig.for_model(values.pop("model_type"), **values)
        self.model = AutoModel.from_config(found, trust_remote_code=config.trust_remote_code)
        self.width = int(found.hidden_size)
        self.takes_mask = "attention_mask" in inspect.signature(self.model.forward).parameters
        if config.checkpointing:
            self.model.activation_checkpointing_enable({"use_reentrant": False})

    def forward(self, ids: Tensor, valid: Tensor | None) -> Tensor:
        """`valid` may be None where no segment is padded."""
        extra = {"attention_mask": valid.long()} if self.takes_mask and valid is not None else {}
        return self.model(input_ids=ids, **extra).last_hidden_state

    def load(self, directory: Path, *, trust_remote_code: bool) -> None:
        """Published weights of the same architecture."""
        source = AutoModel.from_pretrained(directory, local_files_only=True, trust_remote_code=trust_remote_code)
        self.model.load_state_dict(source.state_dict())
