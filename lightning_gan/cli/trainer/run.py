"""One run: settings resolved, built, and given to the Trainer."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint, ProgressBar
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger, WandbLogger

from lightning_gan.callbacks.graceful_stop import GracefulStop
from lightning_gan.callbacks.health.monitor import HealthMonitor
from lightning_gan.callbacks.run_bar import RunBar
from lightning_gan.callbacks.saved_settings import SavedSettings
from lightning_gan.cli.arguments import Request
from lightning_gan.cli.quiet import quiet
from lightning_gan.cli.settings import compose, options
from lightning_gan.cli.settings.resolve import resolve
from lightning_gan.cli.settings.short_names import CALLBACKS
from lightning_gan.cli.settings.words import explained_by, short
from lightning_gan.cli.settings.written import configuration_text
from lightning_gan.cli.trainer import ckpt_path, few_shot, launching
from lightning_gan.cli.trainer.building import build_data, fitted, in_words, seed
from lightning_gan.cli.watching import shown
from lightning_gan.components.following import following
from lightning_gan.components.nodes import build_arguments, build_node
from lightning_gan.components.taking import arguments_of
from lightning_gan.errors import InputError, NotFiniteError, StateError
from lightning_gan.files.claims import NumberedFolders
from lightning_gan.files.names import CONFIG
from lightning_gan.game import randomness
from lightning_gan.training.module import GANModule

UNHEALTHY = 3  # exit code where HealthMonitor or updates that are not finite ended training


def run(request: Request) -> int:
    """Compose, check, build and run, again where health asks for it; or print the configuration.

    Returns:
        0; 128 + n after signal n; ``UNHEALTHY`` where a finding, or nothing but NaN, ended training
        for good.

    Raises:
        InputError: Anything that the user can put right.
    """
    with quiet():
        lines: Sequence[str] = ()
        if request.options is None:
            words, lines = few_shot.fill_in(request.words)
            settings = resolve(compose.settings(words))
        else:
            settings = resolve(options.settings_of_options(request.options))
        if request.action == "print_config":
            print("".join(f"# {line}\n" for line in lines), end="")
            print(configuration_text(settings), end="")
            return 0
        if launching.is_first_process():
            print("".join(f"{line}\n" for line in lines), end="", flush=True)
        root = settings["trainer"]["default_root_dir"]
        check_root(root)
        given = settings["trainer"].get("max_steps", -1)
        steps = given if type(given) is int else -1  # what else it may be is looked at later
        path = ckpt_path.find_checkpoint(request.command, settings["ckpt_path"], root, steps)
        settings["ckpt_path"] = path
        if path is not None and settings["init_from"] is not None and request.command == "fit":
            print(
                f"ckpt_path goes on from {path}, which holds all weights: init_from="
                f"{settings['init_from']['path']} is left aside"
            )
        if settings["threads"] is not None:
            torch.set_num_threads(settings["threads"])
        code, restarts = _attempt(settings, request.command)
        for number in range(1, restarts + 1):
            if code != UNHEALTHY:
                break
            settings = _from_scratch(settings, number, restarts)
            code, _ = _attempt(settings, request.command)
    return code


def _attempt(settings: dict[str, Any], command: str) -> tuple[int, int]:
    """Build and run once; return the exit code and how often a run that fails may be repeated."""
    if command == "fit":
        launching.check_strategy(settings["trainer"].get("strategy"))
        launching.check_precision(settings["trainer"].get("precision"))
        launching.check_machines(settings["trainer"])
    root = settings["trainer"]["default_root_dir"]
    with ckpt_path.disk_explained(root), NumberedFolders() as folders:
        return _attempt_in(folders, settings, command)


def _attempt_in(
    folders: NumberedFolders, settings: dict[str, Any], command: str
) -> tuple[int, int]:
    cli = Run(settings, command, folders)
    trainer, root = cli.trainer, settings["trainer"]["default_root_dir"]
    monitors = [c for c in trainer.callbacks if isinstance(c, HealthMonitor)]  # type: ignore[attr-defined]
    restarts = max((m.max_restarts for m in monitors if m.on_finding == "restart"), default=0)
    if restarts and command == "fit":
        _check_repeatable(trainer)
    make_folder(root)
    _open_loggers(trainer)
    stop = GracefulStop()
    # After the others have seen the batch, before it is saved.
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    savers = [index for index, each in enumerate(callbacks) if isinstance(each, Checkpoint)]
    callbacks.insert(savers[0] if savers else len(callbacks), stop)
    failed = False
    with (
        explained(cli.owners),
        launching.ended_together(trainer),
    ):
        try:
            with shown():
                _start(command, cli, settings["ckpt_path"])
        except NotFiniteError as error:
            failed = True
            if trainer.is_global_zero:
                print(f"error: {error}", file=sys.stderr, flush=True)
    if stop.received is not None:
        return launching.leave(trainer, 128 + stop.received), restarts
    if not failed and all(monitor.ended_by is None for monitor in monitors):
        return 0, restarts
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):  # the next attempt would go on with the same run
            logger.experiment.finish()
    return launching.leave(trainer, UNHEALTHY), restarts


def _open_loggers(trainer: Trainer) -> None:
    """Let the user's loggers begin, which may ask for a key, before anything is trained.

    Raises:
        InputError: One cannot.
    """
    for logger in trainer.loggers:
        if isinstance(logger, (CSVLogger, TensorBoardLogger)) or not launching.is_first_process():
            continue
        try:
            _ = logger.experiment  # type: ignore[attr-defined]
        except Exception as error:
            raise InputError(
                f"trainer.logger: {type(logger).__name__} does not start: {short(error)}"
            ) from error


def _check_repeatable(trainer: Trainer) -> None:
    """Refuse to begin again where that cannot work, before anything has been trained.

    Raises:
        InputError: There are several processes, or no numbered folders.
    """
    if trainer.world_size > 1:
        raise InputError(
            "health.on_finding: 'restart' works in one process, and this run has "
            f"{trainer.world_size}; set health.on_finding=stop"
        )
    if not trainer.loggers:
        raise InputError(
            "health.on_finding: 'restart' needs numbered run folders, which trainer.logger=false "
            "leaves out; remove it, or set health.on_finding=stop"
        )


def _from_scratch(settings: dict[str, Any], number: int, restarts: int) -> dict[str, Any]:
    """Return the settings of the next attempt: from no checkpoint, with the next seed."""
    seed = settings["seed_everything"]
    if seed is not False:  # without a seed, no two attempts are alike
        seed = randomness.base_seed() + 1
    print(f"health: restart {number} of {restarts}, with seed_everything={seed}", flush=True)
    return {**settings, "seed_everything": seed, "ckpt_path": None}


class Run:
    """The objects of one run.

    Args:
        settings: Resolved settings.
        command: What the Trainer is going to do.
        folders: Takes the folder of the run, below ``trainer.default_root_dir``.

    Attributes:
        datamodule: The data.
        model: The module.
        trainer: The Trainer, with the loggers and callbacks of the command.
        owners: Those that act in a run, by their keys.

    Raises:
        InputError: A constructor refuses its arguments.
    """

    def __init__(self, settings: dict[str, Any], command: str, folders: NumberedFolders) -> None:
        self.datamodule = build_data(settings)
        model = fitted(settings["model"], self.datamodule)
        settings = {**settings, "seed_everything": seed(settings["seed_everything"])}
        goes_on = settings["ckpt_path"] is not None
        with following(goes_on):
            self.model: GANModule = build_node("model", model, in_words)
        if command == "fit" and settings["init_from"] is not None and not goes_on:
            with shown():
                table = self.model.init_from(**settings["init_from"])
            if launching.is_first_process():
                print(table, flush=True)
        defaults = {a.name: a.default for a in arguments_of(Trainer).values()}
        trainer = {
            **defaults,
            **build_arguments("trainer", Trainer, settings["trainer"], in_words),
        }
        used = [key for key in CALLBACKS if settings[key] is not None]
        if trainer["enable_checkpointing"] is False:
            if "best" in used:
                raise InputError(
                    "best: trainer.enable_checkpointing=false leaves all checkpoints out; remove "
                    "it, or set best=null"
                )
            used = [key for key in used if key != "checkpoint"]
        others = trainer["callbacks"] or []
        save = SavedSettings(configuration_text(settings), _config_names(trainer, command))
        shows = trainer["enable_progress_bar"] is not False
        if shows and not any(isinstance(each, ProgressBar) for each in _as_list(others)):
            others = [*_as_list(others), RunBar()]
        own = {key: build_node(key, settings[key], in_words) for key in used}
        trainer["callbacks"] = [*_as_list(others), save, *own.values()]
        for each in trainer["callbacks"]:
            for of, key in (("module_key", "model."), ("data_key", "data.")):
                if hasattr(each, of):
                    setattr(each, of, key)
        if command == "fit" and "best" in own:
            with explained(own):
                own["best"].check(trainer["callbacks"], self.model)
        trainer["logger"] = _loggers(trainer, folders)
        try:
            self.trainer = Trainer(**{**trainer, "strategy": launching.strategy(trainer)})
        except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
            raise InputError(f"trainer: {short(error)}") from error
        self.owners = {
            "trainer": self.trainer,
            "model": self.model,
            **own,
            "data": self.datamodule,
        }


def _as_list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _config_names(trainer: Mapping[str, Any], command: str) -> Iterable[str]:
    """Return names for the file to save; without loggers a run has no folder of its own.

    Raises:
        InputError: A run without a logger would overwrite an earlier one.
    """
    folder = Path(trainer["default_root_dir"])
    if trainer["logger"] is not False or not (folder / CONFIG).exists():
        return [CONFIG]
    if command == "fit":
        raise InputError(
            f"trainer.default_root_dir: {folder} holds a run already, and trainer.logger=false "
            f"leaves out its numbered folders; choose another trainer.default_root_dir"
        )
    return (f"config-{command}-{number}.yaml" for number in range(10**6))


def check_root(root: Any) -> None:
    """Refuse a folder for runs that cannot be made or written to, before anything is built.

    Raises:
        InputError: It is no path, or it is or lies in a file.
    """
    if not isinstance(root, str):
        raise InputError(f"trainer.default_root_dir: got {root!r}; expected the path of a folder")
    if "://" in root:
        return
    there = Path(root).absolute()
    try:
        while not there.exists():
            there = there.parent
        is_folder = there.is_dir()
    except OSError as error:  # names that are too long, folders that may not be entered
        raise InputError(f"trainer.default_root_dir: {short(error)}") from error
    if not is_folder:
        raise InputError(f"trainer.default_root_dir: got {root}; {there} is a file, not a folder")


def make_folder(root: Any) -> None:
    """Make the folder of runs, if it is one of this machine.

    Raises:
        InputError: It cannot be made.
    """
    if "://" in str(root):
        return
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"trainer.default_root_dir: got {root}; {reason}") from error


def _start(command: str, cli: Run, path: str | None) -> None:
    keywords: dict[str, Any] = {"weights_only": True}  # Lightning's default runs what a URL holds
    if command == "predict":
        keywords["return_predictions"] = False
    action = getattr(cli.trainer, command)
    action(cli.model, datamodule=cli.datamodule, ckpt_path=path, **keywords)


def _loggers(trainer: Mapping[str, Any], folders: NumberedFolders) -> Any:
    """Return the loggers of a run, the first of which decides its folder ``root/version_N``."""
    given, root = trainer["logger"], trainer["default_root_dir"]
    if given is False:
        return False
    number = None
    if launching.is_first_process() and not trainer["fast_dev_run"] and "://" not in root:
        try:
            number = folders.take(Path(root))
        except OSError as error:
            if error.errno in ckpt_path.DISK:  # said with the way on
                raise
            reason = error.strerror or error
            raise InputError(f"trainer.default_root_dir: got {root}; {reason}") from error
    csv = CSVLogger(root, name="", version=number)
    if given is None or given is True:
        return [csv, TensorBoardLogger(root, name="", version=csv.version, default_hp_metric=False)]
    return [csv, *_as_list(given)]


@contextmanager
def explained(owners: Mapping[str, object]) -> Iterator[None]:
    """Turn what Lightning or an object refuse into one message in the words of the settings.

    Args:
        owners: The objects, by their keys.
    """
    try:
        yield
    except MisconfigurationException as error:
        raise InputError(short(error)) from error
    except pickle.UnpicklingError as error:
        raise InputError(
            "ckpt_path: the file holds Python objects besides tensors and plain values, or is "
            "damaged, and is refused: loading it could run code"
        ) from error
    except StateError as error:
        raise InputError(
            f"ckpt_path: the checkpoint does not fit the configured networks; give the {CONFIG} of "
            f"its run with --config: {error}"
        ) from error
    except InputError as error:
        raise explained_by(error, owners) from error
