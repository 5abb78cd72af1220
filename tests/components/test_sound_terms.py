"""Distances of spectrograms against an independent computation in NumPy."""

import numpy as np
import pytest
import torch
import toys
from torch import nn

from lightning_gan import Adversary, Game, InputError, create_regularizer
from lightning_gan.layers.spectrogram import Spectrogram, mel_filters
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.log_mel import LogMelRegularizer
from lightning_gan.regularizers.multi_resolution_stft import MultiResolutionSTFTRegularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


def magnitudes(x, fft, hop, window, margin):
    """Frame by frame, with a window that is periodic and in the middle of the transform."""
    x = np.pad(x, margin, mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    start = (fft - window) // 2
    whole = np.zeros(fft)
    whole[start : start + window] = hann
    frames = [
        np.fft.rfft(whole * x[begin : begin + fft]) for begin in range(0, len(x) - fft + 1, hop)
    ]
    return np.sqrt(np.abs(np.array(frames).T) ** 2 + 1e-9)


def waves(n=3, length=50, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, length))


def update(real, fake):
    real, fake = (torch.from_numpy(x)[:, None] for x in (real, fake))
    return AdversarialStep(
        Player.GENERATOR,
        real=real,
        fake=fake.requires_grad_(),
        generator=nn.Identity(),
        discriminator=nn.Identity(),
    )


@pytest.mark.parametrize(("center", "margin"), [(True, 8), (False, 6)])
def test_magnitudes(center, margin):
    x = waves()
    found = Spectrogram(16, 4, 12, center=center).double()(torch.from_numpy(x))
    expected = np.stack([magnitudes(each, 16, 4, 12, margin) for each in x])
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-6)


def test_a_pure_tone_is_in_its_bin():
    x = torch.cos(2 * torch.pi * 3 / 32 * torch.arange(320, dtype=torch.float64))[None]
    found = Spectrogram(32, 8, 32)(x)[0, :, 10]
    assert found[3] == pytest.approx(8.0, rel=1e-4)  # half the sum of the window, 16
    assert found[10] < 1e-4


