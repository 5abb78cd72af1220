"""The configuration in the folder of its run, and in its loggers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import yaml
from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_gan.callbacks.sink import leaves_files, run_folder
from lightning_gan.components import registry
from lightning_gan.errors import InputError
from lightning_gan.files.claims import write_first_free
from lightning_gan.training.hyperparameters import Flat, is_plain, listed, log_hyperparameters


class SavedSettings(Callback):
    """Write the configuration into the run's folder, and to its loggers, before anything happens.

    Loggers get it flat, by the names that are typed: ``model.generator.latent_dim``.

    Args:
        text: The file's content, YAML.
        names: Names for the file; the first that is free is taken.
    """

    logs_hyperparameters = True

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self.text = text
        self.is_written = False
        self.names = names

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the file on rank 0.

        Raises:
            InputError: Another run has written it.
        """
        folder = run_folder(trainer)  # asks all ranks
        if self.is_written or not (trainer.is_global_zero and leaves_files(trainer)):
            return
        try:
            write_first_free(folder, self.names, self.text)
        except FileExistsError as error:
            raise InputError(
                f"{folder} holds another run already; choose another folder"
            ) from error
        self.is_written = True
        log_hyperparameters(trainer, as_typed(yaml.safe_load(self.text)))


def as_typed(settings: Any) -> Flat:
    """Return nested settings flat, by the names that are typed; what is null is left out.

    Example:
        >>> path = "lightning_gan.priors.uniform.UniformPrior"
        >>> as_typed({"model": {"prior": {"class_path": path, "init_args": {"low": -1.0}}}})
        {'model.prior': 'uniform', 'model.prior.low': -1.0}
    """
    return dict(_typed("", settings))


def _typed(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    if is_plain(value):
        yield where, value
    elif isinstance(value, list) and all(map(is_plain, value)):
        yield where, listed(value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _typed(f"{where}.{index}", item)
    elif isinstance(value, dict):
        if "class_path" in value:
            yield where, _registered(str(value["class_path"]))
            value = {**value, **(value.get("init_args") or {})}
        for key, item in value.items():
            if key not in ("class_path", "init_args"):
                yield from _typed(f"{where}.{key}" if where else str(key), item)


def _registered(class_path: str) -> str:
    """Return the name under which a class is registered, that of another's with its package."""
    for entry in registry.find_classes(class_path)[:1]:
        return entry.name if entry.ours else f"{entry.distribution}:{entry.name}"
    return class_path
