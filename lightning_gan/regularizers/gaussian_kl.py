"""The divergence of a Gaussian posterior from the standard normal prior."""

from __future__ import annotations

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import widened


class GaussianKLRegularizer(Regularizer):
    r"""KL of the generator's Gaussian posterior from N(0, I) (Kingma & Welling 2014, appendix B).

    .. math:: D_{KL} = \frac{1}{2} \sum_j \left( \mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1 \right)

    summed over all entries of a sample. The generator encodes its condition, and returns mean and
    log-variance as by-products: ``GeneratorOutput(samples, {"mean": mean, "log_variance": ...})``.
    The VAE-GAN of Larsen et al. 2016 is this, a reconstruction and the adversarial term.

    Args:
        weight: Factor of the term, any number.
        mean: Name of the by-product that holds the means, shape (N, ...).
        log_variance: Name of the one that holds the logarithms of the variances, the same shape.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.

    Example:
        lightning-gan fit experiment=tokenizer_kl  # of the plugin lightning-gan-tokenizer
    """

    def __init__(
        self,
        weight: float = 1.0,
        mean: str = "mean",
        log_variance: str = "log_variance",
        interval: int = 1,
    ) -> None:
        super().__init__(weight, interval)
        self.mean, self.log_variance = mean, log_variance
        self.requires = frozenset({mean, log_variance})

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the divergence of each sample's posterior, shape (N,).

        Raises:
            InputError: The shapes differ.
        """
        extra = step.generator_output.extra
        mu, log_variance = widened(extra[self.mean]), widened(extra[self.log_variance])
        if mu.shape != log_variance.shape:
            raise InputError(
                f"{self.mean} and {self.log_variance} must have one shape, got {tuple(mu.shape)} "
                f"and {tuple(log_variance.shape)}"
            )
        return 0.5 * (mu.square() + log_variance.exp() - log_variance - 1).flatten(1).sum(1)
