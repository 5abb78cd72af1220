"""The check of generators."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gan.generators.base import Generator
from lightning_gan.testing.base import N, check_any
from lightning_gan.testing.expectations import expect, expect_tensor, own_randomness
from lightning_gan.testing.network import (
    check_function,
    check_gradients,
    check_labels,
    check_network_attributes,
    labels_for,
)


def check_generator(generator: Generator, *, y: Any = None) -> None:
    """Check a generator.

    Args:
        generator: The network.
        y: Labels of 4 samples, for a generator that takes others than class labels.

    Raises:
        ConformanceError: The generator breaks its contract.
    """
    with own_randomness():
        check_any(generator, Generator)
        check_network_attributes(generator)
        latent_dim = getattr(generator, "latent_dim", None)
        expect(
            isinstance(latent_dim, int) and latent_dim >= 0,
            generator,
            f"must have an attribute latent_dim, an int of 0 or more, got {latent_dim!r}",
        )
        shape = getattr(generator, "sample_shape", None)
        expect(shape is not None, generator, "must have an attribute sample_shape")
        z = torch.randn(N, generator.latent_dim)
        labels = labels_for(generator, y)
        for mode in (True, False):
            generator.train(mode)
            samples = generator(z, labels)
            expect_tensor(generator, samples, (N, *generator.sample_shape), torch.float32)
        check_function(generator, z, labels, couples_samples=False)
        check_labels(generator, z, y)
        check_gradients(generator, z, labels)
