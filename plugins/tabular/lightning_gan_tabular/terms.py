"""The two terms that CTGAN adds to a Wasserstein GAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_gan import AdversarialStep, InputError, Regularizer
from lightning_gan_tabular.layout import Layout


class PackGradientPenalty(Regularizer):
    r"""One-centred gradient penalty of packs (Gulrajani et al. 2017; Xu et al. 2019).

    The term of a pack is :math:`(\lVert \nabla_{\hat x} D(\hat x) \rVert - 1)^2`, where the norm is
    that of all rows of the pack, and :math:`\hat x` a random point of the line between a pack of
    real rows and a pack of fakes, the same share for all of its rows. (``wgan_gp`` takes the norm
    of each row of a pack by itself.) Conditions stay as they are.

    Args:
        weight: lambda.
        interval: Use the term in every ``interval``-th discriminator update, ``interval``-fold.
    """

    differentiates = frozenset({"points"})
    couples_samples = True

    def __init__(self, weight: float = 10.0, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the mean over packs of the squared distance of the norm from 1."""
        real, fake = step.real.detach(), step.fake.detach().to(step.real.dtype)
        n, packing = len(real), getattr(step.discriminator, "packing", 1)
        pack = torch.arange(n, device=real.device) // packing
        packs = -(-n // packing)
        share = torch.rand(packs, device=real.device, dtype=real.dtype)[pack]
        share = share.reshape(n, *[1] * (real.dim() - 1))
        between = (share * real + (1 - share) * fake).requires_grad_()
        logits = step.discriminate(between, step.y).total()
        (gradient,) = torch.autograd.grad(logits.sum(), between, create_graph=True)
        squares = gradient.square().flatten(1).sum(1)
        norms = torch.zeros(packs, device=real.device, dtype=squares.dtype)
        # A zero gradient has no direction: the root's own would be infinite.
        norm = norms.index_add(0, pack, squares).clamp_min(1e-12).sqrt()
        return (norm - 1).square().mean()


class ConditionCrossEntropy(Regularizer):
    r"""Cross-entropy of the column that the condition names, in G's objective.

    :math:`-\log P(c)`, where P is the softmax of the generator's logits for the conditioned column
    and c the asked category (the "generator loss" of Xu et al. 2019, section 4.3). The generator
    returns them as ``condition_logits``.

    Args:
        weight: Factor of the term.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold.
    """

    requires = frozenset({"condition_logits"})

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Note how many categories each column has.

        Raises:
            InputError: The generator has no layout of a table.
        """
        layout = getattr(generator, "layout", None)
        if not isinstance(layout, Layout):
            raise InputError(
                f"condition_cross_entropy needs the generator 'tabular', got "
                f"{type(generator).__name__}: set generator=tabular"
            )
        self._sizes = layout.categories

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the cross-entropy of each fake, shape (N,); zeros without conditions."""
        logits: Tensor = step.generator_output.extra["condition_logits"].float()
        if not self._sizes:
            return logits.sum(1)
        parts = torch.split(logits, list(self._sizes), dim=1)
        logs = torch.cat([part.log_softmax(1) for part in parts], dim=1)
        y: Tensor = step.fake_y
        return -(logs * y.to(logs)).sum(1)
