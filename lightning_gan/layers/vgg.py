"""The convolutional part of VGG (Simonyan & Zisserman 2015), up to the layer that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from lightning_gan.errors import InputError

# Convolutions in each of the five blocks: configurations D and E of the paper's table 1.
BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)


def layer_names(architecture: str) -> list[str]:
    """Return the names of the layers, such as relu1_2, first to last.

    Raises:
        InputError: There is no such architecture.
    """
    if architecture not in BLOCKS:
        raise InputError(f"architecture must be 'vgg16' or 'vgg19', got {architecture!r}")
    return [
        f"relu{block}_{conv}"
        for block, convs in enumerate(BLOCKS[architecture], start=1)
        for conv in range(1, convs + 1)
    ]


class VGGFeatures(nn.Module):
    """3x3 convolutions with ReLU, in blocks with max-pooling between them.

    Args:
        architecture: "vgg16" or "vgg19".
        layers: What to return, such as ["relu1_2", "relu3_3"]; nothing beyond the last is built.

    Attributes:
        widths: Channels of each of these layers.

    Raises:
        InputError: There is no such architecture or layer.
    """

    def __init__(self, architecture: str, layers: Sequence[str]) -> None:
        super().__init__()
        names = layer_names(architecture)
        unknown = [layer for layer in layers if layer not in names]
        if unknown or not layers:
            raise InputError(
                f"layers of {architecture} are {', '.join(names)}, got "
                f"{', '.join(unknown) or 'none'}"
            )
        self.layers = tuple(layers)
        self.convolutions = nn.ModuleDict()
        self.indices: dict[str, int] = {}  # in torchvision's ``features``
        width, index, block = 3, 0, 1
        for name in names[: max(map(names.index, layers)) + 1]:
            here = int(name[4])
            index += here - block  # the pooling
            block, following = here, WIDTHS[here - 1]
            self.convolutions[name] = nn.Conv2d(width, following, 3, padding=1)
            self.indices[name] = index
            width, index = following, index + 2
        self.widths = [WIDTHS[int(layer[4]) - 1] for layer in layers]

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take over torchvision's weights, of the whole network or of its ``features`` alone.

        Raises:
            InputError: One is missing, or has another shape.
        """
        prefix = "features." if any(key.startswith("features.") for key in weights) else ""
        state = {}
        for name, index in self.indices.items():
            for kind in ("weight", "bias"):
                key, own = f"{prefix}{index}.{kind}", self.convolutions[name].get_parameter(kind)
                found = weights.get(key)
                if not isinstance(found, Tensor) or found.shape != own.shape:
                    has = tuple(found.shape) if isinstance(found, Tensor) else "nothing"
                    raise InputError(f"{key} must have shape {tuple(own.shape)}, got {has}")
                state[f"{name}.{kind}"] = found
        self.convolutions.load_state_dict(state)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of the layers, in the order in which they were asked for.

        Args:
            x: Images, normalised, shape (N, 3, H, W).
        """
        found: dict[str, Tensor] = {}
        block = 1
        for name, convolution in self.convolutions.items():
            if int(name[4]) > block:
                block, x = int(name[4]), max_pool2d(x, 2)
            x = relu(convolution(x))
            found[name] = x
        return [found[layer] for layer in self.layers]
