"""One run: settings to LightningCLI, which parses and builds them, and then to the Trainer."""

from __future__ import annotations

import copy
import functools
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from lightning_gan import __version__
from lightning_gan.callbacks.graceful_stop import GracefulStop
from lightning_gan.callbacks.health import HealthMonitor
from lightning_gan.callbacks.sink import leaves_files, run_folder
from lightning_gan.cli import checkpoint, compose, options, processes, shapes
from lightning_gan.cli.arguments import Request
from lightning_gan.cli.building import Building, short
from lightning_gan.cli.quiet import quiet, silent
from lightning_gan.cli.resolve import CALLBACKS, load_class, resolve
from lightning_gan.components import registry
from lightning_gan.errors import InputError, NotFiniteError, StateError
from lightning_gan.game import randomness
from lightning_gan.training.module import GANModule

CONFIG = "config.yaml"
# Where in the model components stand that are not called after their kind.
PLACES = {"regularizer": "regularizers", "average": "ema", "schedule": "schedules"}
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
        if request.options is None:
            settings = resolve(compose.settings(request.words))
        else:
            settings = resolve(options.settings(request.options))
        if request.action == "print_config":
            print(_printed(settings), end="")
            return 0
        root = settings["trainer"]["default_root_dir"]
        check_root(root)
        given = settings["trainer"].get("max_steps", -1)
        steps = given if type(given) is int else -1  # what else it may be is looked at later
        path = checkpoint.find(request.command, settings["ckpt_path"], root, steps)
        settings["ckpt_path"] = path
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
        processes.check_strategy(settings["trainer"].get("strategy"))
        processes.check_precision(settings["trainer"].get("precision"))
    cli = GANCLI(settings, command)
    trainer, root = cli.trainer, settings["trainer"]["default_root_dir"]
    monitors = [c for c in trainer.callbacks if isinstance(c, HealthMonitor)]  # type: ignore[attr-defined]
    restarts = max((m.max_restarts for m in monitors if m.on_finding == "restart"), default=0)
    if restarts and command == "fit":
        _check_repeatable(trainer)
    make_folder(root)
    stop = GracefulStop()
    # After the others have seen the batch, before it is saved.
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    savers = [index for index, each in enumerate(callbacks) if isinstance(each, Checkpoint)]
    callbacks.insert(savers[0] if savers else len(callbacks), stop)
    failed = False
    with explained(), checkpoint.disk_explained(root), processes.together(trainer):
        try:
            _start(command, cli, settings["ckpt_path"])
        except NotFiniteError as error:
            failed = True
            if trainer.is_global_zero:
                print(f"error: {error}", file=sys.stderr, flush=True)
    if stop.received is not None:
        return processes.leave(trainer, 128 + stop.received), restarts
    if not failed and all(monitor.ended_by is None for monitor in monitors):
        return 0, restarts
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):  # the next attempt would go on with the same run
            logger.experiment.finish()
    return processes.leave(trainer, UNHEALTHY), restarts


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


