"""Which items of a long sequence a page of bounded size shows."""

from __future__ import annotations

import numpy as np


def spread(n: int, limit: int) -> list[int]:
    """Return at most ``limit`` places of ``n``: about half of them even, half dense at first.

    The first and the last are always among them. Training changes fastest at its start.

    Args:
        n: How many items there are.
        limit: How many may be kept, at least 2.

    Example:
        >>> spread(3, limit=6), spread(1000, limit=6)
        ([0, 1, 2], [0, 31, 500, 999])
    """
    if n <= limit:
        return list(range(n))
    early = {round(place) for place in (np.geomspace(1, n, limit // 2) - 1).tolist()}
    even = {round(place) for place in np.linspace(0, n - 1, limit - len(early)).tolist()}
    return sorted(early | even | {n - 1})
