"""What the conformance kit tries the components with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lightning_gan import create_discriminator, create_generator

_SHAPE = (1, 8, 8)
_INSIDE = {"hidden_channels": 4, "levels": 1, "blocks": 1}


def _images(size: int) -> torch.Tensor:
    """Return four images of a size, which are their own input."""
    return torch.rand(4, 1, size, size) * 2 - 1


def _vq(folder: Path) -> dict[str, Any]:
    arguments = {"codes": 5, "code_dim": 3, **_INSIDE}
    return {"arguments": arguments, "y": _images(8)}


def _kl(folder: Path) -> dict[str, Any]:
    return {"arguments": {"code_channels": 2, **_INSIDE}, "y": _images(8)}


def _use(folder: Path) -> dict[str, Any]:
    networks = (
        create_generator("vq_autoencoder", sample_shape=_SHAPE, codes=5, code_dim=3, **_INSIDE),
        create_discriminator("mlp", sample_shape=_SHAPE, hidden=[4]),
    )
    couples = "unused codes become encoder outputs that are drawn from the batch"
    case = {"arguments": {"window": 2}, "networks": networks, "y": _images(8)}
    return {**case, "couples": couples}


CASES: dict[str, Any] = {
    "vq_autoencoder": _vq,
    "kl_autoencoder": _kl,
    "codebook_use": _use,
}