class GANCLI(LightningCLI):
    """LightningCLI for one dict of settings: it parses, validates and builds, and runs nothing.

    Args:
        settings: Resolved settings.
        command: What the Trainer is going to do.
        build: Whether to build the objects, or only to parse.
    """

    def __init__(self, settings: dict[str, Any], command: str, build: bool = True) -> None:
        settings = copy.deepcopy(settings)
        self._filled = [(path, arg.name) for path, _, arg in shapes.wanting(settings)]
        self._building = Building()
        self._data: LightningDataModule | None = None
        if build:
            self._data = shapes.fill(settings, self._building)
        else:
            shapes.pretend(settings)
        self._settings = settings
        self._command = command
        self._build = build
        super().__init__(
            GANModule,
            LightningDataModule,
            save_config_callback=None,
            subclass_mode_model=True,
            subclass_mode_data=True,
            parser_kwargs={"exit_on_error": False},
            args=settings,
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the checkpoint's path and the callbacks that every run has."""
        parser.add_argument("--threads", type=int | None, default=None)
        parser.add_argument("--ckpt_path", type=str | None, default=None)
        for key in CALLBACKS:
            parser.add_argument(f"--{key}", type=Callback | None, default=None)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the settings; the words of the command line have been read already."""
        try:
            self.config = parser.parse_object(args)
        except Exception as error:
            raise InputError(short(error)) from error

    def before_instantiate_classes(self) -> None:
        """Say how modules, components and data are built."""
        watch = functools.partial(self._building.watch, self.parser)
        watch("model", GANModule)
        for kind in registry.KINDS.values():
            if kind.home is None:  # torch's are made later, by the module
                watch(f"model.{PLACES.get(kind.name, kind.name)}", kind.load_base())
        for key in CALLBACKS:
            if self.config[key] is not None:
                watch(key, load_class(self.config[key].class_path), strict=True)
        watch("trainer.callbacks", Callback, strict=True)
        watch("trainer.logger", Logger, strict=True)
        data = self._data
        watch("data", LightningDataModule, None if data is None else lambda *a, **k: data)

    def instantiate_classes(self) -> None:
        """Build data, module and Trainer."""
        if self._build:
            with self._building.explained():
                super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the Trainer with the loggers and callbacks of the command."""
        trainer = self.config_init["trainer"]
        used = [key for key in CALLBACKS if self.config_init[key] is not None]
        if trainer.get("enable_checkpointing") is False:
            used = [key for key in used if key != "checkpoint"]
        self.parser.callback_keys = used
        given = trainer.get("callbacks") or []
        save = SaveSettings(self.text(), self._config_name())
        loggers = _loggers(trainer["logger"], trainer["default_root_dir"])
        callbacks = [*(given if isinstance(given, list) else [given]), save]
        try:
            return super().instantiate_trainer(
                logger=loggers, strategy=processes.strategy(trainer), callbacks=callbacks
            )
        except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
            raise InputError(f"trainer: {short(error)}") from error

    def text(self) -> str:
        """Return the parsed configuration as YAML that ``--config`` takes.

        What the data told the networks is left out, so that the file also fits other data.
        """
        try:
            content = yaml.safe_load(self.parser.dump(self.config, skip_none=False))
        except ValueError:  # a default that YAML cannot say: without the defaults, then
            content = copy.deepcopy(self._settings)
        for path, name in self._filled:
            content["model"]["init_args"][path.partition(".")[2]]["init_args"].pop(name, None)
        # Said also where it is null: without these keys, the file would mean the defaults.
        content.update({key: content.get(key) for key in CALLBACKS}, ckpt_path=None)
        header = f"# lightning-gan {__version__}: lightning-gan fit --config <this file>\n"
        return header + yaml.safe_dump(content, sort_keys=False)

    def _config_name(self) -> str:
        """Return the name of the file to save; without loggers a run has no folder of its own.

        Raises:
            InputError: A run without a logger would overwrite an earlier one.
        """
        trainer = self.config_init["trainer"]
        folder = Path(trainer["default_root_dir"])
        if trainer["logger"] is not False or not (folder / CONFIG).exists():
            return CONFIG
        if self._command == "fit":
            raise InputError(
                f"trainer.default_root_dir: {folder} holds a run already, and trainer.logger=false "
                f"leaves out its numbered folders; choose another trainer.default_root_dir"
            )
        names = (f"config-{self._command}-{number}.yaml" for number in range(10**6))
        return next(name for name in names if not (folder / name).exists())


class SaveSettings(Callback):
    """Write the configuration into the run's folder before anything happens.

    Args:
        text: The file's content.
        name: The file's name.
    """

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the file, once, on rank 0."""
        folder = run_folder(trainer)  # asks all ranks
        path = folder / self.name
        if trainer.is_global_zero and leaves_files(trainer) and not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text, encoding="utf-8")


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
    while not there.exists():
        there = there.parent
    if not there.is_dir():
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


def _printed(settings: dict[str, Any]) -> str:
    with silent("lightning_fabric"):  # which says that the seed was set
        return GANCLI(settings, "fit", build=False).text()


def _start(command: str, cli: GANCLI, path: str | None) -> None:
    keywords: dict[str, Any] = {"weights_only": True}  # Lightning's default runs what a URL holds
    if command == "predict":
        keywords["return_predictions"] = False
    action = getattr(cli.trainer, command)
    action(cli.model, datamodule=cli.datamodule, ckpt_path=path, **keywords)


def _loggers(given: Any, root: str) -> Any:
    """Return the loggers of a run, the first of which decides its folder ``root/version_N``."""
    if given is False:
        return False
    csv = CSVLogger(root, name="")
    if given is None or given is True:
        # The same number for both, read before either makes the folder.
        return [csv, TensorBoardLogger(root, name="", version=csv.version, default_hp_metric=False)]
    return [csv, *(given if isinstance(given, list) else [given])]


@contextmanager
def explained() -> Iterator[None]:
    """Turn what Lightning refuses into one message."""
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
