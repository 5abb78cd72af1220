"""How a condition enters a discriminator, and how its verdict comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.layers.condition import check_word, condition_of, with_maps
from lightning_gan.layers.heads import LinearHeads, last_logits
from lightning_gan.types import DiscriminatorOutput

Conditioning = Literal["projection", "concat", "auxiliary"]
CHOICES = ("projection", "concat", "auxiliary")


class JudgedCondition(nn.Module):
    """The condition of a discriminator, of images or of flat samples.

    - "projection": the inner product of the features and a learned vector of the condition is added
      to the logit (Miyato & Koyama 2018, section 3).
    - "concat": a learned vector of the condition enters as further channels of the image, each
      constant, or beside a flat sample (in the manner of Mirza & Osindero 2014).
    - "auxiliary": the condition is no input; a second head tells it, as class logits (Odena et al.
      2017).

    Args:
        channels: C of the image, or the length of a flat sample.
        conditioning: Which.
        num_classes: The network's argument; see Condition.
        condition_dim: The network's argument.
        num_tokens: The network's argument.
        class_dim: Length of the vector of "concat", and of a sequence's.

    Raises:
        InputError: More than one condition is given, a number is below 1, ``conditioning`` is
            unknown, or "auxiliary" is to tell sequences.

    Attributes:
        channels: Channels of what the network looks at.
        told: How many numbers an auxiliary head has; None: there is none.
        projects: Whether the condition enters by projection.
    """

    def __init__(
        self,
        channels: int,
        conditioning: Conditioning,
        num_classes: int | None,
        condition_dim: int | None,
        num_tokens: int | None,
        class_dim: int,
    ) -> None:
        super().__init__()
        check_word("conditioning", conditioning, CHOICES)
        self.conditioning = conditioning
        auxiliary = conditioning == "auxiliary"
        if auxiliary and num_tokens is not None:
            raise InputError(
                "an auxiliary head tells num_classes or condition_dim, not sequences: leave "
                "num_tokens out, or choose conditioning='projection'"
            )
        condition = condition_of(num_classes, condition_dim, num_tokens, class_dim)
        self.told = None if condition is None or not auxiliary else condition.size
        self.condition = None if auxiliary else condition
        self.projects = self.condition is not None and conditioning == "projection"
        self.maps: nn.Module | None = None
        self.channels = channels
        if self.condition is not None and conditioning == "concat":
            self.maps = self.condition.table(class_dim)
            self.channels += class_dim

    def enter(self, x: Tensor, y: Any) -> tuple[Tensor, Any]:
        """Return what the network looks at, and what :class:`Verdict` gets of the condition.

        Args:
            x: Images, shape (N, C, H, W), or flat samples, shape (N, C).
            y: The condition; anything where the network has none or tells it.
        """
        if self.condition is None:
            return x, None
        c = self.condition(y, x)
        if self.maps is None:
            return x, c
        return with_maps(x, self.maps(c)), None

    def table(self, dim: int, std: float = 1.0) -> nn.Module:
        """Return a layer from conditions to learned vectors, where there are conditions."""
        assert self.condition is not None
        return self.condition.table(dim, std)

    def verdict(self, features: int, heads: Mapping[str, int] | None = None) -> Verdict:
        """Return the end of a network whose last map has so many channels."""
        return Verdict(self, features, heads)


def heads_of(judged: JudgedCondition, heads: Mapping[str, int] | None) -> dict[str, int]:
    """Return the linear heads of a network: that of an auxiliary condition among them."""
    return {**({} if judged.told is None else {"class_logits": judged.told}), **(heads or {})}


class Verdict(nn.Module):
    """The end of a residual network: ReLU, the sum over the map, one logit and further heads.

    Args:
        judged: The condition.
        features: F, the channels of the map.
        heads: Further heads, name and width; see LinearHeads.
    """

    def __init__(
        self, judged: JudgedCondition, features: int, heads: Mapping[str, int] | None = None
    ) -> None:
        super().__init__()
        self.head = nn.Linear(features, 1)
        self.classes = judged.table(features, features**-0.5) if judged.projects else None
        self.others = LinearHeads(features, heads_of(judged, heads))

    def forward(self, x: Tensor, c: Any) -> DiscriminatorOutput:
        """Return logits, shape (N,), the sums as features, (N, F), and what other heads say.

        Args:
            x: The last map, shape (N, F, H, W).
            c: What :class:`JudgedCondition` made of the condition.
        """
        features = torch.relu(x).sum((2, 3))
        classes = None if self.classes is None else self.classes(c)
        logits = last_logits(self.head, features, classes)
        assert isinstance(logits, Tensor)
        said = self.others(features)
        class_logits = said.pop("class_logits", None)
        return DiscriminatorOutput(logits, class_logits, features, said)
