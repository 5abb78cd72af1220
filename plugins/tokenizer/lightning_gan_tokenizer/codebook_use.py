"""How much of a codebook is used, and codes that nobody chooses begun anew."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn

from lightning_gan import AdversarialStep, Discriminator, Generator, InputError, Player, Regularizer
from lightning_gan_tokenizer.networks import whole_number
from lightning_gan_tokenizer.vq import perplexity


class CodebookUse(Regularizer):
    """Reports how many codes a batch uses, and puts unused ones where the encoder's outputs are.

    In the log ``used`` is the share of the codebook that a batch chose, ``perplexity`` the
    exponential of the entropy of its codes. A code that no image chose in ``window`` updates, on
    any process, becomes one of the encoder's outputs, drawn from the last batch (the random
    restarts of Dhariwal et al. 2020).

    Args:
        window: Updates of the generator after which unused codes are begun anew; None: never.

    Raises:
        InputError: ``window`` is below 1, or the generator has no codebook.
    """

    requires = frozenset({"codes", "encoded"})
    chosen: Tensor
    updates: Tensor

    def __init__(self, window: int | None = 50) -> None:
        super().__init__()
        self.window = None if window is None else whole_number(window, "window", 1)
        self._outputs: Tensor | None = None

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Count the codes of the generator's codebook."""
        self.register_buffer("chosen", torch.zeros(len(_codebook(generator)), dtype=torch.int64))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def generator(self, step: AdversarialStep) -> None:
        """Count the codes of a batch."""
        extra = step.generator_output.extra
        codes: Tensor = extra["codes"]
        counts = torch.bincount(codes.flatten(), minlength=len(self.chosen))
        self.chosen += counts
        self._outputs = extra["encoded"].detach().movedim(1, -1).flatten(0, -2)
        step.report("used", (counts > 0).float().mean())
        step.report("perplexity", perplexity(counts))

    def after_update(self, player: Player, network: Generator | Discriminator) -> None:
        """Begin unused codes anew."""
        if player is not Player.GENERATOR or self.window is None or self._outputs is None:
            return
        self.updates += 1
        if self.updates < self.window:
            return
        weight = _codebook(network)
        count = len(self._outputs)
        places = torch.randperm(count)[torch.arange(len(weight)) % count]
        drawn = self._outputs[places.to(weight.device)].to(weight.dtype)
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(self.chosen)
            distributed.broadcast(drawn, 0)
        weight.copy_(torch.where(self.chosen[:, None] > 0, weight, drawn))
        self.chosen.zero_()
        self.updates.zero_()


def _codebook(network: Any) -> Tensor:
    """Return the vectors of a generator's codebook, shape (K, code_dim)."""
    codebook = getattr(network, "codebook", None)
    if not isinstance(codebook, nn.Embedding):
        raise InputError(
            f"codebook_use expects a generator with a codebook, such as vq_autoencoder, got "
            f"{type(network).__name__}"
        )
    return codebook.weight
