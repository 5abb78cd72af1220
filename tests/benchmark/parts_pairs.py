"""Distances of fakes and targets by hand, for the benchmark of parts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
from parts_loop import Case, Loop, Loss, g_non_saturating, mlps
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, l1_loss, mse_loss, pad

from lightning_gan.layers.spectrogram import mel_filters
from lightning_gan.layers.vgg import VGGFeatures


def g_plus(distance: Callable[[Tensor, Tensor], Tensor], weight: float = 1.0) -> Loss:
    """Return G's loss with a distance of fakes and real samples."""

    def loss(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        return g_non_saturating(loop, real, fake, z) + weight * distance(fake, real)

    return loss


def charbonnier(x: Tensor, y: Tensor) -> Tensor:
    return ((x - y).square() + 1e-6).sqrt().mean()


# Structural similarity: the channels of all images at once, of one channel -----------------------


@cache
def window() -> Tensor:
    line = torch.exp(-((torch.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    return line / line.sum()


def blurred(x: Tensor) -> Tensor:
    """Return local means of one-channel images, (N, 1, H, W)."""
    n = len(x)
    rows = window().view(1, 1, -1, 1).expand(n, 1, -1, 1)
    x = conv2d(x.transpose(0, 1), rows, groups=n)
    return conv2d(x, rows.transpose(2, 3), groups=n).transpose(0, 1)


def similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return SSIM and its contrast part of each pair, values counted from -1."""
    x, y = x + 1, y + 1
    a, b, aa, bb, ab = blurred(torch.cat([x, y, x * x, y * y, x * y])).chunk(5)
    c1, c2 = 0.02**2, 0.06**2
    contrast = (2 * (ab - a * b) + c2) / (aa - a * a + bb - b * b + c2)
    whole = (2 * a * b + c1) / (a * a + b * b + c1) * contrast
    return whole.mean((1, 2, 3)), contrast.mean((1, 2, 3))


def ssim(x: Tensor, y: Tensor) -> Tensor:
    return 1 - similarity(x, y)[0].mean()


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    contrast = similarity(x, y)[1].clamp(min=1e-4) ** 0.3
    whole = similarity(avg_pool2d(x, 2), avg_pool2d(y, 2))[0].clamp(min=1e-4) ** 0.7
    return 1 - (contrast * whole).mean()


# VGG --------------------------------------------------------------------------------------------

LAYERS = ["relu1_1", "relu1_2"]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@cache
def vgg_file() -> str:
    """Return the path of random weights of VGG's first layers."""
    torch.manual_seed(0)
    vgg = VGGFeatures("vgg16", LAYERS)
    weights = {
        f"{vgg.indices[layer]}.{k}": v
        for layer, conv in vgg.convolutions.items()
        for k, v in conv.state_dict().items()
    }
    path = Path(tempfile.mkdtemp()) / "vgg16.pth"
    torch.save(weights, path)
    return str(path)


@cache
def vgg() -> nn.Sequential:
    layers = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU())
    layers.extend(nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()))
    layers.load_state_dict(torch.load(vgg_file(), weights_only=True))
    return layers.requires_grad_(False)


def features(x: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (MEAN, STD))
    shallow = vgg()[:2](((x + 1) / 2 - mean) / std)
    return shallow, vgg()[2:](shallow)


def perceptual(x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        wanted = features(y)
    return sum(l1_loss(a, b) for a, b in zip(features(x), wanted, strict=True))


def perceptual_arguments() -> dict[str, object]:
    return {"vgg_file": vgg_file(), "layers": LAYERS}


# Sound ------------------------------------------------------------------------------------------

WAVE, RESOLUTIONS = (1, 2048), ((512, 60, 300), (1024, 120, 600), (256, 25, 120))
MEL = {"sample_rate": 16000.0, "fft": 512, "hop": 128, "window": 512, "mels": 40}


def magnitudes(x: Tensor, fft: int, hop: int, length: int, hann: Tensor, centered: bool) -> Tensor:
    margin = (fft if centered else fft - hop) // 2
    x = pad(x, (margin, margin), "reflect")[:, 0]
    spectrum = torch.stft(x, fft, hop, length, hann, center=False, return_complex=True)
    return (torch.view_as_real(spectrum).square().sum(-1) + 1e-9).sqrt()


@cache
def hann(length: int) -> Tensor:
    return torch.hann_window(length)


def stft(x: Tensor, y: Tensor) -> Tensor:
    found = 0
    for fft, hop, length in RESOLUTIONS:
        a = magnitudes(x, fft, hop, length, hann(length), True).flatten(1)
        b = magnitudes(y, fft, hop, length, hann(length), True).flatten(1)
        convergence = ((b - a).norm(dim=1) / b.norm(dim=1)).mean()
        found = found + convergence + l1_loss(a.log(), b.log())
    return found / len(RESOLUTIONS)


@cache
def filters() -> Tensor:
    return mel_filters(16000.0, 512, 40).float()


def log_mel(x: Tensor, y: Tensor) -> Tensor:
    a, b = (
        (filters() @ magnitudes(each, 512, 128, 512, hann(512), False)).clamp(min=1e-5).log()
        for each in (x, y)
    )
    return l1_loss(a, b)


waves = partial(mlps, WAVE)
CASES = {
    "l1": Case({"l1": {}}, g_loss=g_plus(l1_loss)),
    "l2": Case({"l2": {}}, g_loss=g_plus(mse_loss)),
    "charbonnier": Case({"charbonnier": {}}, g_loss=g_plus(charbonnier)),
    "ssim": Case({"ssim": {}}, g_loss=g_plus(ssim)),
    "ms_ssim": Case({"ms_ssim": {"weights": [0.3, 0.7]}}, g_loss=g_plus(ms_ssim)),
    "perceptual": Case({"perceptual": perceptual_arguments}, g_loss=g_plus(perceptual), batch=8),
    "multi_resolution_stft": Case(
        {"multi_resolution_stft": {"resolutions": RESOLUTIONS}},
        g_loss=g_plus(stft),
        networks=waves,
        batch=32,
    ),
    "log_mel": Case({"log_mel": MEL}, g_loss=g_plus(log_mel, 45), networks=waves, batch=32),
}
