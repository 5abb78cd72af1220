"""The check of discriminators."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.testing.base import ANY_SHAPE, N, check_any, check_double_backward
from lightning_gan.testing.expectations import expect_tensor, own_randomness
from lightning_gan.testing.network import (
    as_output,
    check_function,
    check_gradients,
    check_labels,
    check_network_attributes,
    jittered,
    labels_for,
)


def check_discriminator(discriminator: Discriminator, *, y: Any = None) -> None:
    """Check a discriminator.

    Args:
        discriminator: The network.
        y: Labels of 4 samples, for a discriminator that takes others than class labels.

    Raises:
        ConformanceError: The discriminator breaks its contract.
    """
    with own_randomness():
        check_any(discriminator, Discriminator)
        check_network_attributes(discriminator)
        x = torch.rand(N, *(discriminator.sample_shape or ANY_SHAPE)) * 2 - 1
        labels = labels_for(discriminator, y)
        for mode in (True, False):
            discriminator.train(mode)
            output = as_output(discriminator(x, labels))
            expect_tensor(discriminator, output.logits, (N, ...), torch.float32)
            if output.class_logits is not None:
                classes = discriminator.num_classes
                shape = (N, ...) if classes is None else (N, classes)
                expect_tensor(discriminator, output.class_logits, shape, torch.float32)
        check_function(discriminator, x, labels, couples_samples=discriminator.couples_samples)
        check_labels(discriminator, x, y)
        check_gradients(discriminator, x, labels)
        network = jittered(discriminator).float().train()
        check_double_backward(
            discriminator, lambda x: as_output(network(x, labels)).logits, x, network
        )
