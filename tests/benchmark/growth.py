"""How the cost of training grows with what is trained.

    python tests/benchmark/growth.py --out growth.json --plot growth.png

One number varies at a time around a DCGAN of width 32 on 32x32 noise in batches of 64, lean
Trainer. The points of an axis take turns; memory and processes are measured in processes of their
own. The table and the plot of docs/performance.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from segments import CPU, LEAN, in_turns, quiet, timed

from lightning_gan import GANModule, create_discriminator, create_generator, create_loss
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.benchmark.machine import describe_machine
from lightning_gan.benchmark.timers import Cost
from lightning_gan.data import RandomImages

BASE: dict[str, int] = {
    "batch": 64,
    "width": 32,
    "size": 32,
    "d_steps": 1,
    "micro_batches": 1,
    "images": 10_000,
    "callbacks": 0,
}
SMALL = {"batch": 32, "width": 4, "size": 8}  # where the step is short, the rest can be seen
AXES: dict[str, tuple[str, tuple[int, ...], dict[str, int]]] = {
    "batch size": ("batch", (8, 16, 32, 64, 128, 256), {}),
    "width": ("width", (8, 16, 32, 64), {}),
    "resolution": ("size", (8, 16, 32, 64), {}),
    "steps of D for one of G": ("d_steps", (1, 2, 5), {}),
    "micro-batches of a batch of 256": ("micro_batches", (1, 2, 4, 8), {"batch": 256}),
    "images in memory, 8x8, width 4": ("images", (10_000, 100_000, 1_000_000), SMALL),
    "callbacks, 8x8, width 4": ("callbacks", (0, 5, 10, 20), SMALL),
}
PROCESSES_AXIS = "processes (by wall)"
PROCESSES = (1, 2)
MEASURED_APART = "micro_batches"


def module(point: dict[str, int]) -> GANModule:
    shape, width = (1, point["size"], point["size"]), point["width"]
    return GANModule(
        generator=create_generator("dcgan", sample_shape=shape, base_channels=width),
        discriminator=create_discriminator(
            "dcgan", sample_shape=shape, base_channels=width, norm="none"
        ),
        loss=create_loss("non_saturating"),
        alternation=Alternating(d_steps=point["d_steps"]),
        micro_batches=point["micro_batches"],
    )


def images(point: dict[str, int]) -> RandomImages:
    shape = (1, point["size"], point["size"])
    data = RandomImages(shape=shape, n=point["images"], batch_size=point["batch"])
    data.setup("fit")
    return data


def steps_of(point: dict[str, int], steps: int) -> int:
    """Return how many batches to time: whole rounds of D and G, more of short ones."""
    wanted = 20 * steps if point["size"] == 8 else steps
    return -(-wanted // point["d_steps"]) * point["d_steps"]


def measure(name: str, rounds: int, steps: int) -> list[dict[str, Any]]:
    key, values, around = AXES[name]
    points = [{**BASE, **around, key: value} for value in values]

    def contestant(point: dict[str, int]) -> Any:
        gan, data = module(point), images(point)
        callbacks = [pl.Callback() for _ in range(point["callbacks"])]
        return lambda: timed(gan, data, steps_of(point, steps), callbacks=callbacks)

    costs = in_turns({str(p[key]): contestant(p) for p in points}, rounds)
    rows = []
    for point in points:
        found = costs[str(point[key])]
        row = row_of(found, steps_of(point, steps), point["batch"])
        if key == MEASURED_APART:
            row["memory_mb"] = apart({"point": point})["memory_mb"]
        rows.append({"value": point[key], **row})
    return rows


def row_of(costs: list[Cost], steps: int, batch: int) -> dict[str, float]:
    """Return speed and its spread over the rounds."""
    each = sorted(1e3 * cost.cpu / steps for cost in costs)
    return {
        "ms_per_batch": statistics.median(each),
        "least": each[0],
        "most": each[-1],
        "images_per_second": 1e3 * batch / statistics.median(each),
    }


def apart(task: dict[str, Any]) -> dict[str, float]:
    """Measure in a process of its own."""
    words = [sys.executable, __file__, "--apart", json.dumps(task)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def run_apart(task: dict[str, Any]) -> None:
    """Train in this process and print what was asked for, as the last line."""
    if "processes" in task:
        print_speed(task["processes"])
        return
    gan, data = module(task["point"]), images(task["point"])
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    before = resident("VmRSS")
    pl.Trainer(**{**LEAN, "max_steps": 3}).fit(gan, datamodule=data)
    print(json.dumps({"memory_mb": (resident("VmHWM") - before) * 1024 / 1e6}))


def resident(name: str) -> int:
    """Return a line of Linux's /proc/self/status, in KiB: memory now, or its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def print_speed(processes: int) -> None:
    """Train with processes of one thread each; rank 0 prints the images per second of all."""
    from segments import WARMUP, Lap

    steps = 30
    lap = Lap(steps)
    settings = {**LEAN, "max_steps": WARMUP + steps + 1, "callbacks": [lap], "devices": processes}
    if processes > 1:
        settings["strategy"] = "gan_ddp"
    trainer = pl.Trainer(**settings)
    trainer.fit(module(BASE), datamodule=images(BASE))
    if trainer.is_global_zero and lap.cost is not None:
        speed = processes * BASE["batch"] * steps / lap.cost.wall
        print(json.dumps({"images_per_second": speed}), flush=True)


