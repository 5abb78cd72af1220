"""What the conformance kit tries the components with: two directions of images of 8x8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from image2image.networks import TwoDomainDiscriminator, TwoWayGenerator

_SHAPE = (1, 8, 16)  # an image of A, and beside it one of B
_FIXED = "an image of A and one of B stand side by side: (C, H, 2 W)"


def _both() -> dict[str, Tensor]:
    return {"a": torch.rand(4, 1, 8, 8) * 2 - 1, "b": torch.rand(4, 1, 8, 8) * 2 - 1}


def _translator(folder: Path) -> dict[str, Any]:
    arguments = {"condition_channels": 3, "base_channels": 2, "blocks": 1}
    return {"arguments": arguments, "y": _color(8)}


def _color(size: int) -> Tensor:
    """Return four color images of a size."""
    return torch.rand(4, 3, size, size) * 2 - 1


def _two_way(folder: Path) -> dict[str, Any]:
    arguments = {"sample_shape": _SHAPE, "base_channels": 2, "blocks": 1}
    return {"arguments": arguments, "y": _both(), "leave_out": {"sizes": _FIXED}}


def _term(folder: Path) -> dict[str, Any]:
    torch.manual_seed(0)
    networks = (
        TwoWayGenerator(_SHAPE, base_channels=2, blocks=1),
        TwoDomainDiscriminator(_SHAPE, base_channels=2),
    )
    return {"networks": networks, "y": _both(), "leave_out": {"sizes": _FIXED}}


def _pool(folder: Path) -> dict[str, Any]:
    case = _term(folder)
    each = "each process has a pool of its own"
    return {
        **case,
        "arguments": {"size": 3},
        "leave_out": {**case["leave_out"], "two-processes": each},
    }


CASES: dict[str, Any] = {
    "resnet_translator": _translator,
    "two_way": _two_way,
    "two_domains": {
        "arguments": {"sample_shape": _SHAPE, "base_channels": 2},
        "leave_out": {"sizes": _FIXED},
    },
    "cycle_consistency": _term,
    "identity_mapping": _term,
    "image_pool": _pool,
}
