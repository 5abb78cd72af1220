"""What a run was set to, flat, in every logger: so that runs of a sweep can be told apart."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.loggers import TensorBoardLogger

from lightning_gan.components.spec import Specified
from lightning_gan.components.taking import arguments_of

Flat = dict[str, bool | int | float | str]
# Values that TensorBoard shows beside the settings of a run.
SHOWN = ("loss/generator", "loss/discriminator")


def log_hyperparameters(trainer: Trainer, flat: Flat) -> None:
    """Send settings to every logger of a trainer, unless it has ``enable_autolog_hparams=False``.

    TensorBoard's logger keeps them for itself unless it is given a value to log with them, which
    would be a point in a curve; here they go to its page of hyperparameters without one.

    Args:
        trainer: The Trainer.
        flat: Values by dotted name.
    """
    if not (trainer.is_global_zero and trainer.enable_autolog_hparams):
        return
    for logger in trainer.loggers:
        logger.log_hyperparams(dict(flat))
        if isinstance(logger, TensorBoardLogger):
            from torch.utils.tensorboard import summary

            as_page: Any = summary.hparams
            for part in as_page(dict(flat), dict.fromkeys(SHOWN, 0.0)):
                logger.experiment.file_writer.add_summary(part)


def of_module(module: Specified) -> Flat:
    """Return the arguments of a module and of its parts, defaults too, as they are in Python.

    A part is named by its class, its arguments below it: ``generator``, ``generator.latent_dim``.
    """
    return dict(_arguments("", module))


def is_plain(value: Any) -> bool:
    """Whether loggers show a value as it is."""
    return isinstance(value, (bool, int, float, str))


def listed(values: Iterable[Any]) -> str:
    """Return plain values as a list is typed."""
    return f"[{','.join(map(str, values))}]"


def _arguments(where: str, owner: Specified) -> Iterator[tuple[str, Any]]:
    kind: Any = type(owner)
    defaults = {a.name: a.default for a in arguments_of(kind).values() if not a.required}
    for name, value in {**defaults, **owner.arguments()}.items():
        yield from _flat(f"{where}.{name}" if where else name, value)


def _flat(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    if is_plain(value):
        yield where, getattr(value, "value", value)
    elif isinstance(value, Specified):
        yield where, type(value).__name__
        yield from _arguments(where, value)
    elif isinstance(value, functools.partial):
        yield where, _name(value.func)
        for name, item in value.keywords.items():
            yield from _flat(f"{where}.{name}", item)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(f"{where}.{name}", item)
    elif isinstance(value, (list, tuple)) and all(map(is_plain, value)):
        yield where, listed(value)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _flat(f"{where}.{index}", item)
    elif value is not None:
        yield where, _name(value)


def _name(value: Any) -> str:
    """Return a function's or class's name; of any other object that of its class."""
    return str(getattr(value, "__qualname__", type(value).__qualname__))
