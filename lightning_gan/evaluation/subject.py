"""What an evaluation has to know of the generator in front of it."""

from __future__ import annotations

from typing import Any

from lightning_gan.errors import InputError
from lightning_gan.evaluation.reals import Reals


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


def check_fit(gan: Any, real: Reals, num_classes: int | None) -> None:
    """Refuse data that the generator was not made for.

    Args:
        gan: The module.
        real: Images of the data.
        num_classes: Classes of the data, or None.

    Raises:
        InputError: Shapes or numbers of classes differ.
    """
    shape, classes = sample_shape(gan), num_labels(gan)
    found = tuple(real.images.shape[1:])
    if found != shape:
        raise InputError(
            f"the generator makes images of shape {shape}, the data have images of shape {found}: "
            "evaluate it on the data that it was trained on"
        )
    if None not in (classes, num_classes) and classes != num_classes:
        raise InputError(
            f"the generator is conditional on {classes} classes, the data have {num_classes}: "
            "evaluate it on the data that it was trained on"
        )


def num_labels(gan: Any) -> int | None:
    """Return the number of classes that samples can be asked for by, or None."""
    classes: int | None = getattr(gan.generator, "num_classes", None)
    return classes


def about(gan: Any) -> dict[str, Any]:
    """Return what a card says about the generator itself, JSON values."""
    prior, classes = getattr(gan, "prior", None), num_labels(gan)
    spec = {} if prior is None else prior.spec()
    return {
        "weights": "trained" if getattr(gan, "generator_ema", None) is None else "averaged",
        "labels": None if classes is None else f"arange(n) % {classes}",
        "prior": {key: spec[key] for key in ("class_path", "init_args") if key in spec},
        "truncation": None,
    }
