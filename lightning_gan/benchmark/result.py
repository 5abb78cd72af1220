"""What a benchmark found: speeds, ratios by rounds, and both as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from lightning_gan.benchmark.rounds import OURS
from lightning_gan.benchmark.timers import Cost
from lightning_gan.errors import InputError
from lightning_gan.files.claims import numbered_names, write_first_free

PLAIN = "plain loop"
TUNED = "hand-tuned loop"
FORMAT = 1


@dataclass(frozen=True)
class Spread:
    """A number that was measured once a round: its median and its extremes."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of some values."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Result:
    """A benchmark's measurements.

    Attributes:
        costs: What each round cost, by loop.
        steps: Batches of each loop in a round.
        batch_size: Real images in a batch.
        clock: Time that speeds and ratios are of: "cpu" on a CPU, which other programs do not
            disturb, "wall" elsewhere.
        setting: What was trained, in words, by key.
        machine: What it ran on.
        memory: Peak memory in MB of the process that held all loops.
    """

    costs: Mapping[str, Sequence[Cost]]
    steps: int
    batch_size: int
    clock: str
    setting: Mapping[str, Any]
    machine: Mapping[str, Any]
    memory: Mapping[str, float]

    def __post_init__(self) -> None:
        if not self.costs[OURS]:
            raise InputError(
                "the benchmark ended before its first round: leave out what ends training early, "
                "such as trainer.max_time, or give fewer steps"
            )

    def seconds(self, name: str, clock: str | None = None) -> list[float]:
        """Return the seconds of each round of a loop, by the clock that counts or another one."""
        return [getattr(cost, clock or self.clock) for cost in self.costs[name]]

    def ratio(self, name: str, other: str, clock: str | None = None) -> Spread:
        """Return how many times as fast as another loop a loop is, round by round."""
        pairs = zip(self.seconds(name, clock), self.seconds(other, clock), strict=True)
        return Spread.of([theirs / ours for ours, theirs in pairs])

    def framework(self) -> Spread:
        """Return the milliseconds of a step over those of the hand-tuned loop's."""
        pairs = zip(self.seconds(OURS), self.seconds(TUNED), strict=True)
        return Spread.of([(ours - theirs) / self.steps * 1000 for ours, theirs in pairs])

    def speed(self, name: str, clock: str | None = None) -> dict[str, float]:
        """Return a loop's images per second, seconds per kimg and milliseconds a step, medians."""
        seconds = median(self.seconds(name, clock)) / self.steps
        return {
            "images_per_second": self.batch_size / seconds,
            "seconds_per_kimg": seconds / self.batch_size * 1000,
            "ms_per_step": seconds * 1000,
        }

    def pairs(self) -> list[tuple[str, str]]:
        """Return the pairs of loops, ours and the tuned one before what they are compared with."""
        return [*combinations((OURS, TUNED, PLAIN), 2)]

    def save(self, path: Path) -> Path:
        """Write everything as JSON, and make the folder where it is missing.

        Returns:
            The file; beside ``path`` and numbered where that is taken.
        """
        text = json.dumps(self.content(), indent=2) + "\n"
        return write_first_free(path.parent, numbered_names(path.name), text)

    def content(self) -> dict[str, Any]:
        """Return everything as plain values."""
        loops = {
            name: {
                **self.speed(name),
                "wall": self.speed(name, "wall"),
                "rounds": [asdict(cost) for cost in costs],
            }
            for name, costs in self.costs.items()
        }
        ratios = {
            f"{name} / {other}": {
                **asdict(self.ratio(name, other)),
                "wall": asdict(self.ratio(name, other, "wall")),
            }
            for name, other in self.pairs()
        }
        return {
            "format": FORMAT,
            "clock": self.clock,
            "steps": self.steps,
            "batch_size": self.batch_size,
            "setting": dict(self.setting),
            "machine": dict(self.machine),
            "loops": loops,
            "ratios": ratios,
            "framework_ms_per_step": asdict(self.framework()),
            "peak_memory_mb": dict(self.memory),
        }

    def table(self) -> str:
        """Return everything for a person to read."""
        clock = {"cpu": "CPU time", "wall": "wall time"}[self.clock]
        return "\n\n".join(
            "\n".join(lines)
            for lines in (
                self._about(),
                self._speeds(clock),
                self._ratios(clock),
                self._rest(),
            )
        )

    def _about(self) -> list[str]:
        bf16 = {True: "with", False: "without", None: "perhaps with"}[self.machine["bf16"]]
        threads = self.machine["threads"]
        return [
            f"{self.setting['generator']} and {self.setting['discriminator']} on "
            f"{self.setting['data']}, batch {self.batch_size}, {self.setting['precision']}",
            f"{self.machine['name']} {bf16} bf16 instructions, "
            f"{threads} thread{'s' * (threads > 1)}, torch {self.machine['torch']}",
            f"{len(self.costs[OURS])} rounds, {self.steps} steps of each loop in a round",
        ]

    def _speeds(self, clock: str) -> list[str]:
        lines = [
            f"{f'speed by {clock}':<34}"
            f"{'images/s':>10}{'s/kimg':>10}{'ms/step':>10}{'images/s by wall':>18}"
        ]
        for name in (OURS, TUNED, PLAIN):
            images, kimg, step = self.speed(name).values()
            wall = self.speed(name, "wall")["images_per_second"]
            lines.append(f"{name:<34}{images:>10,.0f}{kimg:>10.3f}{step:>10.2f}{wall:>18,.0f}")
        return lines

    def _ratios(self, clock: str) -> list[str]:
        lines = [
            f"{f'ratio by {clock}':<34}{'median':>10}{'min':>10}{'max':>10}{'median by wall':>18}"
        ]
        for name, other in self.pairs():
            by, wall = self.ratio(name, other), self.ratio(name, other, "wall").median
            pair = f"{name} / {other}"
            lines.append(f"{pair:<34}{by.median:>10.3f}{by.min:>10.3f}{by.max:>10.3f}{wall:>18.3f}")
        return lines

    def _rest(self) -> list[str]:
        cost = self.framework()
        lines = [
            f"framework: {cost.median:.2f} ms a step over the {TUNED} "
            f"({cost.min:.2f} to {cost.max:.2f})"
        ]
        for kind, megabytes in self.memory.items():
            lines.append(f"peak memory, {kind}: {megabytes:,.0f} MB, all three loops together")
        return lines
