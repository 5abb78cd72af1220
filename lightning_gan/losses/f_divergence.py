"""The losses of f-divergences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss

Divergence = Literal["kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "gan"]
# Of logits v: the output activation g_f(v), and the conjugate at it, f*(g_f(v)), simplified so that
# no logit makes it overflow where its value does not.
_FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "kl": (lambda v: v, lambda v: torch.exp(v - 1)),
    "reverse_kl": (lambda v: -torch.exp(-v), lambda v: v - 1),
    "pearson": (lambda v: v, lambda v: 0.25 * v.square() + v),
    "squared_hellinger": (lambda v: -torch.expm1(-v), torch.expm1),
    "jensen_shannon": (
        lambda v: math.log(2.0) + logsigmoid(v),
        lambda v: softplus(v) - math.log(2.0),
    ),
    "gan": (logsigmoid, softplus),
}


class FDivergenceLoss(AdversarialLoss):
    r"""The variational bound of an f-divergence (f-GAN, Nowozin et al. 2016, table 2).

    With the output activation :math:`g_f` and the conjugate :math:`f^*` of the divergence, the
    discriminator minimises :math:`-g_f(D(x)) + f^*(g_f(D(G(z))))`, whose least mean is
    :math:`-D_f(P \Vert Q)` of data P and fakes Q, and the generator
    :math:`-f^*(g_f(D(G(z))))`; or, with ``non_saturating``, :math:`-g_f(D(G(z)))` (section 3.2).

    | divergence | :math:`g_f(v)` | :math:`f^*(t)` |
    | --- | --- | --- |
    | kl | :math:`v` | :math:`e^{t - 1}` |
    | reverse_kl | :math:`-e^{-v}` | :math:`-1 - \log(-t)` |
    | pearson | :math:`v` | :math:`t^2 / 4 + t` |
    | squared_hellinger | :math:`1 - e^{-v}` | :math:`t / (1 - t)` |
    | jensen_shannon | :math:`\log 2 - \log(1 + e^{-v})` | :math:`-\log(2 - e^t)` |
    | gan | :math:`-\log(1 + e^{-v})` | :math:`-\log(1 - e^t)` |

    Every :math:`g_f` rises with v: high logits mean real. Where the exponentials of kl, reverse_kl
    or squared_hellinger are used, logits beyond about 88 overflow in float32: keep D bounded, by a
    gradient penalty or otherwise. The bound of jensen_shannon is of twice the symmetric divergence,
    that of gan less by :math:`\log 4`.

    Args:
        divergence: Which one: "kl" is KL(data, fakes), "reverse_kl" is KL(fakes, data).
        non_saturating: Whether the generator maximises :math:`g_f` of fakes.

    Raises:
        InputError: ``divergence`` is unknown.
    """

    def __init__(
        self, divergence: Divergence = "jensen_shannon", non_saturating: bool = False
    ) -> None:
        super().__init__()
        if divergence not in get_args(Divergence):
            raise InputError(
                f"divergence must be one of {', '.join(get_args(Divergence))}, got {divergence!r}"
            )
        self.divergence, self.non_saturating = divergence, non_saturating

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return -g(real) + f*(g(fake)), shape (N, ...)."""
        activation, conjugate = _FUNCTIONS[self.divergence]
        return -activation(real_logits) + conjugate(fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return -f*(g(fake)), or -g(fake) where not saturating, shape (N, ...)."""
        activation, conjugate = _FUNCTIONS[self.divergence]
        return -activation(fake_logits) if self.non_saturating else -conjugate(fake_logits)
