"""Latents that end in codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lightning_gan.errors import InputError
from lightning_gan.priors.base import Prior


class CodesPrior(Prior):
    """Noise, then discrete codes one-hot, then continuous codes (InfoGAN, Chen et al. 2016).

    A latent is (noise, one-hot codes one after the other, continuous codes). Discrete codes are
    uniform over their values, continuous ones U(-1, 1). The regularizer ``mutual_information``
    reads them with the same arguments.

    Args:
        discrete: Number of values of each discrete code, each at least 2.
        continuous: Number of continuous codes, at least 0.
        noise: Distribution of the rest of the latent: "normal", N(0, 1), or "uniform", U(-1, 1).

    Raises:
        InputError: A number is out of range, or ``noise`` is unknown; in training, latents are
            shorter than the codes.
    """

    def __init__(
        self,
        discrete: Sequence[int] = (10,),
        continuous: int = 2,
        noise: Literal["normal", "uniform"] = "normal",
    ) -> None:
        super().__init__()
        if any(type(size) is not int or size < 2 for size in discrete):
            raise InputError(f"discrete must be whole numbers from 2, got {list(discrete)}")
        if type(continuous) is not int or continuous < 0:
            raise InputError(f"continuous must be a whole number from 0, got {continuous!r}")
        if noise not in ("normal", "uniform"):
            raise InputError(f"noise must be 'normal' or 'uniform', got {noise!r}")
        self.discrete, self.continuous, self.noise = discrete, continuous, noise

    def sample(
        self,
        n: int,
        latent_dim: int,
        *,
        generator: torch.Generator | None,
        device: torch.device | str,
    ) -> Tensor:
        """Draw latents, shape (n, Z).

        Raises:
            InputError: Z is less than the codes need.
        """
        rest = latent_dim - sum(self.discrete) - self.continuous
        if rest < 0:
            raise InputError(
                f"latents of size {latent_dim} are too short for codes of "
                f"{latent_dim - rest} numbers: set latent_dim of the generator to that or more"
            )
        draw = torch.randn if self.noise == "normal" else _uniform
        parts = [draw(n, rest, generator=generator, device=device)]
        for size in self.discrete:
            values = torch.randint(size, (n,), generator=generator, device=device)
            parts.append(one_hot(values, size).to(parts[0].dtype))
        parts.append(_uniform(n, self.continuous, generator=generator, device=device))
        return torch.cat(parts, 1)


def _uniform(
    n: int, size: int, *, generator: torch.Generator | None, device: torch.device | str
) -> Tensor:
    return torch.rand(n, size, generator=generator, device=device).mul_(2).sub_(1)
