"""First weights of linear and convolutional layers, by name."""

from __future__ import annotations

import math
from typing import Literal, get_args

from torch import Tensor, nn

from lightning_gan.errors import InputError

Init = Literal["torch", "glorot_uniform", "glorot_normal"]
STD_OF_TRUNCATED = 0.8796256610342398  # of a standard normal that is cut off at -2 and 2


def initialize(network: nn.Module, init: Init) -> None:
    r"""Draw the first weights of a network's linear and convolutional layers anew, in place.

    Glorot weights have variance 2 / (fan_in + fan_out), and biases begin at 0 (Glorot & Bengio
    2010, equation 16, is the uniform one): the defaults of Keras. "glorot_normal" is cut off at two
    standard deviations and rescaled to that variance, as there. torch's own first weights and
    biases are uniform in :math:`\pm 1 / \sqrt{\text{fan\_in}}`, of variance 1 / (3 fan_in).

    Args:
        network: Its linear layers, convolutions and transposed convolutions are drawn anew; others
            keep what they have.
        init: "torch" changes nothing.

    Raises:
        InputError: ``init`` is unknown.
    """
    if init not in get_args(Init):
        raise InputError(f"init must be 'torch', 'glorot_uniform' or 'glorot_normal', got {init!r}")
    if init == "torch":
        return
    draw = nn.init.xavier_uniform_ if init == "glorot_uniform" else glorot_normal_
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def glorot_normal_(weight: Tensor) -> None:
    """Draw a weight of two or more dimensions anew from the truncated normal of Glorot variance."""
    fans = sum(weight.shape[:2]) * weight[0, 0].numel()  # fan_in + fan_out
    std = math.sqrt(2 / fans) / STD_OF_TRUNCATED
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)
