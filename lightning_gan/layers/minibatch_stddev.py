"""What tells a discriminator how alike the samples of a batch are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPS = 1e-8


class MinibatchStddev(nn.Module):
    """Appends a channel with the standard deviation over a few samples (Karras et al. 2018).

    The batch is divided into groups. Over the samples of a group, the standard deviation of each
    value is taken, and the mean of all of them fills the new channel of each of its samples
    (section 3). The group has the largest size that divides the batch and is at most
    ``group_size``; sample n belongs to the group n modulo the number of groups.

    Args:
        group_size: Samples of a group, at most.
    """

    def __init__(self, group_size: int = 4) -> None:
        super().__init__()
        self.group_size = group_size

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C + 1, H, W) of (N, C, H, W)."""
        n = len(x)
        size = max(each for each in range(1, min(n, self.group_size) + 1) if n % each == 0)
        groups = x.reshape(size, n // size, *x.shape[1:])
        deviation = (groups.var(0, unbiased=False) + EPS).sqrt()  # (n / size, C, H, W)
        means = deviation.mean((1, 2, 3)).repeat(size)
        channel = means[:, None, None, None].expand(n, 1, *x.shape[2:])
        return torch.cat([x, channel.to(x.dtype)], dim=1)
