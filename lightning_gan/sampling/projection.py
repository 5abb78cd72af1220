"""The latent whose sample is nearest to an image, found by optimisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.game.randomness import preserved
from lightning_gan.game.sampling import class_labels
from lightning_gan.tracking import tracked
from lightning_gan.types import as_generator_output

TRIED = 256  # drawn latents among which the search begins


@dataclass(frozen=True)
class Projection:
    """What was found.

    Attributes:
        z: The latent, shape (Z,).
        y: Its class, or None.
        sample: What the generator makes of it, shape (C, H, W).
        error: Root of the mean squared difference to the image, in units of the samples.
        first_error: The same of the best of the drawn latents, where the search began.
    """

    z: Tensor
    y: int | None
    sample: Tensor
    error: float
    first_error: float


def project(
    loaded: Any,
    image: Tensor,
    *,
    label: int | None = None,
    steps: int = 300,
    starts: int = 4,
    rate: float = 0.1,
    seed: int = 0,
) -> Projection:
    """Find the latent whose sample is nearest to an image.

    The search begins at the best of 256 drawn latents and follows the gradient of the mean squared
    difference (Adam, its rate falling to 0 as a cosine).

    Args:
        loaded: A generator with its prior.
        image: In the range of its samples, shape ``sample_shape``.
        label: The class; None: the search decides, among the drawn ones.
        steps: Of the optimizer.
        starts: How many of the drawn latents are followed; the best one wins.
        rate: Learning rate at the beginning.
        seed: Of the drawn latents.

    Raises:
        InputError: There are no latents, the image has another shape, or a number is out of range.
    """
    if loaded.latent_dim < 1:
        raise InputError("project expects a generator with latents, got latent_dim=0")
    for name, number in (("steps", steps), ("starts", starts)):
        if type(number) is not int or number < 1:
            raise InputError(f"{name} must be a whole number from 1, got {number!r}")
    device = loaded.device
    labels = class_labels(label, TRIED, loaded.num_classes)
    drawn = list(loaded.sample_in_pieces(TRIED, labels, seed))
    samples = torch.cat([piece.samples for piece in drawn])
    target = image.to(device, samples.dtype)
    if samples.shape[1:] != target.shape:
        raise InputError(
            f"the image has shape {tuple(target.shape)}, the samples {tuple(samples.shape[1:])}"
        )
    errors = _errors(samples, target)
    first = errors.sqrt().min().item()
    best = errors.argsort()[:starts]
    z = torch.cat([piece.z for piece in drawn]).to(device)[best].clone().requires_grad_()
    y = torch.cat([piece.y for piece in drawn])[best] if loaded.num_classes is not None else None
    optimizer = torch.optim.Adam([z], lr=rate)
    lowest = torch.full((len(best),), math.inf, device=device)
    kept, made = z.detach().clone(), samples[best].clone()
    with preserved(device), torch.enable_grad():
        for step in tracked(range(steps + 1), "projecting", steps + 1):
            optimizer.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
            found = as_generator_output(loaded(z, y)).samples
            losses = _errors(found, target)
            better = losses.detach() < lowest
            lowest = torch.where(better, losses.detach(), lowest)
            kept[better], made[better] = z.detach()[better], found.detach()[better]
            (z.grad,) = torch.autograd.grad(losses.sum(), z)
            optimizer.step()
    won = int(lowest.argmin())
    found_class = None if y is None else int(y[won])
    return Projection(
        kept[won].cpu(), found_class, made[won].cpu(), lowest[won].sqrt().item(), first
    )


def _errors(samples: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of each sample, shape (N,)."""
    return (samples - target).square().flatten(1).mean(dim=1)
