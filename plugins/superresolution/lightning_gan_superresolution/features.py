"""A small network of features, what a distance in them says, and the term of the objective."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from lightning_gan import AdversarialStep, InputError
from lightning_gan.components.following import weights_follow
from lightning_gan.regularizers.base import ReconstructionRegularizer

WIDTHS = (16, 32, 64)
SMALLEST = 2 ** (len(WIDTHS) - 1)  # pixels on a side that leave one after all poolings
HERE = Path(__file__).parent
TERM = HERE / "rotations.safetensors"
SCORE = HERE / "classes.safetensors"


class FeatureNetwork(nn.Module):
    """Six 3x3 convolutions with ReLU, a pooling after each two: 72,080 parameters.

    Two come with the package, trained on nine tenths of CIFAR-10's training images: one tells by
    how many right angles an image was turned (Gidaris et al. 2018), and the term uses it; the other
    tells the class, and the score uses it. ``python -m lightning_gan_superresolution features``
    makes others.

    Args:
        weights_file: A ``.safetensors`` file of its weights; None: random ones.

    Raises:
        InputError: The file is missing or holds something else.
    """

    def __init__(self, weights_file: str | Path | None = None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        width = 3
        for following in WIDTHS:
            self.blocks.append(
                nn.ModuleList(
                    [
                        nn.Conv2d(width, following, 3, padding=1),
                        nn.Conv2d(following, following, 3, padding=1),
                    ]
                )
            )
            width = following
        if weights_file is not None:
            self._load(Path(weights_file).expanduser())

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the features after each convolution.

        Args:
            images: In [-1, 1], of 1 or 3 channels, 4 pixels a side or more, shape (N, C, H, W).
        """
        x = images.expand(-1, 3, -1, -1)
        found = []
        for index, block in enumerate(self.blocks):
            if index:
                x = max_pool2d(x, 2)
            assert isinstance(block, nn.ModuleList)
            for convolution in block:
                x = relu(convolution(x))
                found.append(x)
        return found

    def _load(self, file: Path) -> None:
        if not file.is_file():
            raise InputError(
                f"features_file: there is no file {file}: make one with python -m "
                "lightning_gan_superresolution features, or leave it out"
            )
        try:
            self.load_state_dict({key: x.float() for key, x in load_file(file).items()})
        except Exception as error:  # of the reader, or weights of something else
            raise InputError(
                f"features_file: {file} does not hold the weights of a FeatureNetwork "
                f"({str(error).splitlines()[0][:100]})"
            ) from error


def feature_distance(network: FeatureNetwork, made: Tensor, wanted: Tensor) -> Tensor:
    """Return how far images are from others in a network's features, as LPIPS without its weights.

    Features get unit length at each place; the squares of their differences are summed over
    channels, averaged over places and over layers (Zhang et al. 2018, equation 1, all weights
    equal).

    Args:
        network: Whose features.
        made: Images in [-1, 1], shape (N, C, H, W).
        wanted: What they should be, the same shape.

    Returns:
        A distance for each pair, from 0, shape (N,).
    """
    ours, theirs = network(made), network(wanted)
    distances = [
        (_unit(a) - _unit(b)).square().sum(1).flatten(1).mean(1)
        for a, b in zip(ours, theirs, strict=True)
    ]
    return torch.stack(distances).mean(0)


def check_comparable(name: str, images: Tensor) -> None:
    """Refuse what a FeatureNetwork cannot look at.

    Raises:
        InputError: They are no images of 1 or 3 channels, or smaller than 4 pixels a side.
    """
    if images.dim() != 4 or images.shape[1] not in (1, 3) or min(images.shape[2:]) < SMALLEST:
        raise InputError(
            f"{name} compares images of 1 or 3 channels and {SMALLEST} or more pixels a side, got "
            f"{tuple(images.shape)}"
        )


class FeatureDistance(ReconstructionRegularizer):
    r"""Distance of a small network's features of each fake and its target, where no VGG is at hand.

    .. math:: \frac{1}{L} \sum_l \frac{1}{H_l W_l} \sum_{h, w}
        \lVert \hat\phi_l(x)_{hw} - \hat\phi_l(G(z, y))_{hw} \rVert_2^2

    with features :math:`\hat\phi_l` of unit length at each place. The network comes with the
    package. ``perceptual`` of lightning-gan does the same with VGG, whose weights you bring.

    Args:
        features_file: Weights of another :class:`FeatureNetwork`, ``.safetensors``; None: those
            that come with the package.
        weight: Factor of the term.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold.
        target: Entry of the batch's ``extra`` that holds the targets; None: the real samples.

    Raises:
        InputError: The file is missing or holds something else; in training, samples are no images
            of one channel or three, or too small.

    Example:
        lightning-gan fit model.regularizers=[feature_distance]
    """

    def __init__(
        self,
        features_file: str | None = None,
        weight: float = 1.0,
        interval: int = 1,
        target: str | None = None,
    ) -> None:
        super().__init__(weight, interval, target)
        file = TERM if features_file is None else features_file
        self.network = FeatureNetwork(None if weights_follow() else file)
        self.network.requires_grad_(False)

    def distance(self, fake: Tensor, target: Tensor, step: AdversarialStep) -> Tensor:
        """Return the distance of each pair, shape (N,).

        Raises:
            InputError: They are no images of one channel or three, or too small.
        """
        check_comparable("feature_distance", fake)
        return feature_distance(self.network, fake, target)


def _unit(features: Tensor) -> Tensor:
    """Return features of unit length at each place; all zeros stay so, with a finite slope."""
    return features / (features.square().sum(1, keepdim=True) + 1e-10).sqrt()
