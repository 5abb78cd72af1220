"""Mel spectrograms beside scipy's, and Griffin-Lim."""

import numpy as np
import pytest
import torch
from lightning_gan_vocoder import MelSettings, MelSpectrogram, griffin_lim
from lightning_gan_vocoder.mel import filled, overlapped
from scipy.signal import stft

from lightning_gan import InputError

SETTINGS = MelSettings(8000, 256, 64, 200, 20, 50.0, 3500.0)


def tone(samples=2048, rate=8000):
    time = torch.arange(samples) / rate
    wave = sum(torch.sin(2 * torch.pi * 220 * k * time) / k for k in range(1, 9))
    return (0.3 * wave + 0.01 * torch.randn(samples))[None, None]


def slaney(hz):
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def hz_of(mel):
    return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def by_scipy(wave, s):
    """Frames by scipy, filters by the words of the docstring."""
    margin = (s.n_fft - s.hop_length) // 2
    skip = (s.n_fft - s.win_length) // 2  # torch puts the window in the middle of the transform
    x = np.pad(wave.numpy().astype(np.float64), margin, "reflect")[skip:]
    _, _, spectrum = stft(
        x, nperseg=s.win_length, noverlap=s.win_length - s.hop_length, nfft=s.n_fft,
        boundary=None, padded=False, scaling="spectrum",
    )  # fmt: skip
    magnitudes = np.abs(spectrum)[:, : len(wave) // s.hop_length] * s.win_length / 2  # sum of Hann
    edges = [hz_of(m) for m in np.linspace(slaney(s.f_min), slaney(s.f_max), s.n_mels + 2)]
    bins = np.arange(s.n_fft // 2 + 1) * s.sample_rate / s.n_fft
    filters = np.zeros((s.n_mels, len(bins)))
    for m in range(s.n_mels):
        low, middle, high = edges[m : m + 3]
        up, down = (bins - low) / (middle - low), (high - bins) / (high - middle)
        filters[m] = np.maximum(0, np.minimum(up, down)) * 2 / (high - low)
    return np.log(np.maximum(filters @ magnitudes, 1e-5))


def test_it_is_what_scipy_says():
    wave = tone()
    found = MelSpectrogram(SETTINGS)(wave)
    assert found.shape == (1, 20, 32)
    expected = by_scipy(wave[0, 0], SETTINGS)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=2e-3)


def test_silence_is_the_floor():
    found = MelSpectrogram(SETTINGS)(torch.zeros(1, 1, 512))
    assert torch.allclose(found, torch.tensor(1e-5).log().expand_as(found))


def test_no_wave_is_beyond_the_bounds():
    least, most = SETTINGS.bounds()
    loudest = MelSpectrogram(SETTINGS)(torch.randn(1, 1, 2048).sign())
    assert least == pytest.approx(MelSpectrogram(SETTINGS)(torch.zeros(1, 1, 512)).min().item())
    tone_at_full = torch.sin(2 * torch.pi * 125 * torch.arange(2048) / 8000)
    assert max(loudest.max(), MelSpectrogram(SETTINGS)(tone_at_full[None, None]).max()) < most
    assert most < 4


def test_waves_are_filled_to_whole_frames():
    assert filled(torch.ones(1, 1, 300), SETTINGS).shape == (1, 1, 320)
    assert filled(torch.ones(1, 1, 10), SETTINGS).shape == (1, 1, 256)
    assert filled(torch.ones(1, 1, 320), SETTINGS).sum() == 320


def test_the_whole_band_is_that_of_the_loss():
    assert SETTINGS.whole_band() == MelSettings(8000, 256, 64, 200, 20, 0.0, None)
    assert MelSettings.of(SETTINGS.as_dict()) == SETTINGS
    assert MelSettings.of(None) == MelSettings()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_fft": 0}, "n_fft must be a whole number from 1, got 0"),
        ({"win_length": 2048}, "hop_length <= win_length <= n_fft is expected, got 256, 2048 and"),
        ({"hop_length": 255}, "both be even or both be odd, got 1024 and 255"),
        ({"f_max": 12000.0}, "f_max <= 11025 Hz, half the sample_rate"),
        ({"f_min": 9000.0}, "f_min=9000.0 and f_max=8000.0"),
    ],
)
def test_wrong_settings(changes, said):
    with pytest.raises(InputError, match=said):
        MelSettings(**changes)
    with pytest.raises(InputError, match=r"waves of shape \(N, 1, T\) are expected, got \(2, 9\)"):
        MelSpectrogram(SETTINGS)(torch.zeros(2, 9))


def test_griffin_lim_comes_nearer():
    """With every tenfold of iterations, and by far in comparison with phases at random."""
    transform, wave = MelSpectrogram(SETTINGS), tone()
    mels = transform(wave)

    def far(iterations, momentum=0.99):
        made = griffin_lim(mels, transform, iterations, momentum)
        assert made.shape == wave.shape
        return (transform(made) - mels).abs().mean().item()

    none, few, many = far(0), far(10), far(100)
    assert none > 2 * few
    assert few > many
    assert far(30, 0.0) > far(30)


def test_griffin_lim_gives_a_wave_back_whose_phases_it_is_given():
    """The inverse of the transform is exact: with all magnitudes and phases the wave comes back."""
    from lightning_gan_vocoder.griffin_lim import _spectrum

    wave, window = tone(), torch.nn.functional.pad(torch.hann_window(200), (28, 28))
    assert torch.allclose(SETTINGS.window(), window, atol=1e-6)
    back = overlapped(_spectrum(wave[:, 0], window, SETTINGS), window, SETTINGS)
    assert torch.allclose(back[:, 100:-100], wave[0, :, 100:-100], atol=1e-4)


def test_griffin_lim_repeats_itself_and_leaves_randomness_alone():
    transform = MelSpectrogram(SETTINGS)
    mels = transform(tone())
    before = torch.random.get_rng_state()
    assert torch.equal(griffin_lim(mels, transform, 3), griffin_lim(mels, transform, 3))
    assert torch.equal(torch.random.get_rng_state(), before)
    with pytest.raises(InputError, match="iterations must be at least 0, got -1"):
        griffin_lim(mels, transform, -1)
    with pytest.raises(InputError, match=r"\(N, 20, frames\) are expected, got \(1, 3, 4\)"):
        griffin_lim(torch.zeros(1, 3, 4), transform)
