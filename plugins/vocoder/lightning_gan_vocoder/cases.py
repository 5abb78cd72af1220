"""What the conformance kit tries the components with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

MEL = {
    "sample_rate": 64,
    "n_fft": 16,
    "hop_length": 4,
    "win_length": 16,
    "n_mels": 4,
    "f_max": None,
}


def _generator(folder: Path) -> dict[str, Any]:
    arguments = {
        "sample_shape": (1, 64),
        "mel": MEL,
        "base_channels": 8,
        "upsample_rates": [2, 2],
        "upsample_kernels": [4, 4],
        "block_kernels": [3],
        "block_dilations": [[1, 2]],
    }
    return {"arguments": arguments, "sizes": (64, 32), "y": _mels}


def _vocos(folder: Path) -> dict[str, Any]:
    arguments = {"sample_shape": (1, 64), "mel": MEL, "channels": 4, "blocks": 1}
    return {"arguments": arguments, "sizes": (64, 32), "y": _mels}


def _mels(size: int) -> torch.Tensor:
    """Return four mel spectrograms of waves of so many samples."""
    return torch.randn(4, 4, size // 4)


CASES: dict[str, Any] = {
    "vocos": _vocos,
    "generator/hifigan": _generator,
    "discriminator/hifigan": {
        "sample_shape": (1, None),
        "periods": [2, 3],
        "period_channels": 2,
        "scales": 2,
        "scale_channels": 2,
    },
}
