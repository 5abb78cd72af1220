"""Consistency under small changes of the latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.layers.drawn_alike import drawn_alike
from lightning_gan.layers.logit_distances import logit_distances
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player, finite, widened


class LatentConsistencyRegularizer(Regularizer):
    r"""D equal for close latents, and G different for them: zCR (Zhao et al. 2021).

    With :math:`z' = z + \sigma \epsilon` and :math:`\epsilon \sim \mathcal{N}(0, I)`, D's term is
    :math:`\lambda_{dis} (D(G(z)) - D(G(z')))^2`, and G's :math:`-\lambda_{gen} \lVert G(z) - G(z')
    \rVert^2`, which pushes samples apart; both norms are means over values here, so that factors do
    not depend on the size of samples. Without D's part G's has no bound. With ``consistency`` of
    real samples and fakes beside it, it is the paper's ICR.

    What G, D and the augmentation draw (noise, style mixing, dropout, cutout) they draw alike for
    both latents, so that the latents alone make the difference. Where they draw nothing, G(z) and
    D(G(z)) are those of the loss, and each update runs G once more, and that of D also D; else
    twice. Steps captured as a CUDA graph cannot draw twice alike: with ``graph`` nothing should
    draw. Both networks run without autocast, as in bfloat16 the difference would be lost in the
    rounding; an ``Adversary`` under autocast is given fakes that were rounded before, and should
    get them in float32. Heads are joined as those of the loss are.

    Args:
        discriminator_weight: :math:`\lambda_{dis}`, any number; at 0 D's part is not computed.
        generator_weight: :math:`\lambda_{gen}`, any number; at 0 G's part is not computed.
        sigma: Standard deviation of the change of latents, above 0.
        interval: Use the terms in every ``interval``-th update of a player, ``interval``-fold; at
            least 1.

    Raises:
        InputError: ``sigma`` is not positive; or, when the GAN is put together, the generator takes
            no latents.
    """

    full_precision = frozenset(Player)

    def __init__(
        self,
        discriminator_weight: float = 5.0,
        generator_weight: float = 0.5,
        sigma: float = 0.03,
        interval: int = 1,
    ) -> None:
        super().__init__(interval=interval)
        if not finite(sigma, "sigma") > 0:
            raise InputError(f"sigma must be positive, got {sigma}")
        self.discriminator_weight = finite(discriminator_weight, "discriminator_weight")
        self.generator_weight = finite(generator_weight, "generator_weight")
        self.sigma = sigma

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Check that there are latents."""
        if generator.latent_dim == 0:
            raise InputError(
                "latent_consistency changes latents, and the generator's latent_dim is 0: leave it "
                "out"
            )

    def discriminator(self, step: AdversarialStep) -> Tensor | None:
        """Return the weighted distance of logits, a scalar."""
        if self.discriminator_weight == 0:
            return None
        near, here = self._samples(step)
        known = (lambda: step.fake_output) if here is step.fake else None
        said = drawn_alike(lambda x: step.discriminate(x, step.fake_y), near, here, known)
        return self.discriminator_weight * step.mean(logit_distances(*said))

    def generator(self, step: AdversarialStep) -> Tensor | None:
        """Return the weighted distance of samples, negative, shape (M,)."""
        if self.generator_weight == 0:
            return None
        near, here = self._samples(step)
        difference = widened(near) - widened(here)
        return -self.generator_weight * difference.square().flatten(1).mean(1)

    def _samples(self, step: AdversarialStep) -> tuple[Tensor, Tensor]:
        """Return G(z') and G(z), the loss's where G draws nothing."""
        moved = step.z + self.sigma * torch.randn_like(step.z)
        return drawn_alike(
            lambda z: step.generate(z, step.fake_y), moved, step.z, known=lambda: step.fake
        )
