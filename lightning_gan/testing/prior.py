"""The check of priors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.priors.base import Prior
from lightning_gan.testing.base import check_any, check_rebuilding
from lightning_gan.testing.computing import check_device, check_randomness
from lightning_gan.testing.expectations import (
    close,
    conformance,
    expect,
    expect_tensor,
    failure,
    told,
)
from lightning_gan.testing.feedback import check_observing
from lightning_gan.testing.inputs import N
from lightning_gan.testing.scene import make_scene

ANY_DIM = 8
MANY = 64  # latents, which agree by chance only where they always do


@conformance
def check_prior(
    prior: Prior,
    *,
    latent_dim: int | None = None,
    reports: Mapping[str, float] | None = None,
    networks: tuple[Generator, Discriminator] | None = None,
    portable: bool = True,
) -> None:
    """Check a prior.

    Args:
        prior: The prior.
        latent_dim: The size of latents to ask for. None: 8; of 1 and 0 it may say, in an
            InputError, that it cannot make them.
        reports: Numbers that parts report, by ``part/name``, for a prior that observes them.
        networks: Generator and discriminator that it is bound to in place of tiny ones.
        portable: Whether its arguments can be saved; False: they are passed again to
            ``load_from_checkpoint``.

    Raises:
        ConformanceError: The prior breaks its contract.
    """
    size = ANY_DIM if latent_dim is None else latent_dim
    scene = make_scene(prior, networks=networks)
    own = check_any(prior, Prior, scene.networks, portable=portable)
    _check_latents(own, size)
    if latent_dim is None:
        for other in (1, 0):
            _check_other_size(own, other)
    check_device(own, lambda prior: prior.sample(N, size, generator=None, device="meta"))
    _check_sources(own, size)
    check_randomness(own, lambda: _draw(own, N, size, None))
    check_observing(own, reports)
    _check_latents(own, size)
    twin = check_rebuilding(own, scene.networks, portable=portable)
    expect(
        close(_draw(own, N, size, 1), _draw(twin, N, size, 1)),
        own,
        "must go on after a resume as it would have, but one rebuilt from spec and state_dict "
        "draws others from an equal seed: keep what it remembers in buffers or in get_extra_state",
    )


def _check_latents(prior: Prior, latent_dim: int) -> None:
    for n in (N, 1):
        with told(
            prior,
            f"must draw {n} latents of size {latent_dim}, but failed",
            "where only some sizes make sense, name one: latent_dim=...",
        ):
            z = _draw(prior, n, latent_dim, 1)
        expect_tensor(prior, z, (n, latent_dim), torch.float32)


def _check_other_size(prior: Prior, latent_dim: int) -> None:
    """Check latents of a size that a prior may refuse in words."""
    try:
        _draw(prior, N, latent_dim, 1)
    except InputError:
        return
    except Exception as error:
        raise failure(
            prior,
            f"must draw latents of size {latent_dim}, or refuse that size in an InputError, but "
            f"raises {type(error).__name__}: check latent_dim first, or name a size that makes "
            "sense: latent_dim=...",
        ) from error
    _check_latents(prior, latent_dim)


def _check_sources(prior: Prior, latent_dim: int) -> None:
    """Check where the randomness comes from, of latents that have any."""
    state = torch.get_rng_state()
    first = _draw(prior, MANY, latent_dim, 1)
    expect(
        torch.equal(state, torch.get_rng_state()),
        prior,
        "must leave the global random state alone when it is given a generator, but draws from it: "
        "hand the generator on",
    )
    if latent_dim == 0:
        return
    expect(
        torch.equal(first, _draw(prior, MANY, latent_dim, 1))
        and not torch.equal(first, _draw(prior, MANY, latent_dim, 2)),
        prior,
        "must draw the same latents from equally seeded generators, and others from others, but "
        "does not: take all randomness from the generator",
    )
    expect(
        not torch.equal(*(_draw(prior, MANY, latent_dim, None) for _ in range(2))),
        prior,
        "must draw new latents from the global random state when it is given no generator, but "
        "repeats itself: hand None on to torch's functions",
    )


def _draw(prior: Prior, n: int, latent_dim: int, seed: int | None) -> Tensor:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return prior.sample(n, latent_dim, generator=generator, device="cpu")
