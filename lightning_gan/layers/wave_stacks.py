"""Stacks of convolutions that judge waves, laid out in one dimension or two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from lightning_gan.errors import InputError

Norm = Literal["weight", "spectral", "none"]


class WaveStack(nn.Module):
    """Convolutions with LeakyReLU after all but the last, which makes the logits.

    Args:
        convolutions: The layers, the last one with a single channel.
        norm: "weight" for weight normalization (Salimans & Kingma 2016), "spectral" for spectral
            normalization (Miyato et al. 2018), "none".
        slope: Slope of LeakyReLU for negative inputs.

    Raises:
        InputError: ``norm`` is unknown.
    """

    def __init__(self, convolutions: Iterable[nn.Module], norm: Norm, slope: float) -> None:
        super().__init__()
        if norm not in get_args(Norm):
            raise InputError(f"norm must be 'weight', 'spectral' or 'none', got {norm!r}")
        normalize: Any = {"weight": weight_norm, "spectral": spectral_norm}.get(norm, lambda x: x)
        self.layers = nn.ModuleList(normalize(each) for each in convolutions)
        self.slope = slope

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits (N, places) and what each layer made, the logits as they lie included."""
        features = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index < len(self.layers) - 1:
                x = leaky_relu(x, self.slope)
            features.append(x)
        return x.flatten(1), features


def wave_shape(sample_shape: Sequence[int | None], longer_than: int) -> tuple[int, int | None]:
    """Return channels and length of waves.

    Args:
        sample_shape: (C, T), T None for any length.
        longer_than: T has to be more than this.

    Raises:
        InputError: It is no such shape, or the waves are too short.
    """
    shape = tuple(sample_shape)
    whole = len(shape) == 2 and type(shape[0]) is int and type(shape[1]) in (int, type(None))
    if not whole or shape[0] < 1 or (shape[1] is not None and shape[1] <= longer_than):  # type: ignore[operator]
        raise InputError(
            "sample_shape must be that of waves, (channels, samples) with more than "
            f"{longer_than} samples, or None for any number, got {shape}"
        )
    return shape  # type: ignore[return-value]
