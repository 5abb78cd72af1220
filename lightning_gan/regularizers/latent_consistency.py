"""Consistency under small changes of the latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.layers.logit_distances import logit_distances
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import finite, widened


class LatentConsistencyRegularizer(Regularizer):
    r"""D equal for close latents, and G different for them: zCR (Zhao et al. 2021).

    With :math:`z' = z + \sigma \epsilon` and :math:`\epsilon \sim \mathcal{N}(0, I)`, D's term is
    :math:`\lambda_{dis} (D(G(z)) - D(G(z')))^2`, and G's :math:`-\lambda_{gen} \lVert G(z) - G(z')
    \rVert^2`, which pushes samples apart; both norms are means over values here, so that factors do
    not depend on the size of samples. Without D's part G's has no bound. With ``consistency`` of
    real samples and fakes beside it, it is the paper's ICR.

    D(G(z)) is that of the loss. Heads are joined as those of the loss are. Each update runs G once
    more, and that of D also D.

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
        near = step.discriminate(self._near(step), step.fake_y)
        return self.discriminator_weight * step.mean(logit_distances(step.fake_output, near))

    def generator(self, step: AdversarialStep) -> Tensor | None:
        """Return the weighted distance of samples, negative, shape (M,)."""
        if self.generator_weight == 0:
            return None
        difference = widened(step.fake) - widened(self._near(step))
        return -self.generator_weight * difference.square().flatten(1).mean(1)

    def _near(self, step: AdversarialStep) -> Tensor:
        """Return G(z')."""
        return step.generate(step.z + self.sigma * torch.randn_like(step.z), step.fake_y)
