"""Durations in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return a duration as a person says it.

    Example:
        >>> duration(7.34), duration(3671.0)
        ('7.3 s', '1:01:11')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
