"""Features of fakes like those of real samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import tensors_in


class FeatureMatchingRegularizer(Regularizer):
    r"""Distance of D's features of fakes and of real samples, on all layers of all heads.

    "batch_mean" compares the means of a batch (Salimans et al. 2016, section 3.1), which needs no
    pairs:

    .. math:: \lVert E_{x} f(x) - E_{z} f(G(z)) \rVert_2^2

    "l1" compares each fake with the real sample of the same place in the batch, for paired data
    (pix2pixHD, Wang et al. 2018; HiFi-GAN, Kong et al. 2020):

    .. math:: \sum_{i=1}^{T} \frac{1}{N_i} \lVert D^{(i)}(x) - D^{(i)}(G(y)) \rVert_1

    with :math:`N_i` values in a sample's features of layer i. Layers, of heads too, are summed, as
    in the papers; pix2pixHD weighs "l1" with 10, HiFi-GAN with 2. The discriminator returns
    ``features``, a tensor or any tree of them. They are compared, and not trained: D's own
    objective is left alone.

    Args:
        weight: Factor of the term, any number.
        distance: "batch_mean" or "l1".
        layers: Which of the features, numbered from 0 through the whole tree, negative numbers from
            its end; None: all.
        join: "sum" or "mean" over the layers.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.

    Example:
        lightning-gan fit regularizers=[feature_matching] \
            model.discriminator.return_features=true

    Raises:
        InputError: ``distance`` or ``join`` is unknown, or ``layers`` is empty.
    """

    requires = frozenset({"features"})

    def __init__(
        self,
        weight: float = 1.0,
        distance: Literal["batch_mean", "l1"] = "batch_mean",
        layers: Sequence[int] | None = None,
        join: Literal["sum", "mean"] = "sum",
        interval: int = 1,
    ) -> None:
        super().__init__(weight, interval)
        if distance not in ("batch_mean", "l1"):
            raise InputError(f"distance must be 'batch_mean' or 'l1', got {distance!r}")
        if join not in ("sum", "mean"):
            raise InputError(f"join must be 'sum' or 'mean', got {join!r}")
        if layers is not None and len(layers) == 0:
            raise InputError("layers must name one or more, or be None for all, got none")
        self.distance, self.layers, self.join = distance, layers, join
        self.couples_samples = distance == "batch_mean"

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the distance, a scalar for "batch_mean", shape (N,) for "l1".

        Raises:
            InputError: There are no such layers, or "l1" is asked of other numbers of real samples
                and fakes.
        """
        real, fake = (
            self._chosen(step.real_output.features),
            self._chosen(step.fake_output.features),
        )
        if self.distance == "l1" and len(step.real) != len(step.fake):
            raise InputError(
                "feature_matching with distance='l1' pairs each fake with a real sample, got "
                f"{len(step.fake)} and {len(step.real)}: set generator_batch to 1"
            )
        distances = [self._between(r.detach(), f) for r, f in zip(real, fake, strict=True)]
        total, *others = distances
        for each in others:
            total = total + each
        return total / len(distances) if self.join == "mean" else total

    def _chosen(self, features: Any) -> list[Tensor]:
        found = [each for each in tensors_in(features) if each.is_floating_point()]
        if not found:
            raise InputError("feature_matching needs features, and the discriminator's hold none")
        if self.layers is None:
            return found
        try:
            return [found[layer] for layer in self.layers]
        except IndexError:
            raise InputError(
                f"feature_matching takes layers {list(self.layers)}, and the discriminator has "
                f"{len(found)}, from 0"
            ) from None

    def _between(self, real: Tensor, fake: Tensor) -> Tensor:
        if self.distance == "batch_mean":
            return (real.mean(0) - fake.mean(0)).square().sum()
        return (fake - real).abs().flatten(1).mean(1)
