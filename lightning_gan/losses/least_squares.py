"""The least-squares loss."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.types import finite


class LeastSquaresLoss(AdversarialLoss):
    r"""Squared distances of logits from targets (LSGAN, Mao et al. 2017, equation 2).

    The discriminator minimises :math:`\frac{1}{2}(D(x) - b)^2 + \frac{1}{2}(D(G(z)) - a)^2`, the
    generator :math:`\frac{1}{2}(D(G(z)) - c)^2`. With :math:`b - c = 1` and :math:`b - a = 2`, as
    of -1, 1, 0, the generator minimises the Pearson divergence of :math:`p_d + p_g` and
    :math:`2 p_g` (section 3.2). 0, 1, 1 asks for what D calls real.

    Args:
        a: What D should say of fakes, any number.
        b: What D should say of real samples, any number above ``a``.
        c: What G wants D to say of fakes, any number above ``a``.

    Raises:
        InputError: A target is not finite, or ``b`` or ``c`` does not lie above ``a``.
    """

    def __init__(self, a: float = 0.0, b: float = 1.0, c: float = 1.0) -> None:
        super().__init__()
        self.a, self.b, self.c = finite(a, "a"), finite(b, "b"), finite(c, "c")
        if min(self.b, self.c) <= self.a:
            raise InputError(f"b and c must lie above a, got a={a}, b={b}, c={c}")

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return ((real - b)^2 + (fake - a)^2) / 2, shape (N, ...)."""
        return 0.5 * (real_logits - self.b).square() + 0.5 * (fake_logits - self.a).square()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return (fake - c)^2 / 2, shape (N, ...)."""
        return 0.5 * (fake_logits - self.c).square()
