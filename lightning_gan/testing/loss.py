"""The check of adversarial losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.priors.base import Prior
from lightning_gan.testing.base import check_any
from lightning_gan.testing.expectations import conformance, expect
from lightning_gan.testing.feedback import check_observing
from lightning_gan.testing.halves import FEATURES, LOGITS, check_halves
from lightning_gan.testing.scene import IMAGES, Scene, make_scene
from lightning_gan.testing.terms import FIRST_ASKED, check_batch_on_meta, check_resuming, check_term
from lightning_gan.types import SampleRange, describe

NAME = "loss"


@conformance
def check_loss(
    loss: AdversarialLoss,
    *,
    networks: tuple[Generator, Discriminator] | None = None,
    prior: Prior | None = None,
    y: Any = None,
    extra: Mapping[str, Any] | None = None,
    sample_shape: tuple[int, ...] | None = None,
    latent_dim: int | None = None,
    sample_range: SampleRange = None,
    logit_shapes: Sequence[tuple[int, ...]] | None = None,
    reports: Mapping[str, float] | None = None,
    portable: bool = True,
) -> None:
    """Check an adversarial loss.

    Its halves are checked on logits, and ``play`` in updates of both players. The halves of a loss
    that overrides ``play`` are its own business, and are not asked. Which way they fall is not
    checked where ``directed`` is False.

    Args:
        loss: The loss.
        networks: Generator and discriminator to use in place of tiny ones, which are conditional
            on 3 classes and have class logits, features and a ``mapping``.
        prior: Distribution of the latents; None: standard normal.
        y: Condition of 4 samples, where it is no class.
        extra: Further entries of a batch that the loss asks for, ``step.extra``, of 4 samples.
        sample_shape: Shape of the tiny networks' samples; None: (1, 8, 8).
        latent_dim: Size of the tiny generator's latents; None: 5.
        sample_range: Range of the samples; None: the generator's.
        logit_shapes: Shapes of a sample's logits to try the halves on; the tiny discriminator has
            the first, and then all as heads. None: (), (1,) and (1, 4, 4), or (8,) and (1, 4, 4)
            where ``directed`` is False.
        reports: Numbers that other parts report, by ``part/name``, for a loss that observes them.
        portable: Whether its arguments can be saved; False: they are passed again to
            ``load_from_checkpoint``.

    Raises:
        ConformanceError: The loss breaks its contract.
    """
    directed, plays = getattr(loss, "directed", True), _overrides_play(loss)
    shapes = (LOGITS if directed else FEATURES) if logit_shapes is None else tuple(logit_shapes)

    def scene_of(logit_shapes: Sequence[tuple[int, ...]]) -> Scene:
        return make_scene(
            loss,
            networks=networks,
            prior=prior,
            y=y,
            extra=extra,
            sample_shape=sample_shape,
            latent_dim=latent_dim,
            sample_range=sample_range,
            logit_shapes=logit_shapes,
        )

    scene = scene_of(shapes[:1])
    own = check_any(loss, AdversarialLoss, scene.networks, portable=portable)
    for flag in ("needs_real_logits_for_generator", "couples_samples", "directed"):
        value = getattr(own, flag)
        expect(isinstance(value, bool), own, f"must have {flag}, a bool, got {value!r}")
    scene.check_requirements(own)
    check_batch_on_meta(own, scene, _played)
    if not plays:
        check_halves(own, shapes)
    said = dict(reports or {})
    for scene.images_seen in IMAGES:
        said |= _check_play(own, scene)
    check_observing(own, said)
    check_resuming(own, scene, _played, portable=portable)
    _check_play(own, scene)
    if not plays and networks is None:
        several = scene_of(shapes)
        fresh = check_any(loss, AdversarialLoss, several.networks, portable=portable)
        _check_play(fresh, several)


def _overrides_play(loss: Any) -> bool:
    """Whether a loss gets the whole step; its halves are then its own business."""
    return getattr(type(loss), "play", None) is not AdversarialLoss.play


def _check_play(loss: AdversarialLoss, scene: Scene) -> dict[str, float]:
    """Check what the game gets of an update of each player."""
    said: dict[str, float] = {}
    for player in FIRST_ASKED:
        what = f"play, in an update of the {player.value},"
        said |= check_term(loss, scene, player, _played, name=NAME, what=what)
    return said


def _played(loss: AdversarialLoss, step: Any) -> dict[str, Tensor]:
    found = loss.play(step)
    several = isinstance(found, (list, tuple)) and found
    expect(
        several or isinstance(found, Tensor),
        loss,
        "play must return a tensor, or a list of tensors, one for each head, got "
        f"{describe(found)}",
    )
    if isinstance(found, Tensor):
        return {"": found}
    return {f"head {index}": each for index, each in enumerate(found)}
