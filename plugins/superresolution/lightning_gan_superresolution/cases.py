"""What the conformance kit tries the components with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def _rrdb(folder: Path) -> dict[str, Any]:
    arguments = {"scale": 2, "base_channels": 4, "blocks": 1, "growth_channels": 2}
    return {"arguments": arguments, "sizes": (8, 16), "y": _small}


def _small(size: int) -> torch.Tensor:
    """Return four small images of which images of this size are made."""
    return torch.rand(4, 1, size // 2, size // 2) * 2 - 1


CASES: dict[str, Any] = {"rrdb": _rrdb, "feature_distance": {"sample_shape": (3, 8, 8)}}
