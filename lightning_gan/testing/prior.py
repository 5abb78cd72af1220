"""The check of priors."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.priors.base import Prior
from lightning_gan.testing.base import N, check_any, check_device
from lightning_gan.testing.expectations import expect, expect_tensor, own_randomness


def check_prior(prior: Prior) -> None:
    """Check a prior.

    Raises:
        ConformanceError: The prior breaks its contract.
    """
    with own_randomness():
        check_any(prior, Prior)

        def draw(n: int, latent_dim: int, seed: int | None = 1) -> Tensor:
            generator = None if seed is None else torch.Generator().manual_seed(seed)
            return prior.sample(n, latent_dim, generator=generator, device="cpu")

        for n, latent_dim in ((N, 8), (1, 1), (N, 0)):
            expect_tensor(prior, draw(n, latent_dim), (n, latent_dim), torch.float32)
        check_device(prior, lambda prior: prior.sample(N, 8, generator=None, device="meta"))
        state = torch.get_rng_state()
        first = draw(N, 8)
        expect(
            torch.equal(state, torch.get_rng_state()),
            prior,
            "must leave the global random state alone when it is given a generator",
        )
        expect(
            torch.equal(first, draw(N, 8)) and not torch.equal(first, draw(N, 8, seed=2)),
            prior,
            "must draw the same latents from equally seeded generators, and others from others",
        )
        expect(
            not torch.equal(draw(N, 8, None), draw(N, 8, None)),
            prior,
            "must draw new latents from the global random state when it is given no generator",
        )
