"""Which losses and regularizers find all modes of a known mixture: one sweep, and its table.

    python tests/benchmark/known_distributions.py --fit runs/known
    python tests/benchmark/known_distributions.py runs/known

The first starts one ``lightning-gan fit -m`` over data, losses, regularizers and seeds and says the
command; losses are all but those of ``APART`` unless some are named. The second prints the Markdown
table of docs/known-distributions.md from what the runs have left. A run that did not end counts as
failed.
"""

from __future__ import annotations

import argparse
import csv
import math
import shlex
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lightning_gan.__main__ import main as lightning_gan
from lightning_gan.components import registry

DATA = ("mixture_ring", "mixture_grid")
PENALTY = "{{class_path:{0},init_args:{{weight:1e-2,interval:4}}}}"
REGULARIZERS = {
    "none": "{}",
    "r1": f"{{r1:{PENALTY.format('r1')}}}",
    "r1+r2": f"{{r1:{PENALTY.format('r1')},r2:{PENALTY.format('r2')}}}",
    "wgan_gp": "{wgan_gp:{class_path:wgan_gp}}",
}
# They need another loss, or an autoencoder as D.
APART = ("boundary_equilibrium", "energy_based", "slicing", "top_k")
NETWORKS = {"64": "[64,64,64]", "128": "[128,128,128]"}
# The networks and rates of mixture_grid, with penalties that stay as they are.
FIXED = [
    "experiment=mixture_grid",
    "model.schedules=null",
    "regularizers=[]",
    "trainer.callbacks.0.init_args.every_n_steps=null",
    "curves=false",
    "health=false",
    "checkpoint=false",
    "summary=false",
    "trainer.enable_progress_bar=false",
]
ALL_MODES, QUALITY = 0.1, 0.5  # least share of the rarest mode, least share of good samples


class Run(NamedTuple):
    """What a run has left.

    Attributes:
        of: Data, modes, loss, regularizers and width of the networks.
        scores: The last of the picture's scores, without their prefix; empty where it failed.
    """

    of: tuple[str, int, str, str, str]
    scores: Mapping[str, float]

    @property
    def outcome(self) -> str:
        """Whether it found all modes, some, or nothing that looks like the data."""
        found = self.scores
        if not found or not math.isfinite(found["high_quality"]):
            return "failed"
        if found["rarest_mode"] * found["high_quality"] >= ALL_MODES:
            return "all modes"
        return "modes lost" if found["high_quality"] >= QUALITY else "diverged"


def command(folder: str, options: argparse.Namespace) -> list[str]:
    """Return the words of the one sweep."""
    losses = options.losses or [each for each in registry.names("loss") if each not in APART]
    chosen = [REGULARIZERS[name] for name in options.regularizers]
    widths = ",".join(NETWORKS[name] for name in options.networks)
    return [
        *("fit", "-m", *FIXED),
        "seed_everything=" + ",".join(map(str, range(options.seeds))),
        "data=" + ",".join(options.data),
        f"model.generator.hidden={widths}",
        # Of one width both: the sweep is over losses, not over who is the stronger.
        "model.discriminator.hidden=${model.generator.hidden}",
        "loss=" + ",".join(losses),
        "model.regularizers=" + ",".join(chosen),
        f"trainer.max_steps={options.steps}",
        f"trainer.default_root_dir={folder}",
    ]


def read(folder: Path) -> list[Run]:
    """Return the runs of a sweep, in the order in which they ran."""
    configs = folder.glob("*/version_*/config.yaml")
    return [_run(path) for path in sorted(configs, key=lambda path: int(path.parts[-3]))]


def _run(path: Path) -> Run:
    config = yaml.safe_load(path.read_text())
    data, model = config["data"], config["model"]["init_args"]
    options = data["init_args"]
    modes = options["modes"] if "modes" in options else options["side"] ** 2
    regularizers = model.get("regularizers") or {}
    of = (
        data["class_path"].rpartition(".")[2],
        int(modes),
        model["loss"]["class_path"].rpartition(".")[2],
        " + ".join(regularizers) or "none",
        "x".join(map(str, model["generator"]["init_args"]["hidden"])),
    )
    return Run(of, _last_scores(path.parent / "metrics.csv", config["trainer"]["max_steps"]))


def _last_scores(path: Path, steps: int) -> dict[str, float]:
    if not path.is_file():
        return {}
    with open(path, newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row.get("mixture/high_quality")]
    if not rows or int(rows[-1]["step"]) != steps - 1:
        return {}
    prefix = "mixture/"
    return {
        key.removeprefix(prefix): float(value)
        for key, value in rows[-1].items()
        if key.startswith(prefix) and value
    }


def table(runs: Sequence[Run]) -> str:
    """Return the Markdown table: a row for each combination, over its seeds."""
    of: dict[Any, list[Run]] = defaultdict(list)
    for run in runs:
        of[run.of].append(run)
    lines = [
        "| data | loss | regularizers | hidden layers | outcome | modes reached | rarest mode "
        "| within three sigma | spread |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (data, modes, loss, regularizers, network), group in of.items():
        outcomes = [run.outcome for run in group]
        said = "; ".join(
            f"{each} {outcomes.count(each)} of {len(group)}" for each in dict.fromkeys(outcomes)
        )
        lines.append(
            f"| {data} | {loss} | {regularizers} | {network} | {said} "
            f"| {_range(group, 'modes_covered', '.0f')} of {modes} "
            f"| {_range(group, 'rarest_mode', '.2f')} "
            f"| {_range(group, 'high_quality', '.2f')} | {_range(group, 'spread', '.2f')} |"
        )
    return "\n".join(lines)


def _range(group: Sequence[Run], name: str, form: str) -> str:
    values = [run.scores[name] for run in group if name in run.scores]
    if not values:
        return "-"
    low, middle, high = min(values), statistics.median(values), max(values)
    if len(values) == 1 or format(low, form) == format(high, form):
        return format(middle, form)
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--fit", action="store_true", help="run the sweep")
    parser.add_argument("--data", nargs="+", default=DATA)
    parser.add_argument("--losses", nargs="+", default=())
    parser.add_argument("--regularizers", nargs="+", default=list(REGULARIZERS))
    parser.add_argument("--networks", nargs="+", default=["64"], choices=NETWORKS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3000)
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run the sweep, or print the table."""
    options = parse(words)
    if not options.fit:
        print(table(read(Path(options.folder))))
        return 0
    asked = command(options.folder, options)
    print(shlex.join(["lightning-gan", *asked]), flush=True)
    return lightning_gan(asked)


if __name__ == "__main__":
    sys.exit(main())
