"""The contract of discriminators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from lightning_gan.components.spec import Component
from lightning_gan.types import DiscriminatorOutput, ParameterGroup


class Discriminator(Component, ABC):
    """Tells real samples from generated ones.

    By convention the constructor takes ``sample_shape`` and, where the network can be conditional,
    ``num_classes: int | None = None``: the command fills both from the data.

    Attributes:
        sample_shape: Shape of one sample, or None if any shape is accepted; entries may be None.
        num_classes: K if the discriminator takes class labels, else None.
        class_entry: The entry of a condition that is a dict in which the labels are; None: they are
            the condition.
        takes_unlabeled: Whether a label of -1, for a sample without one, is allowed.
        couples_samples: Whether one sample's output depends on the others of the batch.
        packing: How many samples one logit is about; logits are N / packing, rounded up.
    """

    sample_shape: tuple[Any, ...] | None = None
    num_classes: int | None = None
    class_entry: str | None = None
    takes_unlabeled: bool = False
    couples_samples: bool = False
    packing: int = 1

    @abstractmethod
    def forward(self, x: Tensor, y: Any = None) -> Tensor | Sequence[Tensor] | DiscriminatorOutput:
        """Judge samples.

        Args:
            x: Samples, shape (N, *sample_shape); in the range of the data.
            y: Class labels, int64 of shape (N,) in 0..K-1, or whatever the data module yields.

        Returns:
            Raw logits, shape (N, ...) with any trailing shape; a sequence of such, one for each
            scale, period or discriminator; or a DiscriminatorOutput when there is more to return.
            High means real.
        """

    def parameter_groups(self) -> Iterable[ParameterGroup]:
        """Return groups of parameters with names and rates of their own; see ParameterGroup.

        Default: one group of all parameters.
        """
        return ()
