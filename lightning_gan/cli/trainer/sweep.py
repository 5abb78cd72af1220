"""``-m``: one run for each combination of values, each in a process of its own, in turn."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from hydra.core.override_parser.types import Glob, Override, ValueType

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.settings import compose
from lightning_gan.errors import InputError
from lightning_gan.files.claims import make_first_free, numbered_names

ROOT = "multirun"
FOLDER_KEY = "trainer.default_root_dir"
# Set by launchers of several processes; a job starts its own.
LAUNCHERS = ("LOCAL_RANK", "RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


def run(request: Request) -> int:
    """Run all jobs, or those up to a signal; or print the configuration of each.

    Returns:
        The exit code of the first that failed, or 0; 128 + n after signal n.

    Raises:
        InputError: An override is wrong, or torchrun started this; nothing has run then.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise InputError(
            "-m starts the processes of every job itself, and torchrun would run every job once "
            "for each process; leave torchrun out and set trainer.devices"
        )
    jobs = list(expand(request.words))
    if request.action == "print_sweep":
        _print_settings(jobs)
        return 0
    root = next((job[FOLDER_KEY] for job in jobs if FOLDER_KEY in job), "")
    now = time.strftime("%Y-%m-%d_%H-%M-%S")
    folder = Path(root) if root else make_first_free(Path(ROOT), numbered_names(now))
    failed: list[tuple[int, int]] = []
    finished = 0
    received: int | None = None
    for number, job in enumerate(jobs):
        words = [text for key, text in job.items() if key != FOLDER_KEY]
        print(f"job {number + 1} of {len(jobs)}: {' '.join(words)}", flush=True)
        words.append(f"{FOLDER_KEY}={compose.in_quotes(str(folder / str(number)))}")
        command = [sys.executable, "-m", "lightning_gan", request.command, *words]
        code, received = _run(command)
        if received is not None:
            break
        if code == 0:
            finished += 1
        else:
            failed.append((number, code))
    print(f"{finished} of {len(jobs)} jobs finished; their runs are in {folder}")
    for number, code in failed:
        words = [text for key, text in jobs[number].items() if key != FOLDER_KEY]
        print(f"failed with exit code {code}: job {number + 1}: {' '.join(words)}", file=sys.stderr)
    if received is not None:
        return 128 + received
    return failed[0][1] if failed else 0


def _print_settings(jobs: Sequence[Mapping[str, str]]) -> None:
    """Print the configuration of every job, one YAML document each."""
    from lightning_gan.cli.quiet import quiet
    from lightning_gan.cli.settings.resolve import resolve
    from lightning_gan.cli.settings.written import configuration_text
    from lightning_gan.cli.trainer import few_shot

    for number, job in enumerate(jobs):
        words = [text for key, text in job.items() if key != FOLDER_KEY]
        with quiet():
            text = configuration_text(resolve(compose.settings(few_shot.fill_in(words).words)))
        print(f"---\n# job {number + 1} of {len(jobs)}: {' '.join(words)}\n{text}", end="")


def expand(words: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the overrides of every job, by key: all combinations of the values given.

    The folder of the runs comes without its key.

    Raises:
        InputError: An override is not understood, or names no setting, group or choice.
    """
    overrides = [compose.parse(word) for word in words]
    alternatives = []
    for override in overrides:
        texts = list(_alternatives(override))
        for text in texts:
            compose.check_override(compose.parse(text))
        alternatives.append(texts)
    keys = [
        f"{number} {override.key_or_group}"  # each item that is appended or taken out by itself
        if override.key_or_group.endswith(("+", "-"))
        else override.get_key_element()
        for number, override in enumerate(overrides)
    ]
    for combination in itertools.product(*alternatives):
        job = dict(zip(keys, combination, strict=True))
        if FOLDER_KEY in job:
            job[FOLDER_KEY] = str(compose.parse(job[FOLDER_KEY]).value())
        yield job


def _alternatives(override: Override) -> Iterator[str]:
    """Yield an override with each of its values, as Hydra text."""
    if not override.is_sweep_override():
        assert override.input_line is not None
        yield override.input_line
        return
    key = override.get_key_element()
    if override.value_type is ValueType.GLOB_CHOICE_SWEEP:
        if override.key_or_group not in compose.groups():
            raise InputError(
                f"{key}: glob(...) is for config groups: {', '.join(compose.groups())}"
            )
        glob = override.value()
        assert isinstance(glob, Glob)
        values = glob.filter(compose.choices(override.key_or_group))
        if not values:
            raise InputError(f"{key}: no choice fits {override.get_value_string()}")
        yield from (f"{key}={value}" for value in values)
        return
    if override.value_type is ValueType.INTERVAL_SWEEP:
        raise InputError(
            f"{key}: got {override.get_value_string()}, which has no end of values; write those to "
            f"try, {key}=1,2,4, or range(start,stop,step)"
        )
    for value in override.sweep_string_iterator():
        yield f"{key}={value}"


def _run(command: Sequence[str]) -> tuple[int, int | None]:
    """Run one job to its end; return its exit code and the signal that came meanwhile, or None."""
    received: int | None = None
    job: subprocess.Popen[bytes] | None = None

    def note(signal_number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = signal_number
        # Of Ctrl-C, the terminal has told the job as well.
        if signal_number == signal.SIGTERM and job is not None:
            job.send_signal(signal_number)

    usual = {n: signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        job = subprocess.Popen(command, env=_environment(os.environ))
        return job.wait(), received
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if key not in LAUNCHERS}
