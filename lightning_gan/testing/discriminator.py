"""The check of discriminators."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.testing.base import check_any
from lightning_gan.testing.computing import check_double_backward
from lightning_gan.testing.expectations import conformance, expect, expect_tensor, told
from lightning_gan.testing.gradients import check_gradients, check_training
from lightning_gan.testing.inputs import SIZES, N, cases, samples_in
from lightning_gan.testing.network import (
    check_function,
    check_heeds_labels,
    check_network_attributes,
    jittered,
    run_network,
)
from lightning_gan.types import DiscriminatorOutput, SampleRange, describe, map_tensors


@conformance
def check_discriminator(
    discriminator: Discriminator,
    *,
    y: Any = None,
    sample_range: SampleRange = None,
    sizes: Sequence[int] = SIZES,
    reach: Callable[[Any], Any] | None = None,
    portable: bool = True,
) -> None:
    """Check a discriminator.

    Args:
        discriminator: The network.
        y: Condition of 4 samples, for a discriminator that takes others than class labels; or,
            where entries of its sample_shape are None, a function that makes one for a size.
        sample_range: Where the samples lie that it is tried on; None: in [-1, 1].
        sizes: What to put in the place of open entries of its sample_shape, one after the other.
        reach: For parameters that only a method uses: returns, of the network, what terms compute
            by it, such as ``lambda network: network.classify(samples)``.
        portable: Whether its arguments can be saved; False: they are passed again to
            ``load_from_checkpoint``.

    Raises:
        ConformanceError: The discriminator breaks its contract.
    """
    own = check_any(discriminator, Discriminator, portable=portable)
    check_network_attributes(own)
    coupled = own.couples_samples
    expect(isinstance(coupled, bool), own, f"must have couples_samples, a bool, got {coupled!r}")
    for shape, condition in cases(own, y, sizes):
        with told(own, "is checked on samples of a range"):
            x = samples_in(sample_range, shape)
        _check_output(own, x, condition)
        check_function(own, x, condition, couples_samples=coupled)
        check_heeds_labels(own, x, condition, y)
        check_training(own, x, condition)
        check_gradients(own, x, condition, reach)
        _check_double_backward(own, x, condition)


def _check_output(own: Discriminator, x: Tensor, y: Any) -> None:
    """Check shape and dtype of all heads in both modes, and the form of the rest."""
    discriminator = copy.deepcopy(own)
    judged = -(-N // own.packing)  # packs of samples, where it judges several as one
    for mode in (True, False):
        discriminator.train(mode)
        output: DiscriminatorOutput = run_network(discriminator, x, y)
        for index, logits in enumerate(output.heads):
            what = f"head {index}" if len(output.heads) > 1 else "its result"
            expect_tensor(discriminator, logits, (judged, ...), torch.float32, what)
        if output.class_logits is not None:
            classes = discriminator.num_classes
            shape = (judged, ...) if classes is None else (judged, classes)
            what = "class_logits"
            expect_tensor(discriminator, output.class_logits, shape, torch.float32, what)
        map_tensors(lambda t: _check_feature(discriminator, t, judged), output.features)


def _check_feature(discriminator: Discriminator, feature: Tensor, judged: int) -> None:
    expect(
        feature.dim() > 0 and len(feature) == judged,
        discriminator,
        f"features must be of {judged} samples, N first, got {describe(feature)}: transpose it, or "
        "put it into extra",
    )


def _check_double_backward(discriminator: Discriminator, x: Tensor, y: Any) -> None:
    network = jittered(discriminator).float().train()
    check_double_backward(discriminator, lambda x: run_network(network, x, y).total(), x, network)
