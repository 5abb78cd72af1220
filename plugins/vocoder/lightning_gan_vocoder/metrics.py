"""How near generated waves are to real ones, beside Griffin-Lim's, on held-out waves."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from lightning_gan import InputError
from lightning_gan.callbacks import PairedMetrics
from lightning_gan_vocoder.griffin_lim import griffin_lim
from lightning_gan_vocoder.mel import MelSettings, MelSpectrogram


class MelDistance(PairedMetrics):
    """Log the L1 distance of log-mel spectrograms, and Griffin-Lim's beside it.

    In validation and test, over the middles of all held-out waves; smaller is nearer:

    ``val/mel_distance``: of all frequencies, as the term ``log_mel`` has it, divided by its weight.

    ``val/input_distance``: of those up to ``f_max``, which the generator's input shows.

    ``val/griffin_lim_mel_distance``, ``val/griffin_lim_input_distance``: the same of
    :func:`~lightning_gan_vocoder.griffin_lim`, which is given the same input.

    Args:
        iterations: Of Griffin-Lim.

    Raises:
        InputError: ``iterations`` is below 1; in validation, the generator has no ``mel`` that says
            how its input is made.
    """

    def __init__(self, iterations: int = 32) -> None:
        if type(iterations) is not int or iterations < 1:
            raise InputError(f"iterations must be a whole number from 1, got {iterations!r}")
        self.iterations = iterations
        self._input: MelSpectrogram | None = None
        self._whole: MelSpectrogram | None = None
        self._last: tuple[Tensor, Tensor] | None = None
        super().__init__(
            {
                "mel_distance": partial(self._far, plain=False, whole=True),
                "input_distance": partial(self._far, plain=False, whole=False),
                "griffin_lim_mel_distance": partial(self._far, plain=True, whole=True),
                "griffin_lim_input_distance": partial(self._far, plain=True, whole=False),
            }
        )

    def logged_scores(self, module: Any) -> dict[str, Any]:
        """Return the names of the distances, all of them better where they are lower."""
        return dict.fromkeys(super().logged_scores(module), "lower")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew."""
        self._ready(pl_module)
        super().on_validation_start(trainer, pl_module)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew."""
        self._ready(pl_module)
        super().on_test_start(trainer, pl_module)

    def _ready(self, module: Any) -> None:
        settings = getattr(module.generator, "mel", None)
        if not isinstance(settings, MelSettings):
            raise InputError(
                "MelDistance expects a generator whose mel says how its input is made, such as "
                f"hifigan, got {type(module.generator).__name__}"
            )
        self._input = MelSpectrogram(settings).to(module.device)
        self._whole = MelSpectrogram(settings.whole_band()).to(module.device)

    def _far(self, fake: Tensor, real: Tensor, y: Any, *, plain: bool, whole: bool) -> Tensor:
        assert self._input is not None
        assert self._whole is not None
        if plain:
            if self._last is None or self._last[0] is not y:  # once for both distances
                self._last = y, griffin_lim(y, self._input, self.iterations)
            fake = self._last[1]
        return mel_distance(fake, real, self._whole if whole else self._input)


def mel_distance(made: Tensor, real: Tensor, transform: MelSpectrogram) -> Tensor:
    """Return the L1 distance of log-mel spectrograms of waves (N, 1, T), averaged, shape (N,)."""
    far: Tensor = transform(made) - transform(real)
    return far.abs().flatten(1).mean(1)
