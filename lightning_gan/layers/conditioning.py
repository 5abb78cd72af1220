"""Class labels as vectors, for networks of both players."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError


class ClassEmbedding(nn.Embedding):
    """One learned vector for each class, N(0, std^2) at first.

    Args:
        num_classes: K.
        dim: Length of a vector.
        std: Standard deviation of the first vectors.

    Raises:
        InputError: ``num_classes`` is below 1.
    """

    def __init__(self, num_classes: int, dim: int, std: float = 1.0) -> None:
        if num_classes < 1:
            raise InputError(
                f"num_classes must be at least 1, got {num_classes}; "
                f"leave it out for a network without labels"
            )
        super().__init__(num_classes, dim)
        nn.init.normal_(self.weight, std=std)

    def forward(self, y: Any) -> Tensor:
        """Look up the vectors of labels, shape (N, dim).

        Args:
            y: Labels, int64 of shape (N,) in 0..K-1. The range is not checked here, because
                reading values would make the host wait for the device.

        Raises:
            InputError: ``y`` is missing, or no int64 tensor of one dimension.
        """
        if not (isinstance(y, Tensor) and y.dtype == torch.int64 and y.ndim == 1):
            got = f"{y.dtype} of shape {tuple(y.shape)}" if isinstance(y, Tensor) else repr(y)[:80]
            raise InputError(
                f"a network with num_classes={self.num_embeddings} needs labels y, "
                f"int64 of shape (N,), got {got}; pass y or build the network without num_classes"
            )
        return super().forward(y)
