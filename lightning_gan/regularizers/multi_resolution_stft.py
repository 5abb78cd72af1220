"""Distance of spectrograms at several resolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightning_gan.layers.spectrogram import (
    Spectrogram,
    grouped,
    paired_waves,
    resolutions_of,
)
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep


class MultiResolutionSTFTRegularizer(Regularizer):
    r"""Spectral convergence and log magnitude at several resolutions (Yamamoto et al. 2020).

    With S the magnitudes of the short-time Fourier transform of a real wave, and :math:`\hat S`
    those of the generated one, the generator minimises the mean over the resolutions of

    .. math:: \frac{\lVert S - \hat S \rVert_F}{\lVert S \rVert_F}
        + \frac{1}{n} \lVert \log S - \log \hat S \rVert_1,

    n the number of magnitudes, for each sample by itself (Parallel WaveGAN, section 2). The two are
    logged apart. Real waves are the targets: the generator gets its condition with them, such as a
    spectrogram. Several channels count as one long wave. Under autocast it is computed in float32,
    of waves as the generator made them.

    Args:
        weight: Factor of the term, any number.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.
        resolutions: [fft, hop, window] in samples, each at least 1 and window at most fft; the
            default is the paper's, at 24 kHz.

    Example:
        lightning-gan fit data=random data.shape=[1,2048] generator=mlp discriminator=mlp \
            regularizers=[multi_resolution_stft]

    Raises:
        InputError: A resolution is no such triple, or samples are no waves (N, C, T) or too short.
    """

    def __init__(
        self,
        weight: float = 1.0,
        interval: int = 1,
        resolutions: Sequence[Sequence[int]] = (
            (1024, 120, 600),
            (2048, 240, 1200),
            (512, 50, 240),
        ),
    ) -> None:
        super().__init__(weight, interval)
        self.resolutions = resolutions_of(resolutions)
        self.spectrograms = nn.ModuleList(Spectrogram(*each) for each in self.resolutions)

    def generator(self, step: AdversarialStep) -> dict[str, Tensor]:
        """Return both distances of each fake, shape (M,) each."""
        real, fake = paired_waves(step.real, step.fake, type(self).__name__)
        n, convergence, magnitude = len(step.fake), [], []
        for spectrogram in self.spectrograms:
            target, made = spectrogram(real), spectrogram(fake)
            distance = grouped(made - target, n).norm(dim=1)
            convergence.append(distance / grouped(target, n).norm(dim=1))
            magnitude.append(grouped(made.log() - target.log(), n).abs().mean(1))
        return {
            "spectral_convergence": torch.stack(convergence).mean(0),
            "log_magnitude": torch.stack(magnitude).mean(0),
        }