def test_spectral_convergence_and_log_magnitude():
    resolutions = [[16, 4, 12], [8, 2, 8]]
    real, fake = waves(), waves(seed=1)
    step = update(real, fake)
    term = MultiResolutionSTFTRegularizer(resolutions=resolutions).double().generator(step)
    convergence, magnitude = np.zeros(3), np.zeros(3)
    for fft, hop, window in resolutions:
        for i in range(3):
            s, t = (magnitudes(x[i], fft, hop, window, fft // 2) for x in (real, fake))
            convergence[i] += np.linalg.norm(s - t) / np.linalg.norm(s) / 2
            magnitude[i] += np.abs(np.log(s) - np.log(t)).mean() / 2
    found = {key: value.detach().numpy() for key, value in term.items()}
    np.testing.assert_allclose(found["spectral_convergence"], convergence, rtol=1e-6)
    np.testing.assert_allclose(found["log_magnitude"], magnitude, rtol=1e-6)
    sum(value.sum() for value in term.values()).backward()
    assert step.fake.grad is not None
    assert step.fake.grad.isfinite().all()


def test_equal_waves_are_at_no_distance_and_silence_has_a_gradient():
    real = waves()
    for term in (
        MultiResolutionSTFTRegularizer(resolutions=[[16, 4, 12]]),
        LogMelRegularizer(fft=16, hop=4, window=16, mels=4, sample_rate=16),
    ):
        found = term.double().generator(update(real, real.copy()))
        values = found.values() if isinstance(found, dict) else [found]
        assert all((value == 0).all() for value in values)
        silent = torch.zeros(1, 1, 50, dtype=torch.float64, requires_grad=True)
        step = update(real[:1], silent.detach()[:, 0].numpy())
        found = term.generator(step)
        total = sum(v.sum() for v in (found.values() if isinstance(found, dict) else [found]))
        (gradient,) = torch.autograd.grad(total, step.fake)
        assert gradient.isfinite().all()


@pytest.mark.parametrize(
    "term",
    [
        MultiResolutionSTFTRegularizer(weight=2.0, resolutions=[[16, 4, 12]]),
        LogMelRegularizer(2.0, fft=16, hop=4, window=16, mels=4, sample_rate=16),
    ],
    ids=["stft", "mel"],
)
def test_in_a_game_and_in_a_loop_of_ones_own(term):
    """Weighted, and of the generator alone; under autocast as without it."""
    real, fake = (torch.from_numpy(waves(4, seed=seed))[:, None].float() for seed in (0, 1))
    found = term.generator(update(real[:, 0].numpy(), fake[:, 0].numpy()))
    mean = sum(v.mean() for v in (found.values() if isinstance(found, dict) else [found]))
    discriminator = toys.discriminator(sample_shape=(1, 50))
    adversary = Adversary(discriminator, NonSaturatingLoss(), {"near": term}, generator_weight=0.0)
    fake.requires_grad_()
    for cast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=cast):
            loss = adversary.generator_loss(fake, real)
        torch.testing.assert_close(loss, 2 * mean.detach())
    generator = toys.generator(sample_shape=(1, 50))
    game = Game(
        toys.gan(generator=generator, discriminator=discriminator, regularizers={"near": term})
    )
    readings = game.play(real)
    assert [name.split("/")[0] for name in readings.generator.terms] == ["near"] * len(
        readings.generator.terms
    )
    assert not readings.discriminator.terms


# Mel ---------------------------------------------------------------------------------------------


def filters_by_hand(rate, fft, mels, low, high):
    def mel(hz):
        return np.where(
            hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1) / 1000) / np.log(6.4)
        )

    def hertz(m):
        return np.where(m < 15, 200 * m / 3, 1000 * 6.4 ** ((m - 15) / 27))

    centres = hertz(np.linspace(mel(np.float64(low)), mel(np.float64(high)), mels + 2))
    rows = []
    for a, b, c in zip(centres, centres[1:], centres[2:], strict=False):
        bins = rate * np.arange(fft // 2 + 1) / fft
        rows.append(np.interp(bins, [a, b, c], [0, 2 / (c - a), 0], left=0, right=0))
    return np.array(rows)


@pytest.mark.parametrize(
    ("rate", "fft", "mels", "low", "high"),
    [(22050, 1024, 80, 0, 8000), (16000, 256, 20, 50, None), (24000, 512, 40, 0, None)],
)
def test_filters(rate, fft, mels, low, high):
    found = mel_filters(rate, fft, mels, low, high)
    expected = filters_by_hand(rate, fft, mels, low, rate / 2 if high is None else high)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_filters_have_area_one():
    found = mel_filters(22050, 16384, 40)  # bins fine enough for a sum to be an area
    areas = found.sum(1) * 22050 / 16384
    torch.testing.assert_close(areas, torch.ones_like(areas), rtol=0.01, atol=0)


def test_log_mel_distance():
    real, fake = waves(2, 64), waves(2, 64, seed=1)
    term = LogMelRegularizer(sample_rate=16, fft=16, hop=4, window=12, mels=4).double()
    filters = filters_by_hand(16, 16, 4, 0, 8)
    expected = []
    for x, y in zip(real, fake, strict=True):
        s, t = (np.log(np.maximum(filters @ magnitudes(w, 16, 4, 12, 6), 1e-5)) for w in (x, y))
        expected.append(np.abs(s - t).mean())
    found = term.generator(update(real, fake)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert term.weight == 45.0


def test_more_fakes_than_real_waves():
    real, fake = waves(2), waves(4, seed=1)
    term = LogMelRegularizer(sample_rate=16, fft=16, hop=4, window=12, mels=4).double()
    whole = term.generator(update(real, fake))
    halves = [term.generator(update(real, part)) for part in (fake[:2], fake[2:])]
    torch.testing.assert_close(whole, torch.cat(halves))


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("log_mel", {"sample_rate": 0}, "sample_rate must be positive, got 0"),
        ("log_mel", {"high": 20000.0}, "mels must be at least 1 and 0 <= low < high <= sample_"),
        ("log_mel", {"mels": 0}, "mels must be at least 1"),
        ("log_mel", {"window": 2048}, r"window at most fft, got \[1024, 256, 2048\]"),
        ("multi_resolution_stft", {"resolutions": []}, "must be a list of .fft, hop, window"),
    ],
)
def test_bad_arguments(name, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        create_regularizer(name, **arguments)


def test_samples_that_are_no_waves():
    step = AdversarialStep(
        Player.GENERATOR,
        real=torch.zeros(2, 1, 8, 8),
        fake=torch.zeros(2, 1, 8, 8),
        generator=None,
        discriminator=nn.Identity(),
    )
    with pytest.raises(InputError, match=r"LogMelRegularizer takes waves \(N, C, T\), got"):
        LogMelRegularizer().generator(step)
