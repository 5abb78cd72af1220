"""Different latents, different samples."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import widened

TINY = 1e-12  # latents of codes alone may be equal


class DiversitySensitiveRegularizer(Regularizer):
    r"""Pushes samples of two latents and one condition apart (Yang et al. 2019; Mao et al. 2019).

    With d the mean absolute difference of the entries, and one condition y for both samples, the
    "clipped" form of Yang et al. minimises, for each pair,

    .. math:: -\min \left( \frac{d(G(z_1, y), G(z_2, y))}{d(z_1, z_2)}, \tau \right)

    The "inverse" form is the mode-seeking one of Mao et al., as their code has it, with the
    distances averaged over the batch:

    .. math:: \left( \frac{\overline{d(G(z_1, y), G(z_2, y))}}{\overline{d(z_1, z_2)}} + \epsilon
        \right)^{-1}

    The first sample is the update's fake; the second costs one more pass of the generator.

    Args:
        weight: Factor of the term, any number; Yang et al. call it lambda.
        form: "clipped" or "inverse".
        bound: tau, above 0: how much diversity is enough.
        epsilon: Added to the ratio before it is inverted, above 0.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.

    Raises:
        InputError: ``form`` is unknown, ``bound`` or ``epsilon`` is not positive; when the GAN is
            put together, the generator takes no latents.
    """

    def __init__(
        self,
        weight: float = 1.0,
        form: Literal["clipped", "inverse"] = "clipped",
        bound: float = 10.0,
        epsilon: float = 1e-5,
        interval: int = 1,
    ) -> None:
        super().__init__(weight, interval)
        if form not in ("clipped", "inverse"):
            raise InputError(f"form must be 'clipped' or 'inverse', got {form!r}")
        if not (bound > 0 and epsilon > 0):
            raise InputError(f"bound and epsilon must be positive, got {bound} and {epsilon}")
        self.form, self.bound, self.epsilon = form, bound, epsilon
        self.couples_samples = form == "inverse"

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Check that there are latents to differ in."""
        if getattr(generator, "latent_dim", 1) == 0:
            raise InputError(
                "diversity_sensitive compares samples of two latents, and the generator has "
                "latent_dim 0"
            )

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the term of each pair, shape (M,), or of the batch, a scalar."""
        z = step.latents(len(step.fake))
        other = step.generate(z, step.fake_y)
        samples = _distance(widened(step.fake), widened(other))
        latents = _distance(step.z, z).to(samples.dtype).clamp(min=TINY)
        if self.form == "clipped":
            return -(samples / latents).clamp(max=self.bound)
        return 1 / (samples.mean() / latents.mean() + self.epsilon)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().flatten(1).mean(1)
