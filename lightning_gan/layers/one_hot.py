"""Class labels as fixed vectors, for networks of both players."""

from __future__ import annotations

from torch import nn

from lightning_gan.layers.conditioning import ClassEmbedding


class OneHot(ClassEmbedding):
    """One vector of zeros and a single one for each class, shape (N, K); nothing is learned.

    Args:
        num_classes: K.

    Raises:
        InputError: ``num_classes`` is below 1.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, num_classes)
        nn.init.eye_(self.weight)
        self.weight.requires_grad_(False)
