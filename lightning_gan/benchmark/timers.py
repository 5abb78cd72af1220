"""What a piece of work costs in processor time and in time on the wall."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Cost:
    """Time that was spent.

    Attributes:
        cpu: Processor time of all threads of this process, in seconds.
        wall: Time on the wall, in seconds.
    """

    cpu: float
    wall: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.cpu + other.cpu, self.wall + other.wall)


class Stopwatch:
    """Measures laps; a device other than the CPU has done its work when a lap ends.

    Args:
        device: Where the work is done.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.start()

    def start(self) -> None:
        """Begin a lap."""
        self._synchronize()
        self._begun = (time.process_time(), time.perf_counter())

    def lap(self) -> Cost:
        """Return what was spent since :meth:`start`."""
        self._synchronize()
        cpu, wall = self._begun
        return Cost(time.process_time() - cpu, time.perf_counter() - wall)

    def _synchronize(self) -> None:
        if self._device.type != "cpu":
            torch.get_device_module(self._device).synchronize()
