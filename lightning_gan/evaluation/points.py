"""A score card for points of a known density, which need no judge and no real samples."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gan.data.mixtures import Mixture
from lightning_gan.errors import InputError
from lightning_gan.evaluation.card import ScoreCard, versions
from lightning_gan.evaluation.plan import Plan
from lightning_gan.evaluation.processes import CHUNK, made_together, share
from lightning_gan.game import randomness
from lightning_gan.metrics.mixture_modes import MixtureModes


def score_points(gan: Any, data: Mixture, plan: Plan) -> ScoreCard:
    """Score a generator of points against the modes of a mixture; all processes have to call it.

    Args:
        gan: The module.
        data: The mixture.
        plan: Of its settings ``n_fake`` and ``seed`` count.

    Raises:
        InputError: The module makes no points, or the plan asks for metrics of images.
    """
    shape = getattr(getattr(gan, "generator", None), "sample_shape", None)
    if (
        shape is None
        or tuple(shape) != data.sample_shape
        or not callable(getattr(gan, "sample", None))
    ):
        raise InputError(
            f"{type(data).__name__} asks for a module with sample(n, labels=None, seed=None) and a "
            f"generator of points (2,), got {type(gan).__name__} with samples of shape {shape}"
        )
    if plan.metrics is not None:
        raise InputError(
            f"metrics are those of images, and {type(data).__name__} has points, all scores of "
            f"which are computed: leave metrics out, got {list(plan.metrics)}"
        )
    classes = getattr(gan.generator, "num_classes", None)
    metric = MixtureModes(data.modes, data.std)

    def look() -> None:
        for chunk in share(plan.n_fake):
            index = torch.arange(chunk.start, chunk.stop, device=gan.device)
            labels = None if classes is None else index % classes
            seed = randomness.derive(plan.seed, chunk.start // CHUNK)
            metric.update(gan.sample(len(index), labels=labels, seed=seed).cpu())

    made_together(look)
    scores = {name: float(value) for name, value in metric.compute().items()}
    protocol = {
        "n_fake": plan.n_fake,
        "seed": plan.seed,
        "chunk": CHUNK,
        "data": {
            "class": f"{type(data).__module__}.{type(data).__qualname__}",
            "modes": data.modes.tolist(),
            "std": data.std,
        },
        "features": {"name": "density"},
        "generator": {
            "weights": "trained" if getattr(gan, "generator_ema", None) is None else "averaged",
            "labels": None if classes is None else f"arange(n) % {classes}",
        },
        "versions": versions(),
    }
    images = getattr(getattr(gan, "progress", None), "images", None)
    return ScoreCard(scores, protocol, checkpoint={"images": images})
