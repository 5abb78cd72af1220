"""The LeCam regularizer."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Feedback, finite


class LeCamRegularizer(Regularizer):
    r"""Keeps logits near the opposite class's moving average, for few data (Tseng et al. 2021).

    The term is :math:`(D(x) - \alpha_F)^2 + (D(G(z)) - \alpha_R)^2`, where :math:`\alpha_R` and
    :math:`\alpha_F` are exponential moving averages of the mean logit of real samples and of fakes
    over batches and heads, equal on all ranks; they begin with the first batch, and the logits of a
    batch count from the next batch on. ``weight`` is the paper's lambda.

    The authors' code uses :math:`\max(0, D(x) - \alpha_F)^2 + \max(0, \alpha_R - D(G(z)))^2`
    (``one_sided``): it draws logits together only where D tells the classes apart. Logits of
    trailing shape count each by itself; heads are joined as those of the loss are.

    Args:
        weight: lambda, any number.
        interval: Use the term in every ``interval``-th discriminator update, ``interval``-fold; at
            least 1.
        decay: Of the moving averages at each batch, in [0, 1).
        start_kimg: Thousands of real images after which the term begins, at least 0. The averages
            are kept before.
        one_sided: Whether to clip differences at 0, as the authors' code does.

    Raises:
        InputError: ``decay`` lies outside [0, 1), or ``start_kimg`` is negative.
    """

    observes = True
    real_average: Tensor
    fake_average: Tensor
    batches: Tensor

    def __init__(
        self,
        weight: float = 0.3,
        interval: int = 1,
        decay: float = 0.99,
        start_kimg: float = 50.0,
        one_sided: bool = False,
    ) -> None:
        super().__init__(weight, interval)
        if not 0 <= finite(decay, "decay") < 1:
            raise InputError(f"decay must lie in [0, 1), got {decay}")
        if not finite(start_kimg, "start_kimg") >= 0:
            raise InputError(f"start_kimg must not be negative, got {start_kimg}")
        self.decay = decay
        self.start_kimg = start_kimg
        self.one_sided = one_sided
        self.register_buffer("real_average", torch.zeros(()))
        self.register_buffer("fake_average", torch.zeros(()))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def discriminator(self, step: AdversarialStep) -> Tensor | None:
        """Return the mean distance over samples and heads, a scalar; None before the start."""
        if self.start_kimg > 0 and step.images_seen < 1000 * self.start_kimg:
            return None
        heads = zip(step.real_output.heads, step.fake_output.heads, strict=True)
        term = step.mean([self._distance(real, fake) for real, fake in heads])
        return term * (self.batches > 0)

    def _distance(self, real: Tensor, fake: Tensor) -> Tensor:
        above, below = real - self.fake_average, self.real_average - fake
        if self.one_sided:
            above, below = above.relu(), below.relu()
        return above.square() + below.square()

    @torch.no_grad()
    def observe(self, feedback: Feedback) -> None:
        """Move the averages towards the mean logits of a batch."""
        real, fake = feedback.real_logits, feedback.fake_logits
        if real is None or fake is None:
            return
        share = torch.where(self.batches == 0, 1.0, 1 - self.decay).to(self.real_average.dtype)
        for average, logits in ((self.real_average, real), (self.fake_average, fake)):
            average.lerp_(logits.to(average.dtype), share)
        self.batches += 1
