"""What an evaluation has to know of the generator in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.evaluation.reals import Reals
from lightning_gan.game.conditions import ROOM, class_entry, classes_of
from lightning_gan.game.gan import GAN
from lightning_gan.metrics.features import Bounds, from_uint8
from lightning_gan.types import fits, rows


def sample_shape(gan: Any) -> tuple[int, ...]:
    """Return the shape of the images that a module makes.

    Raises:
        InputError: It cannot sample, or makes no images.
    """
    shape = getattr(getattr(gan, "generator", None), "sample_shape", None)
    if not callable(getattr(gan, "sample", None)) or shape is None:
        raise InputError(
            "evaluation expects a module with sample(n, labels=None, seed=None) and "
            f"generator.sample_shape, got {type(gan).__name__}: use a GANModule"
        )
    if len(shape) != 3:
        raise InputError(
            f"evaluation is for images of shape (C, H, W), the generator makes samples of shape "
            f"{tuple(shape)}: leave evaluation out for it"
        )
    return tuple(shape)


def check_fit(gan: Any, real: Reals, num_classes: int | None, clusters: int | None) -> None:
    """Refuse data that the generator was not made for.

    Args:
        gan: The module.
        real: Images of the data.
        num_classes: Classes of the data, or None.
        clusters: Groups of images that the data serve in their place, or None.

    Raises:
        InputError: Shapes or numbers of classes differ.
    """
    shape, classes = sample_shape(gan), num_labels(gan)
    known, of_what = (num_classes, "") if clusters is None else (clusters, " clusters")
    found = tuple(real.images.shape[1:])
    if not fits(found, shape):
        raise InputError(
            f"the generator makes images of shape {shape}, the data have images of shape {found}: "
            "evaluate it on the data that it was trained on"
        )
    if None not in (classes, known) and classes != known:
        raise InputError(
            f"the generator is conditional on {classes} classes, the data have {known}{of_what}: "
            "evaluate it on the data that it was trained on"
        )


def num_labels(gan: Any) -> int | None:
    """Return the number of classes of the generator, or None."""
    classes: int | None = getattr(gan.generator, "num_classes", None)
    return classes


class Asked:
    """What the samples of an evaluation are asked for by: classes, conditions of data, or nothing.

    Args:
        gan: The module.
        real: Real images, with conditions where there are some to hand on.
        split: Which split they come from.
        clusters: Groups of images that the data serve in place of classes, or None.

    Attributes:
        described: What that is, for the card; None: nothing.
    """

    def __init__(self, gan: Any, real: Reals, split: str, clusters: int | None = None) -> None:
        self._entry = class_entry(gan.generator) if isinstance(gan, GAN) else None
        self._classes = num_labels(gan) if self._entry is None else None
        self._grouped = clusters is not None
        self._conditions = None if self._classes else real.conditions
        self._count = 0 if self._conditions is None else real.n_conditions
        self._images = real.images[: min(self._count, ROOM)]
        self._known = None if self._grouped else _classes(self._conditions, self._entry)
        self.described: str | None = None
        if self._classes:
            kind = " (clusters)" if self._grouped else ""
            self.described = f"arange(n) % {self._classes}{kind}"
        elif self._count:
            self.described = f"conditions of {self._count:,} {split} samples"

    def labels(self, index: Tensor) -> Any:
        """Return the condition of each sample, by the numbers of the samples, shape (n,)."""
        if self._classes:
            return index % self._classes
        if not self._count:
            return None
        return rows(self._conditions, index % self._count, self._count)

    def classes(self, index: Tensor) -> Tensor | None:
        """Return the class of each sample, int64, shape (n,); None where not every one has one."""
        if self._classes:
            return None if self._grouped else index % self._classes
        return None if self._known is None else self._known[index % self._count]

    @contextmanager
    def held_by(self, gan: Any, bounds: Bounds) -> Iterator[None]:
        """Let statistics be re-estimated with these conditions, the same on all processes."""
        if not self._count:
            yield
            return
        before, y = gan.conditions.held, rows(self._conditions, slice(ROOM), self._count)
        gan.conditions.hold(from_uint8(self._images, bounds), y)
        gan.weights_changed()
        try:
            yield
        finally:
            gan.conditions.held = before
            gan.weights_changed()


def _classes(conditions: Any, entry: str | None) -> Tensor | None:
    """Return the classes among conditions that are dicts, int64; None where some have none."""
    found = classes_of(conditions, entry) if entry is not None else None
    if not isinstance(found, Tensor) or found.dim() != 1 or found.is_floating_point():
        return None
    return found.long() if bool((found >= 0).all()) else None


def about(gan: Any, asked: Asked, bounds: Bounds) -> dict[str, Any]:
    """Return what a card says about the generator itself, JSON values."""
    prior = getattr(gan, "prior", None)
    spec = {} if prior is None else prior.spec()
    return {
        "weights": "trained" if getattr(gan, "generator_ema", None) is None else "averaged",
        "labels": asked.described,
        "range": list(bounds),
        "prior": {key: spec[key] for key in ("class_path", "init_args") if key in spec},
        "truncation": None,
    }
