"""Checks of class labels: before training, of the first batch, and of every one that costs none."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.game.batches import BatchKeys, PrepareBatch, read_batch
from lightning_gan.game.checks import check_labels
from lightning_gan.game.conditions import class_entry, classes_of
from lightning_gan.types import Batch


def check_batch_labels(network: nn.Module | None, batch: Batch) -> None:
    """Check the class labels of a batch.

    Args:
        network: Who has classes; None: nobody.
        batch: The batch.

    Raises:
        InputError: They are missing, or not int64 of shape (N,) in 0..K-1.
    """
    if network is not None:
        labels = classes_of(batch.y, class_entry(network))
        unlabeled = getattr(network, "takes_unlabeled", False)
        check_labels(labels, len(batch.real), network.num_classes, unlabeled)  # type: ignore[arg-type]


def check_later_labels(network: nn.Module | None, batch: Batch) -> None:
    """Check the class labels of a batch after the first, unless that would wait for a device.

    Raises:
        InputError: As :func:`check_batch_labels`.
    """
    if network is not None:
        labels = classes_of(batch.y, class_entry(network))
        if isinstance(labels, Tensor) and labels.device.type == "cpu":
            check_batch_labels(network, batch)


def check_before_transfer(
    network: nn.Module | None, prepare: PrepareBatch | None, batch: Any
) -> None:
    """Check the class labels of what the data yield, before it is moved to a device.

    A ``prepare_batch`` that may do anything is not asked twice.

    Raises:
        InputError: As :func:`check_batch_labels`.
    """
    if network is not None and (prepare is None or isinstance(prepare, BatchKeys)):
        check_later_labels(network, read_batch(prepare, batch))


def check_classes_of(network: nn.Module | None, data: Any) -> None:
    """Check before any batch that a network has all the classes that data say they have.

    Raises:
        InputError: The data have more.
    """
    known = getattr(data, "num_classes", None)
    if network is None or type(known) is not int:
        return
    classes: int = network.num_classes  # type: ignore[assignment]
    if known > classes:
        raise InputError(
            f"the data have {known} classes, and {type(network).__name__} num_classes={classes}: "
            f"give generator and discriminator num_classes={known}"
        )
