"""The classes of generated samples as pictures: their shares, and how clearly they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from lightning_gan.callbacks.pictures.figures import figure_pixels, new_figure
from lightning_gan.errors import InputError

MOST_TICKS = 20


def class_histogram(
    shares: Sequence[float] | Tensor,
    low: Sequence[float] | Tensor,
    high: Sequence[float] | Tensor,
    expected: float | Sequence[float] | Tensor,
) -> Tensor:
    """Draw the share of each class with its confidence interval, and the share that is expected.

    Args:
        shares: Shares of classes 0..K-1 among the samples, in [0, 1], shape (K,).
        low: Lower ends of their confidence intervals, shape (K,).
        high: Upper ends, shape (K,).
        expected: Expected share, one for all classes or shape (K,).

    Returns:
        The picture, uint8 of shape (3, 400, W): W is 800, and more from 40 classes on.

    Raises:
        InputError: The shapes differ, or there is no class.

    Example:
        >>> class_histogram([0.4, 0.6], [0.3, 0.5], [0.5, 0.7], expected=0.5).shape
        torch.Size([3, 400, 800])
    """
    share, bottom, top, fair = (
        np.asarray(values, dtype=float) for values in (shares, low, high, expected)
    )
    k = len(share) if share.ndim == 1 else 0
    if k == 0 or not bottom.shape == top.shape == (k,) or fair.shape not in ((), (k,)):
        raise InputError(
            "class_histogram expects shares, low and high of one shape (K,), got "
            f"{share.shape}, {bottom.shape} and {top.shape}, and expected {fair.shape}; "
            "give one number for each class"
        )
    figure, axes = _per_class(k, "Classes of samples", "share of samples")
    classes = np.arange(k)
    # Intervals that come from another estimate than the share may leave it outside.
    errors = np.maximum([share - bottom, top - share], 0)
    axes.bar(classes, share, color="tab:blue", alpha=0.8, label="generated")
    axes.errorbar(
        classes, share, errors, fmt="none", ecolor="black", capsize=4, label="confidence interval"
    )
    axes.hlines(
        np.broadcast_to(fair, k), classes - 0.45, classes + 0.45, color="tab:red", label="expected"
    )
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.99), ncols=3, frameon=False)
    return figure_pixels(figure)


def class_sharpness(
    margins: Sequence[float | None] | Tensor, above_95: Sequence[float | None] | Tensor
) -> Tensor:
    """Draw how clearly a classifier tells the samples of each class that it sees.

    Args:
        margins: Mean margins between the two largest class probabilities, over the samples seen as
            classes 0..K-1, in [0, 1], shape (K,). NaN or None, for a class that is never seen,
            leaves a gap.
        above_95: Shares of these samples whose largest probability is above 0.95, shape (K,).

    Returns:
        The picture, uint8 of shape (3, 400, W): W is 800, and more from 40 classes on.

    Raises:
        InputError: The shapes differ, or there is no class.

    Example:
        >>> class_sharpness([0.9, None], [0.8, None]).shape
        torch.Size([3, 400, 800])
    """
    margin, sure = (np.asarray(values, dtype=float) for values in (margins, above_95))
    if margin.ndim != 1 or len(margin) == 0 or sure.shape != margin.shape:
        raise InputError(
            "class_sharpness expects margins and above_95 of one shape (K,), got "
            f"{margin.shape} and {sure.shape}; give one number for each class"
        )
    figure, axes = _per_class(len(margin), "Sharpness of classes", "over samples seen as the class")
    classes = np.arange(len(margin))
    axes.bar(classes, margin, color="tab:blue", alpha=0.8, label="mean margin")
    axes.plot(classes, sure, "o", color="tab:red", label="share surer than 0.95", clip_on=False)
    axes.set_ylim(0, 1)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.99), ncols=2, frameon=False)
    return figure_pixels(figure)


def _per_class(k: int, title: str, what: str) -> tuple[Any, Any]:
    """Return a figure and its axes with a place for each of k classes."""
    figure = new_figure(min(max(800, 20 * k), 4000), 400)
    axes = figure.add_axes((70 / 800, 0.125, 1 - 85 / 800, 0.78))
    axes.set_xticks(np.arange(k)[:: -(-k // MOST_TICKS)])
    axes.set_xlim(-0.6, k - 0.4)
    axes.set_xlabel("class")
    axes.set_ylabel(what)
    axes.set_title(title, loc="left")
    axes.grid(axis="y", alpha=0.3)
    return figure, axes
