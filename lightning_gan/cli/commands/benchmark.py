"""The command ``benchmark``: a run of ``fit`` in turns with hand-written loops.

Words are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from lightning_gan.benchmark.benchmark_plan import BenchmarkPlan
from lightning_gan.cli.arguments import Request
from lightning_gan.cli.settings import compose
from lightning_gan.errors import InputError, NotFiniteError, nearest
from lightning_gan.files.claims import NumberedFolders
from lightning_gan.files.names import BENCHMARK

OWN = ("rounds", "steps", "out")
DEFAULT = "experiment=benchmark_dense"
USAGE = """\
usage: lightning-gan benchmark [key=value ...]

Train as fit does and, in turns with it and in the same process, with two loops written by hand:
a plain one, as in PyTorch's tutorial, and a hand-tuned one. Shows the speed of each, the ratio of
each pair by rounds, and writes them to benchmark.json in the run's folder. Ratios are of CPU time
on a CPU, so that other programs disturb them little, and of time on the wall on a GPU.

settings, with their defaults, beside those of fit:
  rounds=5                   rounds; each gives one ratio of every pair of loops
  steps=50                   batches of each loop in a round
  out=                       JSON file to write instead of benchmark.json in the run's folder
  experiment=benchmark_dense what is trained, unless you say what: benchmark_dcgan, or your own
The loops know no regularizers, clipping or micro-batches; the error says what to leave out.
trainer.precision applies to fit and the hand-tuned loop, the plain one stays in full precision.
Validation is left out, and the rounds decide trainer.max_steps.

examples:
  lightning-gan benchmark data.root=data threads=1
  lightning-gan benchmark experiment=benchmark_dcgan data=random steps=10 out=dcgan.json
  lightning-gan benchmark trainer.precision=bf16-mixed data=random data.n=60000"""


def usage() -> str:
    """Return the help page."""
    return USAGE


def run(request: Request) -> int:
    """Compose, check, build and measure; print the table and write the JSON file.

    Returns:
        0, or 128 + n after signal n.

    Raises:
        InputError: Anything that the user can put right.
    """
    given, words = _split([compose.parse(word) for word in request.words])
    plan = BenchmarkPlan(**{name: value for name, value in given.items() if name != "out"})
    output = _output(given.get("out"))
    composed = compose.settings(words)

    import torch

    from lightning_gan.benchmark.imitation import DOES_MORE, imitable
    from lightning_gan.benchmark.measure import measure
    from lightning_gan.callbacks.graceful_stop import GracefulStop
    from lightning_gan.callbacks.sink import run_folder, shown_path
    from lightning_gan.cli.quiet import quiet
    from lightning_gan.cli.settings.resolve import resolve
    from lightning_gan.cli.trainer import run as one_run

    with quiet(), NumberedFolders() as folders:
        settings = _limited(resolve(composed), plan)
        root = settings["trainer"]["default_root_dir"]
        one_run.check_root(root)
        if settings["threads"] is not None:
            torch.set_num_threads(settings["threads"])
        cli = one_run.Run(settings, "fit", folders)
        if changes := imitable(cli.model):
            raise InputError(f"{DOES_MORE} {_typed(changes)}")
        one_run.make_folder(root)
        stop = GracefulStop()
        cli.trainer.callbacks.insert(0, stop)  # type: ignore[attr-defined]
        try:
            with one_run.explained(cli.owners):
                result = measure(cli.trainer, cli.model, cli.datamodule, plan)
        except (InputError, NotFiniteError) as error:
            if stop.received is not None:
                return 128 + stop.received
            raise InputError(str(error)) from error
        output = output or run_folder(cli.trainer) / BENCHMARK
        output = result.save(output)
    print(f"\n{result.table()}\nfile: {shown_path(output)}")
    return 0 if stop.received is None else 128 + stop.received


def _split(overrides: Sequence[Override]) -> tuple[dict[str, Any], list[str]]:
    """Return the benchmark's own settings, and the words that ``fit`` understands.

    Raises:
        InputError: A setting is unknown.
    """
    known = (*OWN, *compose.TOP, *compose.groups())
    given, words = {}, []
    for override in overrides:
        name = override.key_or_group
        if name in OWN and not override.is_delete() and not override.is_sweep_override():
            given[name] = override.value()
        elif name not in OWN and name.split(".")[0] in known:
            words.append(str(override.input_line))
        else:
            raise InputError(
                f"benchmark: unknown setting {override.input_line!r}"
                f"{nearest(name.split('.')[0], known) or '.'} "
                f"Settings are {', '.join(OWN)} and those of lightning-gan fit"
            )
    if all(override.key_or_group != "experiment" for override in overrides):
        words.insert(0, DEFAULT)
    return given, words


def _typed(changes: dict[str, Any]) -> str:
    """Write arguments of a module as the command takes them."""
    groups = compose.groups()
    return " ".join(
        f"{name if name in groups else f'model.{name}'}={'null' if value is None else value}"
        for name, value in changes.items()
    )


def _output(given: Any) -> Path | None:
    """Return the file that the user named, which does not exist.

    Raises:
        InputError: It does.
    """
    if given is None:
        return None
    output = Path(str(given))
    if output.exists():
        raise InputError(f"out: {output} exists already; choose another name")
    return output


def _limited(settings: dict[str, Any], plan: BenchmarkPlan) -> dict[str, Any]:
    """Return the settings of a run that trains from the start, on the plan's batches alone.

    Raises:
        InputError: The run is to go on from a checkpoint.
    """
    for key in ("ckpt_path", "init_from"):
        if settings[key] is not None:
            given = settings[key] if key == "ckpt_path" else settings[key]["path"]
            raise InputError(f"benchmark trains from the start, got {key}={given}: leave it out")
    # Held-out losses are no part of training, and the summary would time the other loops as well.
    limits = {"max_steps": plan.batches, "max_epochs": -1, "limit_val_batches": 0}
    return {**settings, "trainer": {**settings["trainer"], **limits}, "summary": None}
