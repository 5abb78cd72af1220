"""The loss of MMD GANs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss

SCALES = {
    "rational_quadratic": (0.2, 0.5, 1.0, 2.0, 5.0),
    "rbf": (2.0, 5.0, 10.0, 20.0, 40.0, 80.0),
}


class MMDLoss(AdversarialLoss):
    r"""Maximum mean discrepancy of D's outputs under a mixture of kernels (Li et al. 2017).

    All logits of a sample are one vector, features without a direction: let D return several. With
    a kernel :math:`k`, the generator minimises the unbiased estimate of

    .. math::
        \text{MMD}^2 = E[k(x, x')] - 2 E[k(x, y)] + E[k(y, y')]

    of real x and fakes y, which the discriminator maximises; with ``repulsive`` it minimises
    :math:`E[k(x, x')] - E[k(y, y')]` in its place, which drives real samples apart and fakes
    together (Wang et al. 2019). The kernels are those of Bińkowski et al. 2018:
    "rational_quadratic" is :math:`\sum_\alpha (1 + d^2 / 2\alpha)^{-\alpha}`, "rbf" is
    :math:`\sum_\sigma \exp(-d^2 / 2\sigma^2)`, of Euclidean distances d.

    The value of a sample is its share: the mean of all is the estimate. It is over what one process
    sees at once; with several processes, or with ``micro_batches``, the average of the pieces has
    the same mean and a larger variance. A piece of one sample leaves only the middle term.

    Args:
        kernel: "rational_quadratic" or "rbf".
        scales: The alphas or sigmas, each above 0; None: those of the paper, 0.2, 0.5, 1, 2, 5 or
            2, 5, 10, 20, 40, 80.
        repulsive: Whether the discriminator minimises the repulsive loss.

    Example:
        lightning-gan fit loss=mmd model.discriminator.outputs=16

    Raises:
        InputError: ``kernel`` is unknown, or a scale is not above 0, or there is none.
    """

    needs_real_logits_for_generator = True
    couples_samples = True
    directed = False

    def __init__(
        self,
        kernel: Literal["rational_quadratic", "rbf"] = "rational_quadratic",
        scales: Sequence[float] | None = None,
        repulsive: bool = False,
    ) -> None:
        super().__init__()
        if kernel not in SCALES:
            raise InputError(f"kernel must be 'rational_quadratic' or 'rbf', got {kernel!r}")
        if scales is not None and not (len(scales) and min(scales) > 0):
            raise InputError(f"scales must be numbers above 0, got {list(scales)}")
        self.kernel, self.scales, self.repulsive = kernel, scales, repulsive

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return each sample's share of -MMD^2, or of the repulsive loss, shape (N,)."""
        xx, xy, yy = self._means(real_logits, fake_logits)
        return xx - yy if self.repulsive else 2 * xy - xx - yy

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return each sample's share of MMD^2, shape (N,).

        Raises:
            InputError: There are no ``real_logits``.
        """
        if real_logits is None:
            raise InputError("the loss of an MMD needs real_logits in the generator's half too")
        xx, xy, yy = self._means(real_logits, fake_logits)
        return xx - 2 * xy + yy

    def _means(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean kernel of each sample with the other real ones, across, and of fakes."""
        x, y = real.flatten(1) if real.dim() > 1 else real[:, None], fake.reshape(len(fake), -1)
        across = self._kernel(x, y)
        return (
            _others(self._kernel(x, x)),
            (across.mean(0) + across.mean(1)) / 2,
            _others(self._kernel(y, y)),
        )

    def _kernel(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the kernel of all pairs, shape (len(x), len(y))."""
        with torch.autocast(x.device.type, enabled=False):  # distances are differences of products
            squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
        d2 = squares.clamp_min(0)
        scales = SCALES[self.kernel] if self.scales is None else self.scales
        kernels = [
            torch.exp(-d2 / (2 * scale**2))
            if self.kernel == "rbf"
            else (1 + d2 / (2 * scale)).pow(-scale)
            for scale in scales
        ]
        return torch.stack(kernels).sum(0)


def _others(kernel: Tensor) -> Tensor:
    """Return the mean of each row without the diagonal."""
    off = kernel - torch.diag(kernel.diagonal())
    return off.sum(1) / max(len(kernel) - 1, 1)
