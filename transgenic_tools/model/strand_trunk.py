"""The trunk of both strands: strand-symmetric encoder and head.

In: base codes (B, L). Out: `BaseScores` of the gene on the forward strand, or of every gene on either strand.
A surprise: the head is the same for both strands, so a reverse strand's logits stand at the window's bases but speak of
the strand that runs against them: a reverse donor stands at the last base of its intron in the window's order.
"""

from __future__ import annotations

from torch import Tensor, nn

from transgenic_tools.errors import UsageError
from transgenic_tools.model.config import StrandEncoderConfig
from transgenic_tools.model.encoders.strands import StrandEncoder
from transgenic_tools.model.head import BaseHead, BaseScores
from transgenic_tools.model.network import Network


class StrandTrunk(nn.Module):
    """Encoder and head."""

    def __init__(self, config: StrandEncoderConfig) -> None:
        super().__init__()
        self.encoder = StrandEncoder(config)
        self.head = BaseHead(self.encoder.channels)

    def forward(self, codes: Tensor) -> BaseScores:
        """Scores of the one gene that each window holds, on the forward strand."""
        return self.head(self.encoder(codes))

    def scan(self, codes: Tensor) -> tuple[BaseScores, BaseScores]:
        """Scores of all genes of the forward and of the reverse strand, both in the order of `codes`."""
        forward, reverse = self.encoder.read(codes, one_gene=False, both=True)
        return self.head(forward), self.head(reverse)


def trunk_of(network: Network) -> StrandTrunk:
    """The trunk of a model, with the same tensors.

    Raises:
        UsageError: it reads one strand alone.
    """
    if not isinstance(network.settings.encoder, StrandEncoderConfig):
        raise UsageError("this model reads one strand alone", hint="give one of the preset strands")
    trunk = StrandTrunk(network.settings.encoder)
    own = trunk.state_dict()
    trunk.load_state_dict({name: value for name, value in network.state_dict().items() if name in own}, assign=True)
    return trunk
