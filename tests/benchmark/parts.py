"""What each part costs beside the same mathematics written by hand.

    python tests/benchmark/parts.py r1 lecam --rounds 9 --steps 20

Prints a Markdown table: processor time of a step of ``Game`` and of a loop without the library, on
the same networks, by one thread, in turns; and their ratio round by round, median, least and most.
Without names, all cases. With ``--operations``, which operators of torch each side calls how often
in a step, where that differs: it says what a ratio above 1 is made of, and does not depend on the
machine. A part joins with a line or two in ``CASES`` of the file of its kind; ``test_parts.py``
checks that both sides of a case train to the same weights.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import parts_augments
import parts_layers
import parts_losses
import parts_outputs
import parts_pairs
import parts_penalties
import torch
from parts_loop import Case
from segments import CPU, in_turns, quiet, ratio

from lightning_gan import Game
from lightning_gan.benchmark.machine import describe_machine
from lightning_gan.benchmark.timers import Cost, Stopwatch

WARMUP = 3
KINDS = (
    parts_losses,
    parts_penalties,
    parts_outputs,
    parts_pairs,
    parts_augments,
    parts_layers,
)
CASES: dict[str, Case] = {name: case for kind in KINDS for name, case in kind.CASES.items()}


def sides(case: Case, batch: int) -> dict[str, Callable[[], Any]]:
    """Return a step of each side on a batch."""
    real = case.real(case.batch or batch)
    y, game, loop = case.condition(real), Game(case.gan(), seed=0), case.loop()
    return {"library": lambda: game.play(real, y), "by hand": lambda: loop.step(real, y)}


def timed(step: Callable[[], Any], steps: int) -> Callable[[], Cost]:
    """Return what trains for some steps and returns what one cost."""
    watch = Stopwatch(CPU)

    def run() -> Cost:
        for _ in range(WARMUP):
            step()
        watch.start()
        for _ in range(steps):
            step()
        lap = watch.lap()
        return Cost(lap.cpu / steps, lap.wall / steps)

    return run


def measure(name: str, batch: int, rounds: int, steps: int) -> str:
    """Return a case's row of the table."""
    contestants = {side: timed(step, steps) for side, step in sides(CASES[name], batch).items()}
    costs = in_turns(contestants, rounds)
    ours, theirs = costs["library"], costs["by hand"]
    median, least, most = ratio(theirs, ours)
    ms = [1000 * min(cost.cpu for cost in each) for each in (ours, theirs)]
    return f"| {name} | {ms[0]:.1f} | {ms[1]:.1f} | {median:.2f} ({least:.2f} to {most:.2f}) |"


def operations(name: str, batch: int, steps: int = 4) -> dict[str, tuple[float, float]]:
    """Return how often a step of each side calls an operator, where that differs."""
    counts = []
    for step in sides(CASES[name], batch).values():
        for _ in range(WARMUP):
            step()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            for _ in range(steps):
                step()
        found = {event.key: event.count / steps for event in profile.key_averages()}
        counts.append(Counter({op: n for op, n in found.items() if op.startswith("aten::")}))
    ours, theirs = counts
    return {op: (ours[op], theirs[op]) for op in sorted(ours | theirs) if ours[op] != theirs[op]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20, help="in a turn")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--operations", action="store_true", help="count operators in place of it")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in CASES]
    if unknown:
        parser.error(f"there is no case {unknown[0]!r}; there are {', '.join(CASES)}")
    quiet(threads=1)
    names = options.names or list(CASES)
    if options.operations:
        print("| part | operator | lightning-gan, calls a step | by hand |\n|---|---|---|---|")
        for name in names:
            for op, (ours, theirs) in operations(name, options.batch).items():
                print(f"| {name} | {op} | {ours:g} | {theirs:g} |", flush=True)
        return
    print(json.dumps(describe_machine(CPU)), end="\n\n")
    print("| part | lightning-gan, ms a step | by hand | ratio |\n|---|---|---|---|")
    for name in names:
        print(measure(name, options.batch, options.rounds, options.steps), flush=True)


if __name__ == "__main__":
    main()
