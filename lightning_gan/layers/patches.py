"""The convolutions that judge patches of images, for one or several networks of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.layers.condition import check_word

Norm = Literal["batch", "instance", "none"]
NORMS = ("batch", "instance", "none")
KERNEL, PADDING = 4, 1
MOST_LAYERS = 3  # that halve, where nobody says how many
WIDEST = 8  # times the base
STD = 0.02


class PatchNetwork(nn.Module):
    """Five 4x4 convolutions with LeakyReLU between them, and one logit for each place.

    Args:
        channels: Channels of what it looks at.
        base_channels: Channels of the first map; each following one has twice as many, up to eight
            times.
        layers: Convolutions of stride 2; two of stride 1 follow.
        norm: Normalization between the first and the last convolution.
        slope: Slope of LeakyReLU for negative inputs.
    """

    def __init__(
        self, channels: int, base_channels: int, layers: int, norm: Norm, slope: float
    ) -> None:
        super().__init__()
        widths = [base_channels * min(2**level, WIDEST) for level in range(layers + 1)]
        stages: list[nn.Module] = []
        for level, (width, following) in enumerate(pairwise([channels, *widths])):
            stride = 2 if level < layers else 1
            normalized = level > 0
            bias = not (normalized and norm == "batch")  # which has a bias of its own
            stage: list[nn.Module] = [
                nn.Conv2d(width, following, KERNEL, stride, PADDING, bias=bias)
            ]
            if normalized and norm != "none":
                stage.append(normalization(norm, following))
            stages.append(nn.Sequential(*stage, nn.LeakyReLU(slope)))
        self.stages = nn.ModuleList(stages)
        self.head = nn.Conv2d(widths[-1], 1, KERNEL, 1, PADDING)
        if norm == "none":
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, a=slope)
        else:
            initialize_normal(self)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits, shape (N, 1, h, w), and the maps before them."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return self.head(x), maps


def normalization(norm: Norm, channels: int) -> nn.Module:
    """Return batch norm, instance norm without gains, or nothing."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels) if norm == "instance" else nn.Identity()


def initialize_normal(network: nn.Module) -> None:
    """Draw the weights of convolutions anew from N(0, 0.02^2), in place; biases begin at 0."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, std=STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def check_patches(
    sample_shape: Sequence[int], base_channels: int, norm: str, condition_channels: int | None
) -> None:
    """Check what networks of patches have in common.

    Raises:
        InputError: ``sample_shape`` is no (C, H, W), a number is below 1, or ``norm`` is unknown.
    """
    if len(sample_shape) != 3 or min(sample_shape) < 1:
        raise InputError(
            f"sample_shape must be (channels, height, width), got {tuple(sample_shape)}"
        )
    check_word("norm", norm, NORMS)
    for name, value in (
        ("base_channels", base_channels),
        ("condition_channels", condition_channels),
    ):
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")


def fitting_layers(side: int, layers: int | None) -> int:
    """Return how many convolutions of stride 2 an image has room for.

    Args:
        side: The shorter side of the image.
        layers: How many are wanted; None: 3, or as many as there is room for.

    Raises:
        InputError: There is no room for them.
    """
    room = next((n for n in range(side.bit_length(), 0, -1) if left_over(side, n) >= 1), 0)
    wanted = min(room, MOST_LAYERS) if layers is None else layers
    if not 1 <= wanted <= room:
        found = "an image of that size has room for none" if layers is None else f"got {layers}"
        raise InputError(
            f"layers must be 1 to {max(room, 1)} for images whose shorter side has {side} pixels, "
            f"{found}; images need 6 pixels or more"
        )
    return wanted


def left_over(side: int, layers: int) -> int:
    """Return the side of the map of logits."""
    for _ in range(layers):
        side = (side + 2 * PADDING - KERNEL) // 2 + 1
        if side < 2:  # of 1, a convolution of stride 1 leaves nothing
            return 0
    return side + 2 * (2 * PADDING - KERNEL + 1)
