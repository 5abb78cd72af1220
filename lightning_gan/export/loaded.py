"""A generator on its own: the network, the prior of its latents, and what is known of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.game.conditions import Conditions
from lightning_gan.game.sampler import Sampler
from lightning_gan.priors.base import Prior
from lightning_gan.step import called
from lightning_gan.types import SampleRange


class LoadedGenerator(Sampler, nn.Module):
    """A network and its prior: what :func:`~lightning_gan.load_generator` returns, in eval mode.

    Called, it is the network: ``loaded(z, y)``.

    Args:
        generator: The network.
        prior: Distribution of its latents; None where nobody knows it, and latents must be given.
        sample_range: The range of samples; "free" where they have no bounds.
        about: What else is known: ``progress``, ``version`` and the like.

    Attributes:
        latent_dim: Size Z of a latent.
        sample_shape: Shape of one sample.
        num_classes: K where the generator takes class labels, else None.
        sample_range: As above.
        about: As above.
    """

    exact = True  # the same images whatever the batch size, also on a GPU

    def __init__(
        self,
        generator: nn.Module,
        prior: Prior | None,
        sample_range: SampleRange = None,
        about: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.prior = prior if prior is not None else UnknownPrior()
        self.conditions = Conditions(generator)
        self.sample_range = sample_range
        self.about = dict(about or {})
        self.latent_dim: int = generator.latent_dim  # type: ignore[assignment]
        self.sample_shape: tuple[Any, ...] = tuple(generator.sample_shape)  # type: ignore[arg-type]
        self.num_classes: int | None = getattr(generator, "num_classes", None)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self._home()

    def forward(self, z: Tensor, y: Any = None) -> Any:
        """Run the network on latents (N, Z), with gradient; what it returns is returned."""
        return called(self.generator, z, y)


class UnknownPrior(Prior):
    """The prior of a generator whose description does not hold it."""

    def sample(
        self,
        n: int,
        latent_dim: int,
        *,
        generator: torch.Generator | None,
        device: torch.device | str,
    ) -> Tensor:
        """Draw nothing where there is something to draw.

        Raises:
            InputError: There are latents.
        """
        if latent_dim == 0:
            return torch.empty(n, 0, device=device)
        raise InputError(
            "the prior of this generator could not be described when it was exported; pass it, "
            "load_generator(path, prior=NormalPrior()), or latents, sample(n, z=...)"
        )
