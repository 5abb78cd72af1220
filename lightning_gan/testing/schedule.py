"""The check of schedules."""

from __future__ import annotations

import copy
import math

from lightning_gan.schedules.base import Schedule
from lightning_gan.testing.base import check_any, check_rebuilding, same_state
from lightning_gan.testing.expectations import conformance, expect, told

IMAGES = (0, 1, 500, 1000, 12_345, 10**6, 10**9)  # not always in this order: training resumes


@conformance
def check_schedule(schedule: Schedule, *, portable: bool = True) -> None:
    """Check a schedule at several numbers of images.

    Args:
        schedule: The schedule.
        portable: Whether its arguments can be saved; False: they are passed again to
            ``load_from_checkpoint``.

    Raises:
        ConformanceError: The schedule breaks its contract.
    """
    own = check_any(schedule, Schedule, portable=portable)
    before = copy.deepcopy(own)
    values = {images: _at(own, images) for images in IMAGES}
    for images, value in values.items():
        expect(
            isinstance(value, (int, float)) and math.isfinite(value),
            own,
            f"at({images}) must return a finite number, got {value!r}",
        )
    expect(
        values == {images: _at(own, images) for images in reversed(IMAGES)}
        and same_state(own, before),
        own,
        "at must depend on the images alone, and change nothing, but two calls differ: compute it "
        "from `images` and the arguments",
    )
    check_rebuilding(own, portable=portable)


def _at(schedule: Schedule, images: int) -> float:
    with told(schedule, f"at({images}) must return a finite number, but fails"):
        return schedule.at(images)
