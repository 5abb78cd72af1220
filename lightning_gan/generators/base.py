"""The contract of generators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from torch import Tensor

from lightning_gan.components.spec import Component
from lightning_gan.types import GeneratorOutput, ParameterGroup, SampleRange


class Generator(Component, ABC):
    """Maps latents, and labels where it is conditional, to samples.

    By convention the constructor takes ``sample_shape`` and, where the network can be conditional,
    ``num_classes: int | None = None``: the command fills both from the data.

    A generator with an input (super resolution, a vocoder, a translation) has a ``latent_dim`` of 0
    and gets the input as ``y``.

    Attributes:
        latent_dim: Size Z of a latent; 0 is allowed.
        sample_shape: Shape of one sample, (C, H, W) for images; nothing requires images. Entries
            may be None where any size will do, as for speech: (1, None).
        num_classes: K if the generator takes class labels, else None.
        class_entry: The entry of a condition that is a dict in which the labels are; None: they are
            the condition.
        takes_unlabeled: Whether a label of -1, for a sample without one, is allowed.
        sample_range: Between which values samples lie: "symmetric" for [-1, 1], "unit" for [0, 1],
            a pair such as (0.0, 50.0), or "free". None: not declared, symmetric for images.
    """

    latent_dim: int
    sample_shape: tuple[Any, ...]
    num_classes: int | None = None
    class_entry: str | None = None
    takes_unlabeled: bool = False
    sample_range: SampleRange = None

    @abstractmethod
    def forward(self, z: Tensor, y: Any = None) -> Tensor | GeneratorOutput:
        """Generate one sample for each latent.

        Args:
            z: Latents, shape (N, Z).
            y: Class labels, int64 of shape (N,) in 0..K-1, or whatever the data module yields.

        Returns:
            Samples, shape (N, *sample_shape), or a GeneratorOutput with by-products beside them. In
            eval mode a function of z and y alone.
        """

    def example_input(self, n: int) -> Any:
        """Return conditions such as the data yield, which an export is tried with.

        For generators whose condition is neither a class nor an image of the samples' shape.
        Default: None, and ``lightning-gan export`` asks for one.

        Args:
            n: How many, the same each time.
        """
        return None

    def parameter_groups(self) -> Iterable[ParameterGroup]:
        """Return groups of parameters with names and rates of their own; see ParameterGroup.

        Default: one group of all parameters.
        """
        return ()
