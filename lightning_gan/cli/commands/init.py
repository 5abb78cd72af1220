"""``lightning-gan init``: a commented configuration from the answers to three questions."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.settings import compose
from lightning_gan.errors import InputError, nearest
from lightning_gan.files.claims import write_new

QUESTIONS = {
    "data": ("What data? {sets}, or a folder or zip of images", "digits"),
    "time": ("How long? 10m, 2h, 1d, or a number of steps", "10m"),
    "machine": ("What machine? auto, cpu, gpu, or how many GPUs", "auto"),
}
OUT = "out"
SETS = ("digits", "mnist", "fashion_mnist", "cifar10")
# Of these, networks for images of a side up to so many pixels; wider ones are slower and better.
WIDTHS = {8: 64, 28: 16, 32: 32, 64: 32}
SIDES = {"digits": 8, "mnist": 28, "fashion_mnist": 28, "cifar10": 32}
FOLDER_SIDE = 64
LONGEST = 60  # characters of a folder that is named after the data
TEMPLATE = """\
# Written by lightning-gan init. To train:
#   lightning-gan fit --config {out}
# Any setting can be changed on the way: lightning-gan fit --config {out} --data.batch_size=32
# All settings: lightning-gan fit --config {out} --print_config

seed_everything: 0  # the same seed, the same run; false for another one every time
threads: {threads}  # CPU threads; null: torch's choice

data:
{data}
model:
  generator:
    class_path: dcgan  # the others: lightning-gan fit --help
    init_args:
      latent_dim: 64
      base_channels: {width}  # wider is better and slower
  discriminator:
    class_path: dcgan
    init_args:
      base_channels: {width}
      norm: none
  loss: non_saturating  # or wasserstein, minimax
  regularizers:
    r1:  # holds the discriminator's gradient down; more weight: calmer and slower
      class_path: r1
      init_args:
        weight: {penalty}
        interval: 2
  generator_optimizer:
    class_path: torch.optim.Adam
    init_args:
      lr: 1.0e-3  # lower it where losses jump
      betas: [0.0, 0.99]
  discriminator_optimizer:
    class_path: torch.optim.Adam
    init_args:
      lr: 1.0e-3
      betas: [0.0, 0.99]
  ema:  # samples are drawn from the average of the generator's weights
    class_path: ema
    init_args:
      half_life_kimg: 10.0
      ramp_up: 0.1
      buffers: average

trainer:
  accelerator: {accelerator}
  devices: {devices}
  max_steps: {max_steps}  # batches; -1: no limit
  max_time: {max_time}
  max_epochs: -1
  check_val_every_n_epoch: null
  val_check_interval: {validate}  # batches between validations
  log_every_n_steps: 50
  enable_model_summary: false
  default_root_dir: runs/{name}

checkpoint:
  every_n_train_steps: 1000
samples:  # grids of samples in the run's folder
  every_n_steps: 500
curves:
  every_n_steps: 1000
health:  # looks for collapse and the like, and says what to change
  every_n_steps: 200
evaluation: null  # {{every_n_steps: 1000}} for scores while training
best: null  # fid, say: keeps the checkpoint with the best score
export: null
"""
USAGE = """\
usage: lightning-gan init [key=value ...]

Write a commented configuration that runs. Asks what is not said: what data, how long, what machine.

settings:
  data=digits      a data set (digits, mnist, fashion_mnist, cifar10), or a folder or zip of images
  time=10m         how long to train: 30s, 10m, 2h, 1d, or a number of steps
  machine=auto     cpu, gpu, auto, or how many GPUs
  out=gan.yaml     the file to write

