"""Every setting checked against the class that takes it, before anything is built.

The first thing that is wrong ends in one sentence with its key, the value and what is accepted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from pytorch_lightning import Callback, LightningDataModule, Trainer

from lightning_gan.cli.settings import short_names
from lightning_gan.cli.settings.compose import TOP
from lightning_gan.components.nodes import Checker
from lightning_gan.errors import InputError, nearest
from lightning_gan.training.module import GANModule
from lightning_gan.training.starting import Beginning

OUTPUT_ROOT = "runs"
PLAYERS = ("generator", "discriminator")
# Of both, where the data tell them.
FROM_DATA = ("sample_shape", "num_classes", "condition_channels")
CHECK = Checker(
    later=[f"model.{player}.{name}" for player in PLAYERS for name in FROM_DATA],
    all_of_them="See --print_config for all of them",
)
LARGEST_SEED = 2**32 - 1
DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
ON_REQUEST = ("evaluation", "export", "best")  # the others are there unless set to false or null
REFUSED = {
    "gradient_clip_val": "model.generator_clip_norm and model.discriminator_clip_norm",
    "gradient_clip_algorithm": "model.generator_clip_value and model.discriminator_clip_value",
    "accumulate_grad_batches": "model.micro_batches",
}


def resolve(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings (short form) in long form, complete and checked.

    What the data tell (``FROM_DATA``) may be missing of the networks.

    Raises:
        InputError: Something is unknown, missing or of the wrong type.
    """
    for key in settings:
        if key not in TOP:
            raise InputError(f"unknown setting {key!r}{nearest(str(key), TOP)}")
    result: dict[str, Any] = {
        "seed_everything": _seed(settings.get("seed_everything", 0)),
        "threads": _threads(settings.get("threads")),
        "trainer": _trainer(settings.get("trainer")),
        "model": _model(settings.get("model")),
        "data": CHECK.node("data", settings.get("data"), LightningDataModule),
        "ckpt_path": settings.get("ckpt_path"),
        "init_from": _init_from(settings.get("init_from")),
    }
    for key, default in short_names.CALLBACKS.items():
        value = settings.get(key, None if key in ON_REQUEST else {})
        value = short_names.SWITCHES.get(value, value) if isinstance(value, str) else value
        if (key, value) == ("summary", "full"):
            value = {"full": True}
        if value in (None, False):
            result[key] = None
            continue
        value = {} if value is True else value
        if isinstance(value, Mapping):
            value = {"class_path": default, **value}
        result[key] = CHECK.node(key, value, Callback)
    return result


def _init_from(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InputError(
            f"init_from: got {given!r}; expected the path of a checkpoint, a training package or "
            "weights to begin with"
        )
    return CHECK.arguments("init_from", Beginning, given)


def _seed(seed: Any) -> Any:
    if not isinstance(seed, int):  # false: no seed; true: 0, as Lightning has it
        raise InputError(f"seed_everything: got {seed!r}; expected int, or false for no seed")
    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"seed_everything: got {seed}; expected 0 to {LARGEST_SEED}")
    return seed


def _threads(threads: Any) -> Any:
    if threads is not None and (type(threads) is not int or threads < 1):
        raise InputError(
            f"threads: got {threads!r}; expected a number of CPU threads, or null for "
            "torch's choice"
        )
    cores = os.cpu_count() or 1
    if threads is not None and threads > cores:
        print(f"threads={threads}: this machine has {cores} cores, which are used")
        return cores
    return threads


def _trainer(trainer: Any) -> dict[str, Any]:
    if not isinstance(trainer, Mapping) and trainer is not None:
        raise InputError(f"trainer: got {trainer!r}; expected trainer.key=value, see --help")
    given = dict(trainer or {})
    for name, instead in REFUSED.items():
        unset = 1 if name == "accumulate_grad_batches" else None
        if given.get(name, unset) not in (unset, None):
            raise InputError(
                f"trainer.{name}: got {given[name]!r}; a GAN has two optimizers, "
                f"so set {instead} instead"
            )
    if isinstance(given.get("max_time"), str):
        given["max_time"] = _duration(given["max_time"])
    if given.get("barebones") is True:
        raise InputError(
            "trainer.barebones: got true; it leaves out loggers, checkpoints and callbacks, of "
            "which a run of the command is made; lightning-gan benchmark measures the speed"
        )
    if given.get("default_root_dir") is None:
        given["default_root_dir"] = OUTPUT_ROOT
    return CHECK.arguments("trainer", Trainer, given)


def _duration(text: str) -> Any:
    """Return 10m, 1h30m or 2d as Lightning takes it; what it takes already stays."""
    match = DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        return text
    units = ("days", "hours", "minutes", "seconds")
    return {unit: int(n) for unit, n in zip(units, match.groups(), strict=True) if n}


def _model(model: Any) -> dict[str, Any]:
    if isinstance(model, Mapping) and "class_path" not in model:
        model = {"class_path": short_names.MODULE, **model}
    return CHECK.node("model", model, GANModule)
