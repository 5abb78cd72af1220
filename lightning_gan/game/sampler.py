"""What can be sampled from: a network with its prior, whoever trained it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.game.conditions import Conditions
from lightning_gan.game.sampling import (
    BATCH,
    Piece,
    check_conditions,
    class_labels,
    generate,
    pieces,
)
from lightning_gan.priors.base import Prior
from lightning_gan.types import finite


class Sampler:
    """Mixin: draws samples from a generator and its prior.

    Attributes:
        generator: The network, with ``latent_dim`` and ``sample_shape``.
        prior: Distribution of the latents.
        conditions: Where conditions are drawn from that nobody names.
        exact: Whether convolutions are computed in full precision also where a GPU would round
            them to be faster.
    """

    generator: Any
    prior: Prior
    conditions: Conditions
    exact: bool = False

    def sampling_generator(self) -> nn.Module:
        """Return the network that samples come from."""
        network: nn.Module = self.generator
        return network

    def sample(
        self,
        n: int,
        labels: Any = None,
        seed: int | None = None,
        z: Tensor | None = None,
        autocast: torch.dtype | None = None,
        truncation: float | None = None,
        batch_size: int = BATCH,
    ) -> Tensor:
        """Draw samples, in eval mode, from the averaged generator where there is one.

        Every random state is left as it was found. With one seed, fewer samples are the beginning
        of more, whatever the batch size.

        Args:
            n: Number of samples.
            labels: A class, or n classes as a sequence or int64 tensor; whatever else the
                generator takes, N first, is passed on. None draws classes uniformly where the
                generator has classes, and otherwise conditions of held-out samples.
            seed: Seed of the latents and drawn classes, from 0 to 2^64 - 1, the same samples on
                every call; None for other samples every time.
            z: Latents, shape (n, Z), such as the points of an interpolation. None draws them.
            autocast: Generate in mixed precision of this type, torch.bfloat16 or torch.float16:
                two or three times as fast on hardware that has it, and slightly other images. None
                generates in the network's own.
            truncation: psi, from 0: below 1 samples are more typical and less varied. A generator
                with a ``truncation`` of its own draws its styles towards their mean; for any other
                the latents are drawn towards the center of their prior, center + psi (z - center),
                as far as they are not given. None: as the generator is.
            batch_size: Samples of one pass, as memory allows.

        Returns:
            Samples, shape (n, *sample_shape), on the module's device; images in [-1, 1] unless
            ``sample_range`` says otherwise.

        Raises:
            InputError: A number is out of range, labels, latents or seed are of another number or
                range, or ``autocast`` is another type; or the generator asks for a condition and
                none is there to draw.
        """
        labels, seed = self._checked(n, labels, seed, z, autocast, truncation, batch_size)
        return self.generate(n, labels, seed, z, autocast, truncation, batch_size)

    def sample_in_pieces(
        self,
        n: int,
        labels: Any = None,
        seed: int | None = None,
        z: Tensor | None = None,
        truncation: float | None = None,
        batch_size: int = BATCH,
    ) -> Iterator[Piece]:
        """Draw what :meth:`sample` draws, a batch at a time, with latents and conditions.

        Raises:
            InputError: As for :meth:`sample`, at the first piece.
        """
        labels, seed = self._checked(n, labels, seed, z, None, truncation, batch_size)
        yield from pieces(
            self.sampling_generator(),
            self.prior,
            n,
            labels,
            seed,
            self._home(),
            conditions=self.conditions,
            z=z,
            truncation=truncation,
            batch_size=batch_size,
            exact=self.exact,
        )

    def generate(
        self,
        n: int,
        y: Any,
        seed: int,
        z: Tensor | None = None,
        autocast: torch.dtype | None = None,
        truncation: float | None = None,
        batch_size: int = BATCH,
    ) -> Tensor:
        """Draw samples as :meth:`sample` does, from arguments that are right."""
        return generate(
            self.sampling_generator(),
            self.prior,
            n,
            y,
            seed,
            self._home(),
            conditions=self.conditions,
            z=z,
            autocast=autocast,
            truncation=truncation,
            batch_size=batch_size,
            exact=self.exact,
        )

    def _checked(
        self,
        n: int,
        labels: Any,
        seed: int | None,
        z: Tensor | None,
        autocast: torch.dtype | None,
        truncation: float | None,
        batch_size: int,
    ) -> tuple[Any, int]:
        """Return labels and seed as they are used, after a look at everything.

        Raises:
            InputError: Something is wrong.
        """
        if not isinstance(n, int) or n < 0:
            raise InputError(f"n must be a whole number from 0, got {n!r}")
        if type(batch_size) is not int or batch_size < 1:
            raise InputError(f"batch_size must be a whole number from 1, got {batch_size!r}")
        if truncation is not None and finite(truncation, "truncation") < 0:
            raise InputError(f"truncation must not be negative, got {truncation!r}")
        if z is not None and tuple(z.shape) != (shape := (n, self.generator.latent_dim)):
            raise InputError(f"latents z must have shape {shape}, got {tuple(z.shape)}")
        if autocast not in (None, torch.bfloat16, torch.float16):
            raise InputError(f"autocast must be torch.bfloat16 or torch.float16, got {autocast!r}")
        if seed is None:
            seed = torch.Generator().seed()
        if labels is not None:
            classes = getattr(self.generator, "num_classes", None)
            unlabeled = getattr(self.generator, "takes_unlabeled", False)
            labels = class_labels(labels, n, classes, unlabeled)
            check_conditions(labels, n)
        return labels, seed

    def _home(self) -> torch.device:
        return next((p.device for p in self.generator.parameters()), torch.device("cpu"))
