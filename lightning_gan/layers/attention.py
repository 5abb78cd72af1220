"""Self-attention between the places of a feature map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from lightning_gan.errors import InputError

REDUCTION = 8


class SelfAttention2d(nn.Module):
    r"""Every place of a map attends to all others (Zhang et al. 2019, section 3).

    With 1x1 convolutions without bias: keys f and queries g of C/8 channels, values h of C/2,

    .. math::
        \beta_{ji} = \operatorname{softmax}_i f(x_i)^T g(x_j), \quad
        o_j = W_v \sum_i \beta_{ji} h(x_i), \quad y = \gamma\, o + x,

    and gamma begins at 0. As in the authors' code and in BigGAN, the places attended to are those
    of the map after 2x2 max-pooling, and values have C/2 channels; the paper's text has C/8.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner, values = max(channels // REDUCTION, 1), max(channels // 2, 1)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, values, 1, bias=False)
        self.output = nn.Conv2d(values, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Attend, shape (N, C, H, W) with H and W of 2 or more."""
        query = self.query(x).flatten(2)  # (N, C/8, HW)
        key = max_pool2d(self.key(x), 2).flatten(2)  # (N, C/8, HW/4)
        value = max_pool2d(self.value(x), 2).flatten(2)  # (N, C/2, HW/4)
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=2)  # (N, HW, HW/4)
        attended = (value @ weights.transpose(1, 2)).reshape(len(x), -1, *x.shape[2:])
        y: Tensor = self.gamma * self.output(attended) + x
        return y


def check_attention(attention: int | None, heights: list[int]) -> None:
    """Check that there is a map of the height at which a network shall attend.

    Args:
        attention: The height; None: nowhere.
        heights: Those of its feature maps.

    Raises:
        InputError: There is none.
    """
    if attention is not None and attention not in heights:
        listing = ", ".join(map(str, sorted(heights)))
        raise InputError(
            f"attention must be the height of a feature map, one of {listing}, or None, got "
            f"{attention!r}"
        )
