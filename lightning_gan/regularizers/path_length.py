"""Path length regularization of style-based generators."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Feedback, rows


class PathLengthRegularizer(Regularizer):
    r"""Steps in w move images by equal amounts (StyleGAN2, Karras et al. 2020, equation 4).

    .. math:: E_{w, y} \left( \lVert J_w^T y \rVert_2 - a \right)^2, \quad y \sim N(0, I)

    :math:`J_w^T y` is the gradient of :math:`g(w) \cdot y` with respect to w, and a the running
    mean of its norms. As in the authors' code, y is divided by the square root of the number of
    pixels, and of w with a vector for each layer, (N, L, W), the squared norms are averaged over
    layers: so a weight of 2 is the :math:`\gamma_{pl}` of appendix B at any resolution.

    The generator has the methods ``mapping(z, y)``, which returns w, (N, W) or (N, L, W), and
    ``synthesis(w)``, which makes samples of it. Where w is one vector for all layers, an attribute
    ``styles`` says their number L, as that of ``stylegan2``; without it L is 1. Both run without
    autocast. The mean a is that of all processes so far, moved by the batch of the process, or its
    piece; its gradient is left out.

    Args:
        weight: Factor of the term, any number.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.
        batch_shrink: Use 1 / ``batch_shrink`` of the batch, which saves memory; at least 1.
        decay: Share of a batch in the running mean, in (0, 1].

    Example:
        lightning-gan fit generator=stylegan2 discriminator=stylegan2 \
            regularizers=[path_length]

    Raises:
        InputError: ``batch_shrink`` is no whole number from 1, or ``decay`` lies outside (0, 1].
    """

    requires = frozenset({"mapping", "synthesis"})
    observes = True
    couples_samples = True  # by the running mean, which takes in the batch
    mean: Tensor

    def __init__(
        self, weight: float = 2.0, interval: int = 4, batch_shrink: int = 2, decay: float = 0.01
    ) -> None:
        super().__init__(weight, interval)
        if type(batch_shrink) is not int or batch_shrink < 1:
            raise InputError(f"batch_shrink must be a whole number from 1, got {batch_shrink!r}")
        if not 0 < decay <= 1:
            raise InputError(f"decay must lie in (0, 1], got {decay}")
        self.batch_shrink, self.decay = batch_shrink, decay
        self.register_buffer("mean", torch.zeros(()))

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the mean squared distance of path lengths from their running mean, a scalar."""
        with torch.autocast(step.z.device.type, enabled=False):
            lengths = self._lengths(step)
        length = lengths.detach().mean()
        step.report("length", length)
        a = self.mean.lerp(length.to(self.mean.dtype), self.decay)
        distance: Tensor = (lengths - a).square().mean()
        return distance

    def observe(self, feedback: Feedback) -> None:
        """Let the running mean go on with the mean length of all processes."""
        if "length" in feedback.own:
            self.mean.lerp_(feedback.own["length"].to(self.mean.dtype), self.decay)

    def _lengths(self, step: AdversarialStep) -> Tensor:
        """Return the path lengths of a part of the update's latents."""
        n = max(1, len(step.z) // self.batch_shrink)
        network: Any = step.generator
        w = network.mapping(step.z[:n], rows(step.fake_y, slice(n), len(step.z)))
        if w.dim() == 2 and hasattr(network, "styles"):
            w = w[:, None].expand(-1, network.styles, -1)
        if not w.requires_grad:  # of a frozen mapping
            w = w.detach().requires_grad_()
        samples = network.synthesis(w)
        y = torch.randn_like(samples) / math.sqrt(math.prod(samples.shape[2:]))
        (gradient,) = torch.autograd.grad((samples * y).sum(), w, create_graph=True)
        layers = math.prod(gradient.shape[1:-1])
        # The norm has a slope where all is 0, and the root of a sum of squares has none.
        lengths: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
        return lengths / math.sqrt(layers)