def measure_processes(rounds: int) -> list[dict[str, Any]]:
    """Return speed on the wall with one process and with two, in turns."""
    found: dict[int, list[float]] = {count: [] for count in PROCESSES}
    for _ in range(rounds):
        for count in PROCESSES:
            found[count].append(apart({"processes": count})["images_per_second"])
    return [
        {"value": count, "images_per_second": statistics.median(speeds), "rounds": speeds}
        for count, speeds in found.items()
    ]


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    lines = ["| what varies | value | images/s | ms a batch (least to most) | memory |"]
    lines.append("|---|---|---|---|---|")
    for name, rows in found.items():
        for row in rows:
            speed = f"{row['images_per_second']:,.0f}"
            cost = memory = ""
            if "ms_per_batch" in row:
                cost = f"{row['ms_per_batch']:.2f} ({row['least']:.2f} to {row['most']:.2f})"
            if "memory_mb" in row:
                memory = f"{row['memory_mb']:,.0f} MB"
            lines.append(f"| {name} | {row['value']:,} | {speed} | {cost} | {memory} |")
    return "\n".join(lines)


def plot(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw images per second against every axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6.5), layout="constrained")
    for axes, (name, rows) in zip(figure.subplots(2, 4).flat, found.items(), strict=False):
        values = [row["value"] for row in rows]
        speeds = [row["images_per_second"] for row in rows]
        axes.plot(values, speeds, "o-", color="#1f77b4")
        if min(values) > 0 and max(values) / min(values) > 4:
            axes.set_xscale("log", base=10 if max(values) > 1000 else 2)
        axes.set_xticks(values, [f"{value:,}" for value in values])
        axes.minorticks_off()
        axes.set_ylim(0, 1.15 * max(speeds))
        axes.set_xlabel(name)
        axes.set_ylabel("images a second")
        if "memory_mb" in rows[0]:
            other = axes.twinx()
            other.plot(values, [row["memory_mb"] for row in rows], "s--", color="#d62728")
            other.set_ylabel("memory, MB", color="#d62728")
            other.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--only", default="", help="part of an axis's name")
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--plot", type=Path, help="PNG file")
    parser.add_argument("--from", dest="source", type=Path, help="draw this JSON file again")
    parser.add_argument("--apart", help=argparse.SUPPRESS)
    words = parser.parse_args()
    quiet(threads=1)
    if words.apart:
        run_apart(json.loads(words.apart))
        return
    if words.source:
        found = json.loads(words.source.read_text())["axes"]
    else:
        chosen = [name for name in AXES if words.only in name]
        found = {name: measure(name, words.rounds, words.steps) for name in chosen}
        if words.only in PROCESSES_AXIS:
            found[PROCESSES_AXIS] = measure_processes(words.rounds)
    print(describe_machine(CPU))
    print(table(found))
    if words.out:
        words.out.write_text(
            json.dumps({"machine": describe_machine(CPU), "axes": found}, indent=1) + "\n"
        )
    if words.plot:
        plot(found, words.plot)


if __name__ == "__main__":
    main()
