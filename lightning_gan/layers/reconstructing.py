"""What an autoencoder says as a discriminator."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.types import DiscriminatorOutput, widened


def judged(x: Tensor, reconstruction: Tensor, code: Tensor, power: int) -> DiscriminatorOutput:
    """Return the negative error of a reconstruction as logits (N,), the code as features.

    Args:
        x: Samples, shape (N, *sample_shape).
        reconstruction: What became of them, the same shape.
        code: What the autoencoder made of them in between, N first.
        power: The error is the mean of the absolute differences to this power, 1 or 2.
    """
    difference = widened(x) - widened(reconstruction)  # differences of half precision are coarse
    errors = difference.abs() if power == 1 else difference.square()
    return DiscriminatorOutput(
        -errors.flatten(1).mean(1), features=code, extra={"reconstruction": reconstruction}
    )
