"""A schedule that stays what it is."""

from __future__ import annotations

from lightning_gan.schedules.base import Schedule
from lightning_gan.types import finite


class Constant(Schedule):
    """The same value throughout.

    Args:
        value: The value, any number.

    Raises:
        InputError: It is not finite.
    """

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = finite(value, "value")

    def at(self, images: int) -> float:
        """Return the value."""
        return self.value
