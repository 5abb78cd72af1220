"""Distance in the features of a trained VGG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.layers.vgg import VGGFeatures
from lightning_gan.regularizers.base import (
    ReconstructionRegularizer,
    bounds_of,
    check_images,
)
from lightning_gan.step import AdversarialStep
from lightning_gan.types import SampleRange, finite, range_bounds, widened

FILES = {
    "vgg16": "https://download.pytorch.org/models/vgg16-397923af.pth (528 MB)",
    "vgg19": "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth (548 MB)",
}

LPIPS_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")


class PerceptualRegularizer(ReconstructionRegularizer):
    r"""Distance of VGG's features of each fake and its target; LPIPS with a second file.

    .. math:: \sum_l w_l \frac{1}{C_l H_l W_l} \lVert \phi_l(x) - \phi_l(G(z, y)) \rVert

    with the features :math:`\phi_l` of layer l and the L1 norm or the squared L2 norm (Johnson et
    al. 2016, equation 2). With ``lpips_file`` it is LPIPS (Zhang et al. 2018, equation 1): features
    have unit length at each place, the squares of their differences are weighed by the file's
    weights of channels and averaged over places.

    Nothing is downloaded. Fetch torchvision's weights, such as
    https://download.pytorch.org/models/vgg16-397923af.pth, and name the file; one with the
    convolutions alone will do. The weights of LPIPS for VGG-16 come with torchmetrics, as
    ``functional/image/lpips_models/vgg.pth``. Checkpoints name the files and leave the weights out.
    The target is the real sample of the same place in the batch; images have one channel or three.

    Args:
        vgg_file: Path of the state dict of torchvision's VGG.
        architecture: "vgg16" or "vgg19".
        layers: Layers to compare, from relu1_1 to relu5_3 (vgg16) or relu5_4 (vgg19).
        layer_weights: A factor for each layer, any number; None: all are 1.
        norm: "l1" or "l2", squared; LPIPS has its own.
        lpips_file: Path of the linear weights of LPIPS, for vgg16 and its default layers.
        weight: Factor of the term, any number.
        mean: What is subtracted from red, green and blue between 0 and 1, any number:
            ImageNet's means.
        std: What the difference is divided by: ImageNet's standard deviations; each above 0.
        sample_range: Between which values samples lie: "symmetric", "unit" or (low, high), high
            above low. None: as generator or data declare, and [-1, 1] where neither does.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.
        target: Entry of the batch's ``extra`` that holds the targets; None: the real samples.

    Example:
        lightning-gan fit data.image_size=32 regularizers=[perceptual] \
            model.regularizers.perceptual.vgg_file=vgg16-397923af.pth

    Raises:
        InputError: A file is missing or holds other weights, or an argument does not fit the
            others; in training, samples are no images of one channel or three, or too small.
    """

    mean_rgb: Tensor
    std_rgb: Tensor

    def __init__(
        self,
        vgg_file: str,
        architecture: Literal["vgg16", "vgg19"] = "vgg16",
        layers: Sequence[str] = LPIPS_LAYERS,
        layer_weights: Sequence[float] | None = None,
        norm: Literal["l1", "l2"] = "l1",
        lpips_file: str | None = None,
        weight: float = 1.0,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        sample_range: SampleRange = None,
        interval: int = 1,
        target: str | None = None,
    ) -> None:
        super().__init__(weight, interval, target)
        if norm not in ("l1", "l2"):
            raise InputError(f"norm must be 'l1' or 'l2', got {norm!r}")
        if layer_weights is not None and len(layer_weights) != len(layers):
            raise InputError(
                f"layer_weights has {len(layer_weights)} numbers, and there are {len(layers)} "
                "layers: give one for each"
            )
        for name, numbers in (("layer_weights", layer_weights or ()), ("mean", mean), ("std", std)):
            for number in numbers:
                finite(number, name)
        if len(mean) != 3 or len(std) != 3 or not min(std) > 0:
            raise InputError(
                f"mean and std must be three numbers each, std positive, got {mean} and {std}"
            )
        range_bounds(sample_range)
        self.layer_weights, self.norm = layer_weights, norm
        self.sample_range = sample_range
        self.vgg = VGGFeatures(architecture, layers)
        wanted = f"the weights of {architecture}, from {FILES[architecture]}"
        _loaded(self.vgg.load, vgg_file, wanted)
        self.linear: nn.ParameterList | None = None
        self.weights_from = vgg_file
        if lpips_file is not None:
            if architecture != "vgg16":
                raise InputError(f"lpips_file is for vgg16, got architecture={architecture!r}")
            wanted = "the weights of LPIPS for VGG-16, such as torchmetrics' lpips_models/vgg.pth"
            _loaded(self._load_linear, lpips_file, wanted)
            self.weights_from = f"{vgg_file} and {lpips_file}"
        self.requires_grad_(False)
        self.register_buffer("mean_rgb", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std_rgb", torch.tensor(std)[:, None, None], persistent=False)

    def distance(self, fake: Tensor, target: Tensor, step: AdversarialStep) -> Tensor:
        """Return the distance of each pair, shape (N,).

        Raises:
            InputError: They are no images of one channel or three, or too small.
        """
        deepest = max(int(layer[4]) for layer in self.vgg.layers)
        check_images(self, fake, 2 ** (deepest - 1))
        if fake.shape[1] not in (1, 3):
            raise InputError(f"perceptual takes images of 1 or 3 channels, got {fake.shape[1]}")
        low, high = bounds_of(self, self.sample_range, step)
        made = self.vgg(self._normalised(fake, low, high))
        with torch.no_grad():
            wanted = self.vgg(self._normalised(target, low, high))
        total = fake.new_zeros(len(fake))
        factors = self.layer_weights or [1.0] * len(made)
        for layer, (ours, theirs) in enumerate(zip(made, wanted, strict=True)):
            total = total + factors[layer] * self._between(layer, widened(ours), widened(theirs))
        return total

    def _between(self, layer: int, made: Tensor, wanted: Tensor) -> Tensor:
        if self.linear is not None:
            squares = (_unit(made) - _unit(wanted)).square()
            found: Tensor = (squares * self.linear[layer]).sum(1).flatten(1).mean(1)
            return found
        difference = made - wanted
        each = difference.abs() if self.norm == "l1" else difference.square()
        return each.flatten(1).mean(1)

    def _normalised(self, x: Tensor, low: float, high: float) -> Tensor:
        x = (x - low) / (high - low)
        normalised: Tensor = (x.expand(-1, 3, -1, -1) - self.mean_rgb) / self.std_rgb
        return normalised

    def _load_linear(self, weights: Mapping[str, Any]) -> None:
        found = []
        for layer, width in zip(self.vgg.layers, self.vgg.widths, strict=True):
            if layer not in LPIPS_LAYERS:
                raise InputError(f"LPIPS has weights for {', '.join(LPIPS_LAYERS)}, not {layer}")
            key = f"lin{LPIPS_LAYERS.index(layer)}.model.1.weight"
            channels = weights.get(key)
            if not isinstance(channels, Tensor) or channels.numel() != width:
                raise InputError(f"{key} must hold {width} numbers")
            found.append(nn.Parameter(channels.reshape(width, 1, 1).float()))
        self.linear = nn.ParameterList(found)


def _unit(features: Tensor) -> Tensor:
    """Return features of unit length at each place; all zeros stay so, with a finite slope."""
    return features / (features.square().sum(1, keepdim=True) + 1e-20).sqrt()


def _loaded(load: Callable[[Mapping[str, Any]], None], path: str, wanted: str) -> None:
    """Read a state dict without running code, and hand it on.

    Raises:
        InputError: There is no such file, or it holds something else.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"there is no file {path}: put there {wanted}, or name another")
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be read ({reason}): put there {wanted}") from error
    if not isinstance(weights, Mapping):
        raise InputError(f"{path} holds a {type(weights).__name__}: put there {wanted}")
    try:
        load(weights)
    except InputError as error:
        raise InputError(f"{path} does not fit: {error}; put there {wanted}") from None
