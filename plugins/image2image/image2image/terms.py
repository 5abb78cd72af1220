"""The terms of CycleGAN, for a generator that translates both ways at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from image2image.networks import domains
from lightning_gan import AdversarialStep, InputError, Player, Regularizer

DOMAINS = 2


class CycleConsistency(Regularizer):
    r"""What is translated there and back should be what it was (Zhu et al. 2017, equation 2).

    .. math:: \lVert F(G(a)) - a \rVert_1 + \lVert G(F(b)) - b \rVert_1

    each divided by the number of values in an image. In CycleGAN it has the weight 10.

    Args:
        weight: Factor of the term.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold.
    """

    def __init__(self, weight: float = 10.0, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def generator(self, step: AdversarialStep) -> dict[str, Tensor]:
        """Return the distance of each domain, ``a`` and ``b``, of shape (N,)."""
        return _distances(step.generate(step.z, domains(step.fake)), step.real)


class IdentityMapping(Regularizer):
    r"""What looks like the target already should stay as it is (Zhu et al. 2017, section 5.2).

    .. math:: \lVert F(a) - a \rVert_1 + \lVert G(b) - b \rVert_1

    each divided by the number of values in an image. It keeps colors; the authors give it half of
    the weight of cycle consistency where it is used.

    Args:
        weight: Factor of the term.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold.
    """

    def __init__(self, weight: float = 5.0, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def generator(self, step: AdversarialStep) -> dict[str, Tensor]:
        """Return the distance of each domain, ``a`` and ``b``, of shape (N,)."""
        real = domains(step.real)
        # What makes A of B gets an image of A, and the other way round.
        return _distances(step.generate(step.z, {"a": real["b"], "b": real["a"]}), step.real)


class ImagePool(Regularizer):
    """Shows the discriminator earlier fakes in place of half of the new ones (Zhu et al. 2017).

    Until a pool is full, fakes are shown and kept. Then each is shown with a probability of one
    half; otherwise one drawn from the pool is shown, and the new one takes its place (section 4,
    after Shrivastava et al. 2017). Each of ``parts`` that lie side by side in a sample has a pool
    of its own. Pools are saved and resumed, with each process's own.

    Args:
        size: Images in a pool, at least 1.
        parts: Images side by side in a sample: 2 for a two-way generator.

    Raises:
        InputError: A number is out of range; when the GAN is put together, samples are no images
            that can be cut so, or the discriminator asks for the condition of a fake.
    """

    pool: Tensor
    held: Tensor

    def __init__(self, size: int = 50, parts: int = DOMAINS) -> None:
        super().__init__()
        if min(size, parts) < 1:
            raise InputError(f"size and parts must be at least 1, got {size} and {parts}")
        self.size, self.parts = size, parts

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Make the pools, which are empty."""
        shape: Any = tuple(generator.sample_shape)  # type: ignore[arg-type]
        if len(shape) != 3 or None in shape or shape[2] % self.parts:
            raise InputError(
                f"image_pool keeps images that are {self.parts} parts wide, got samples of shape "
                f"{shape}: set parts"
            )
        names = ("num_classes", "condition_channels")
        asked = [name for name in names if getattr(discriminator, name, None) is not None]
        if asked:
            raise InputError(
                "image_pool keeps fakes without their conditions, and the discriminator has "
                f"{asked[0]}={getattr(discriminator, asked[0])}: set it to null, or leave the "
                "pool out"
            )
        channels, height, width = shape
        pool = torch.zeros(self.size, self.parts, channels, height, width // self.parts)
        self.register_buffer("pool", pool)
        self.register_buffer("held", torch.zeros((), dtype=torch.int64))

    def prepare(self, step: AdversarialStep) -> None:
        """Replace fakes in an update of the discriminator."""
        if step.player is Player.DISCRIMINATOR:
            step.replace(fake=self.shown(step.fake.detach()))

    def shown(self, fakes: Tensor) -> Tensor:
        """Return what is shown in the place of fakes, and keep some of them.

        Args:
            fakes: Shape (N, C, H, W).
        """
        n, device, of_pool = len(fakes), fakes.device, self.pool.dtype
        new = torch.stack(torch.chunk(fakes, self.parts, dim=-1), dim=1)
        old = torch.rand(n, self.parts, device=device) < 0.5
        places = torch.randint(self.size, (n, self.parts), device=device)
        parts = torch.arange(self.parts, device=device)
        found = []
        for images, draw, drawn in zip(new, old, places, strict=True):  # no waiting for a GPU
            fills = self.held < self.size
            place = torch.where(fills, self.held, drawn)
            swaps = (draw & ~fills)[:, None, None, None]
            kept = self.pool[place, parts]
            found.append(torch.where(swaps, kept.to(images.dtype), images))
            self.pool[place, parts] = torch.where(swaps | fills, images.to(of_pool), kept)
            self.held += fills
        return torch.cat(list(torch.stack(found).unbind(1)), dim=-1)


def _distances(made: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Return the mean absolute difference of images of A and of B, of shape (N,) each."""
    differences = domains((made - wanted).abs())
    return {name: difference.flatten(1).mean(1) for name, difference in differences.items()}
