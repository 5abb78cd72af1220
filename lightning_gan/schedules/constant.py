"""A schedule that stays what it is."""

from __future__ import annotations

from lightning_gan.schedules.base import Schedule


class Constant(Schedule):
    """The same value throughout.

    Args:
        value: The value, any number.
    """

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def at(self, images: int) -> float:
        """Return the value."""
        return self.value