example:
  lightning-gan init data=photos time=2h machine=gpu"""


def usage() -> str:
    """Return the help page."""
    return USAGE


def run(request: Request) -> int:
    """Ask what is not said and write the file.

    Returns:
        0.

    Raises:
        InputError: An answer is not understood, or the file exists.
    """
    given = _given(request.words)
    out = Path(given.pop(OUT, "gan.yaml"))
    if out.exists():
        raise InputError(f"out: {out} exists already; choose another name, out=NAME.yaml")
    answers = {key: given.get(key) or _ask(key) for key in QUESTIONS}
    text = configuration(str(out), **answers)
    try:
        write_new(out, text)
    except FileExistsError as error:
        raise InputError(f"out: {out} exists already; choose another name") from error
    except OSError as error:
        raise InputError(f"out: {out} cannot be written: {error.strerror}") from error
    print(f"wrote {out}\nnext: lightning-gan fit --config {out}")
    return 0


def configuration(out: str, data: str, time: str, machine: str) -> str:
    """Return the text of the file.

    Raises:
        InputError: An answer is not understood.
    """
    side = SIDES.get(data, FOLDER_SIDE)
    steps, duration = _limits(time)
    accelerator, devices = _machine(machine)
    return TEMPLATE.format(
        out=out,
        threads=1 if data == "digits" else "null",
        data=_data(data, side),
        width=WIDTHS[side],
        penalty=1.0 if side <= 28 else 10.0,
        accelerator=accelerator,
        devices=devices,
        max_steps=steps,
        max_time=duration,
        validate=500,
        name=re.sub(r"\W+", "_", Path(data).stem)[:LONGEST] or "gan",
    )


def _given(words: Sequence[str]) -> dict[str, str]:
    known = (*QUESTIONS, OUT)
    given = {}
    for word in words:
        key, equals, value = word.partition("=")
        if key not in known or not equals or not value:
            raise InputError(
                f"init: {word!r} is not understood{nearest(key, known) or '.'} "
                f"It takes {', '.join(f'{name}=...' for name in known)}"
            )
        given[key] = value
    return given


def _ask(key: str) -> str:
    question, default = QUESTIONS[key]
    if sys.stdin is None or not sys.stdin.isatty():  # nobody to ask
        print(f"{key}={default}")
        return default
    try:
        answer = input(f"{question.format(sets=', '.join(SETS))} [{default}]: ").strip()
    except EOFError:
        answer = ""
    return answer or default


def _data(data: str, side: int) -> str:
    rows: Mapping[str, object]
    if data in SETS:
        node = compose.choice("data", data)
        cls = node["class_path"]
        rows = {"batch_size": 64} if data == "digits" else {"root": "data", "batch_size": 64}
    else:
        if not Path(os.path.expanduser(data)).exists():
            raise InputError(
                f"data: there is no folder or zip at {data}{nearest(data, SETS)}; expected one of "
                f"{', '.join(SETS)}, or a folder or zip of images"
            )
        cls = "lightning_gan.data.ImageFolder"
        rows = {"root": data, "image_size": side, "batch_size": 64}
    lines = [f"  class_path: {cls}", "  init_args:"]
    notes = {"image_size": "  # side in pixels", "root": "  # where the images are"}
    lines += [f"    {key}: {json.dumps(value)}{notes.get(key, '')}" for key, value in rows.items()]
    return "\n".join(lines) + "\n"


def _limits(time: str) -> tuple[int, str]:
    """Return ``max_steps`` and ``max_time``."""
    if re.fullmatch(r"[0-9]+(_[0-9]+)*", time) and int(time) > 0:
        return int(time), "null"
    if re.fullmatch(r"(\d+d)?(\d+h)?(\d+m)?(\d+s)?", time) and re.search("[1-9]", time):
        return -1, time
    raise InputError(f"time: got {time!r}; expected 30s, 10m, 2h, 1h30m, or a number of steps")


def _machine(machine: str) -> tuple[str, int]:
    if machine in ("auto", "cpu", "gpu"):
        return machine, 1
    if machine.isdecimal() and int(machine) > 0:
        return "gpu", int(machine)
    raise InputError(f"machine: got {machine!r}; expected auto, cpu, gpu or a number of GPUs")
