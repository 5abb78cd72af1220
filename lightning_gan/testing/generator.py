"""The check of generators."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan.generators.base import Generator
from lightning_gan.priors.base import Prior
from lightning_gan.testing.base import check_any
from lightning_gan.testing.expectations import conformance, expect, expect_tensor, told
from lightning_gan.testing.gradients import check_gradients, check_training
from lightning_gan.testing.inputs import SIZES, N, cases, input_rows
from lightning_gan.testing.network import (
    check_function,
    check_heeds_labels,
    check_network_attributes,
    run_network,
)
from lightning_gan.types import GeneratorOutput, map_tensors, range_bounds


@conformance
def check_generator(
    generator: Generator,
    *,
    y: Any = None,
    prior: Prior | None = None,
    sizes: Sequence[int] = SIZES,
    reach: Callable[[Any], Any] | None = None,
    portable: bool = True,
) -> None:
    """Check a generator.

    Args:
        generator: The network.
        y: Condition of 4 samples, for a generator that takes others than class labels; or, where
            entries of its sample_shape are None, a function that makes one for a size.
        prior: Distribution of the latents; None: standard normal.
        sizes: What such a function is called with, one after the other.
        reach: For parameters that only a method uses: returns, of the network, what terms compute
            by it, such as ``lambda network: network.encode(samples)``.
        portable: Whether its arguments can be saved; False: they are passed again to
            ``load_from_checkpoint``.

    Raises:
        ConformanceError: The generator breaks its contract.
    """
    own = check_any(generator, Generator, portable=portable)
    check_network_attributes(own)
    _check_attributes(own)
    for _, condition in cases(own, y, sizes):
        with told(own, "is checked on latents of a prior that takes its latent_dim"):
            sample = (prior or Prior()).sample
            z = sample(N, own.latent_dim, generator=None, device="cpu")
        _check_output(own, z, condition)
        check_function(own, z, condition, couples_samples=False)
        check_heeds_labels(own, z, condition, y)
        _check_condition_matters(own, z, condition, y)
        check_training(own, z, condition)
        check_gradients(own, z, condition, reach)


def _check_attributes(generator: Generator) -> None:
    latent_dim = getattr(generator, "latent_dim", None)
    expect(
        isinstance(latent_dim, int) and latent_dim >= 0,
        generator,
        f"must have an attribute latent_dim, an int of 0 or more, got {latent_dim!r}",
    )
    expect(
        getattr(generator, "sample_shape", None) is not None,
        generator,
        "must have an attribute sample_shape, a tuple such as (3, 32, 32), got none",
    )
    with told(generator, "must declare a range of its samples, or None"):
        range_bounds(generator.sample_range)


def _check_output(own: Generator, z: Tensor, y: Any) -> None:
    """Check shape and dtype in both modes, and that by-products are of the samples."""
    generator = copy.deepcopy(own)
    for mode in (True, False):
        generator.train(mode)
        output: GeneratorOutput = run_network(generator, z, y)
        expect_tensor(generator, output.samples, (N, *generator.sample_shape), torch.float32)
        for name, product in output.extra.items():
            map_tensors(lambda t: _check_product(generator, name, t), product)  # noqa: B023


def _check_product(generator: Generator, name: str, product: Tensor) -> None:
    shape = ", ".join(map(str, product.shape))
    expect(
        product.dim() == 0 or len(product) == N,
        generator,
        f"by-products must be scalars or tensors of {N} samples, N first, got extra[{name!r}] of "
        f"shape ({shape}): expand it, or keep it in a buffer",
    )


def _check_condition_matters(generator: Generator, z: Tensor, y: Any, given: Any) -> None:
    """Check that a generator without latents makes something of its input."""
    if generator.latent_dim > 0 or given is None:
        return
    order = torch.arange(N).roll(1)
    changes: list[bool] = []
    map_tensors(lambda t: changes.append(not torch.equal(t, t[order])), y)
    if not any(changes):
        return  # the same condition for all
    generator.eval()
    with torch.no_grad():
        one, other = (
            run_network(generator, z, y).samples,
            run_network(generator, z, input_rows(y, order)).samples,
        )
    expect(
        not torch.equal(one, other),
        generator,
        "must depend on the condition where latent_dim is 0, but other conditions give the same "
        "samples: use y",
    )
