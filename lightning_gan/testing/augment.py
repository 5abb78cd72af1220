"""The check of augmentations."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lightning_gan.augments.base import Augment
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.testing.base import check_any, check_rebuilding
from lightning_gan.testing.computing import check_device, check_double_backward, check_randomness
from lightning_gan.testing.expectations import close, conformance, expect, expect_tensor, told
from lightning_gan.testing.feedback import check_observing
from lightning_gan.testing.inputs import ANY_SHAPE, SIZES, closed, samples_in
from lightning_gan.testing.scene import make_scene
from lightning_gan.testing.terms import check_preparing
from lightning_gan.types import Player, SampleRange, describe


@conformance
def check_augment(
    augment: Augment,
    *,
    sample_shape: tuple[int, ...] | None = None,
    sample_range: SampleRange = None,
    reports: Mapping[str, float] | None = None,
    networks: tuple[Generator, Discriminator] | None = None,
    portable: bool = True,
) -> None:
    """Check an augmentation.

    Args:
        augment: The augmentation.
        sample_shape: Shape of the samples to try it on; None: that of the networks where they are
            given, else (3, 32, 32).
        sample_range: Where they lie; None: in [-1, 1].
        reports: Numbers that parts report, by ``part/name``, for an augmentation that observes
            them.
        networks: Generator and discriminator that it is bound to in place of tiny ones.
        portable: Whether its arguments can be saved; False: they are passed again to
            ``load_from_checkpoint``.

    Raises:
        ConformanceError: The augmentation breaks its contract.
    """
    if networks is None:
        shape = ANY_SHAPE if sample_shape is None else sample_shape
        scene = make_scene(augment, sample_shape=shape, sample_range=sample_range)
    else:
        scene = make_scene(augment, networks=networks, sample_range=sample_range)
        shape = sample_shape or closed(scene.generator.sample_shape, SIZES[0])
    own = check_any(augment, Augment, scene.networks, portable=portable)
    with told(own, "is checked on samples of a range"):
        x = samples_in(scene.sample_range, shape)
    for dtype in (torch.float32, torch.float64):
        _check_result(own, x.to(dtype))
    meta = x.to("meta")
    check_device(own, lambda augment: augment(meta))
    check_double_backward(own, lambda x: own(x) ** 3, x, None)
    check_randomness(own, lambda: own(x))
    for player in Player:
        with scene.update(player, own, "augment") as step:
            check_preparing(own, step)
    check_observing(own, reports)
    _check_result(own, x)
    twin = check_rebuilding(own, scene.networks, portable=portable)
    expect(
        close(_seeded(own, x), _seeded(twin, x)),
        own,
        "must go on after a resume as it would have, but one rebuilt from spec and state_dict "
        "augments otherwise: keep what it remembers in buffers or in get_extra_state",
    )


def _seeded(augment: Augment, x: Tensor) -> Tensor:
    torch.default_generator.manual_seed(0)
    result: Tensor = augment(x)
    return result


def _check_result(augment: Augment, x: Tensor) -> None:
    before = x.clone()
    with told(augment, f"must augment {describe(x)}, but failed"):
        result = augment(x)
    expect_tensor(augment, result, tuple(x.shape), x.dtype)
    expect(
        torch.equal(x, before),
        augment,
        "must not change its input in place, but does: copy it first",
    )
