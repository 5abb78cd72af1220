"""Networks from images to images, and those of CycleGAN, which hold one for each direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan import (
    Discriminator,
    DiscriminatorOutput,
    Generator,
    InputError,
    create_discriminator,
)

LARGE = 256  # pixels of a side, from which on there are more blocks
STD = 0.02


class ResNetTranslator(Generator):
    """An image made of an image by residual blocks at a quarter of its size (Zhu et al. 2017).

    A 7x7 convolution, two 3x3 ones of stride 2, residual blocks of two 3x3 ones, two transposed
    3x3 ones of stride 2 and a 7x7 one with tanh; instance norm, ReLU and reflected edges (appendix
    7.2, after Johnson et al. 2016). Weights begin as N(0, 0.02^2). Sides of any length are taken
    where ``sample_shape`` leaves them open.

    Args:
        sample_shape: (C, H, W) of what is made; sides of 8 pixels or more, or None for any.
        condition_channels: Channels of the input; None: as many as the samples'.
        base_channels: Channels of the largest map; there are twice as many at half and four times
            as many at a quarter of the size.
        blocks: Residual blocks; None: 9 from 256 pixels on, 6 below.

    Raises:
        InputError: The shape does not fit, or a number is out of range.
    """

    latent_dim = 0
    sample_range = "symmetric"

    def __init__(
        self,
        sample_shape: Sequence[int | None],
        condition_channels: int | None = None,
        base_channels: int = 64,
        blocks: int | None = None,
    ) -> None:
        super().__init__()
        channels = _channels(sample_shape)
        sides = [side for side in sample_shape[1:] if side is not None]
        if min(sides, default=8) < 8:
            raise InputError(f"images must have 8 pixels a side or more, got {tuple(sample_shape)}")
        for name, value in (("condition_channels", condition_channels), ("blocks", blocks)):
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        if base_channels < 1:
            raise InputError(f"base_channels must be at least 1, got {base_channels}")
        if blocks is None:
            blocks = 9 if min(sides, default=LARGE) >= LARGE else 6
        self.sample_shape = tuple(sample_shape)
        self.condition_channels = condition_channels
        self.input_channels = condition_channels or channels
        self.base_channels, self.blocks = base_channels, blocks
        width = base_channels
        self.network = nn.Sequential(
            *_convolved(self.input_channels, width, 7, nn.ReLU()),
            *(nn.Conv2d(width, 2 * width, 3, 2, 1), nn.InstanceNorm2d(2 * width), nn.ReLU()),
            *(nn.Conv2d(2 * width, 4 * width, 3, 2, 1), nn.InstanceNorm2d(4 * width), nn.ReLU()),
            *(ResidualBlock(4 * width) for _ in range(blocks)),
            nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, output_padding=1),
            *(nn.InstanceNorm2d(2 * width), nn.ReLU()),
            nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1),
            *(nn.InstanceNorm2d(width), nn.ReLU()),
            *(nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh()),
        )
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, std=STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Make images in [-1, 1] of images.

        Args:
            z: Latents, shape (N, 0).
            y: Input images, shape (N, ``condition_channels``, H, W).

        Returns:
            Images, shape (N, C, H, W).

        Raises:
            InputError: The condition is no such image.
        """
        x = _image(y, self.input_channels, self.sample_shape[1:])
        height, width = x.shape[2:]
        made: Tensor = self.network(x)
        return made[..., :height, :width]  # of sides that are no multiples of 4


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with instance norm, and the input added.

    Args:
        channels: Of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolved(channels, channels, 3, nn.ReLU()), *_convolved(channels, channels, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the shape of the input."""
        added: Tensor = x + self.layers(x)
        return added


class TwoWayGenerator(Generator):
    """Two generators, from domain A to B and back, on images side by side (CycleGAN).

    Of images a and b it makes [F(b) | G(a)]: on the left stands what looks like A, on the right
    what looks like B. The halves of that, put in as a and b, become the cycle [F(G(a)) | G(F(b))].

    Attributes:
        a_to_b: G, which makes images of B out of those of A.
        b_to_a: F, the way back.

    Args:
        sample_shape: (C, H, 2 W): the shape of two images side by side.
        base_channels: Of both networks; see ResNetTranslator.
        blocks: Residual blocks of both; None: 9 from 256 pixels on, 6 below.

    Raises:
        InputError: The shape does not fit, or a number is out of range.
    """

    latent_dim = 0
    sample_range = "symmetric"

    def __init__(
        self, sample_shape: Sequence[int], base_channels: int = 64, blocks: int | None = None
    ) -> None:
        super().__init__()
        shape = half_shape(sample_shape)
        self.sample_shape = tuple(sample_shape)
        self.a_to_b = ResNetTranslator(shape, None, base_channels, blocks)
        self.b_to_a = ResNetTranslator(shape, None, base_channels, blocks)

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Translate both images.

        Args:
            z: Latents, shape (N, 0).
            y: A dict of images ``a`` of domain A and ``b`` of domain B, shape (N, C, H, W) each.

        Returns:
            Images that look like A and like B, side by side, shape (N, C, H, 2 W).

        Raises:
            InputError: The condition is no such dict.
        """
        if not isinstance(y, Mapping) or not {"a", "b"} <= y.keys():
            raise InputError(
                "a two_way generator expects a dict of images a and b, which data without pairs "
                f"yield, got {type(y).__name__}; one of its ways alone: python -m image2image "
                "export RUN --to=B --out=FOLDER"
            )
        return torch.cat([self.b_to_a(z, y["b"]), self.a_to_b(z, y["a"])], dim=-1)


class TwoDomainDiscriminator(Discriminator):
    """Two networks of patches: one judges the left image, of domain A, one the right, of B.

    Each is a head: ``heads`` of the GAN joins their losses, by their sum in CycleGAN.

    Args:
        sample_shape: (C, H, 2 W): the shape of two images side by side.
        base_channels: Channels of the first map of each network.
        layers: Convolutions of stride 2; 3 judge patches of 70x70 pixels. None: 3, or as many as
            the image has room for.

    Raises:
        InputError: The shape does not fit, or a number is out of range.
    """

    def __init__(
        self, sample_shape: Sequence[int], base_channels: int = 64, layers: int | None = None
    ) -> None:
        super().__init__()
        self.sample_shape = tuple(sample_shape)
        of_one = {
            "sample_shape": half_shape(sample_shape),
            "base_channels": base_channels,
            "layers": layers,
            "norm": "instance",
        }
        self.of_a = create_discriminator("patch", **of_one)
        self.of_b = create_discriminator("patch", **of_one)

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        """Judge both images.

        Args:
            x: Images side by side, shape (N, C, H, 2 W).
            y: Anything; nothing is conditional.

        Returns:
            Logits of A and of B, shape (N, 1, h, w) each, and the maps before them as features.
        """
        both = domains(x)
        of_a, of_b = self.of_a(both["a"]), self.of_b(both["b"])
        logits, features = zip(*((of.logits, of.features) for of in (of_a, of_b)), strict=True)
        return DiscriminatorOutput(list(logits), features=list(features))


def domains(x: Tensor) -> dict[str, Tensor]:
    """Return the images of both domains, ``a`` and ``b``, that stand side by side in samples."""
    a, b = torch.chunk(x, 2, dim=-1)
    return {"a": a, "b": b}


def half_shape(sample_shape: Sequence[int | None]) -> tuple[int, int, int]:
    """Return the shape of one of two images side by side.

    Raises:
        InputError: There is no such shape.
    """
    channels = _channels(sample_shape)
    height, width = sample_shape[1:]
    if height is None or width is None or width % 2:
        raise InputError(
            "sample_shape must be (channels, height, 2 * width), two images side by side, got "
            f"{tuple(sample_shape)}: use data without pairs, such as data=unpaired_images"
        )
    return channels, height, width // 2


def _channels(sample_shape: Sequence[int | None]) -> int:
    sizes = [size for size in sample_shape if size is not None]
    if len(sample_shape) != 3 or sample_shape[0] is None or min(sizes) < 1:
        raise InputError(
            f"sample_shape must be (channels, height, width), got {tuple(sample_shape)}"
        )
    return sample_shape[0]


def _convolved(channels: int, width: int, kernel: int, *last: nn.Module) -> list[nn.Module]:
    """Return a convolution that keeps sides, with reflected edges and instance norm."""
    return [
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(channels, width, kernel),
        nn.InstanceNorm2d(width),
        *last,
    ]


def _image(y: Any, channels: int, sides: Sequence[int | None]) -> Tensor:
    """Return a condition that is an image.

    Raises:
        InputError: It is none, or one of another shape.
    """
    expected = (channels, *sides)
    fits = isinstance(y, Tensor) and y.dim() == 4 and y.is_floating_point()
    if not fits or any(
        want not in (None, got) for want, got in zip(expected, y.shape[1:], strict=True)
    ):
        got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        shape = ", ".join("any" if size is None else str(size) for size in expected)
        raise InputError(f"expected images of shape (N, {shape}) as condition, got {got}")
    image: Tensor = y
    return image
