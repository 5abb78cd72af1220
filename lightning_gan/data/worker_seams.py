"""Private names of torch's DataLoader; ``tests/data/test_torch_seams.py`` says when they may go."""

from __future__ import annotations

from typing import Any


def stop(reading: Any) -> None:
    """End the processes of a DataLoader's iterator at once, which torch does when it is deleted."""
    reading._shutdown_workers()
