"""Vocoders for lightning-gan: HiFi-GAN, Vocos, waves and their spectrograms, scores, pictures."""

from lightning_gan_vocoder.base import Vocoder
from lightning_gan_vocoder.data import WaveData, WaveFolder
from lightning_gan_vocoder.griffin_lim import griffin_lim
from lightning_gan_vocoder.hifigan import HiFiGANGenerator
from lightning_gan_vocoder.judges import HiFiGANDiscriminator
from lightning_gan_vocoder.mel import MelSettings, MelSpectrogram
from lightning_gan_vocoder.metrics import MelDistance
from lightning_gan_vocoder.pictures import Spectrograms
from lightning_gan_vocoder.tones import Tones
from lightning_gan_vocoder.vocoding import scores, vocode
from lightning_gan_vocoder.vocos import VocosGenerator
from lightning_gan_vocoder.wave_files import read_wave, write_wave
from lightning_gan_vocoder.weights import write_weights

__all__ = [
    "HiFiGANDiscriminator",
    "HiFiGANGenerator",
    "MelDistance",
    "MelSettings",
    "MelSpectrogram",
    "Spectrograms",
    "Tones",
    "Vocoder",
    "VocosGenerator",
    "WaveData",
    "WaveFolder",
    "griffin_lim",
    "read_wave",
    "scores",
    "vocode",
    "write_wave",
    "write_weights",
]
