"""What lives only while Lightning trains a GAN: the game in play, its log, what a resume waits for.

It is a callback that GANModule brings along, so that a subclass may override any hook of the
module's: nothing of ours lives in those.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_warn

from lightning_gan.errors import InputError, NotFiniteError
from lightning_gan.files.claims import numbered_names, write_first_free
from lightning_gan.files.names import INIT_FROM
from lightning_gan.game import randomness
from lightning_gan.game.compilation import compile_networks
from lightning_gan.game.ending import check_endings
from lightning_gan.game.game import LOST_EVERY, Game
from lightning_gan.game.gan import GAN
from lightning_gan.game.graphs.capturable import check_graph
from lightning_gan.game.labels import check_classes_of
from lightning_gan.game.optimization import spare_gpu_queries
from lightning_gan.game.ranks import gather_objects
from lightning_gan.game.side import Side
from lightning_gan.training import log, rank_states, resuming
from lightning_gan.training.folders import leaves_files, run_folder
from lightning_gan.training.holding import hold_out
from lightning_gan.training.hyperparameters import log_hyperparameters, of_module
from lightning_gan.training.lengths import batches_ahead, last_batch
from lightning_gan.training.lightning_engine import LightningEngine
from lightning_gan.training.meter import Meter
from lightning_gan.training.refused import check_synchronised
from lightning_gan.training.seams import hooks, saving
from lightning_gan.training.seams.clock import one_count
from lightning_gan.training.seams.rates import name_rates
from lightning_gan.training.seams.strategy import check_trainer, spare_buffers
from lightning_gan.training.seams.transfer import moves_nothing_else
from lightning_gan.training.seams.unsaid import Unsaid

STEP_HOOKS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")


class Session(Callback):
    """One training of a GAN by a Trainer.

    Args:
        gan: The GANModule.
        latest: Where the latest logged values are kept.

    Attributes:
        acts_for: The GANModule: its settings are meant where the session refuses something.
        game: The game in play; it is there from the start of the fit.
        device: Where the module is trained.
        hands_over: Whether batches that are on the device need nothing done.
    """

    def __init__(self, gan: GAN, latest: log.Latest) -> None:
        self._gan = self.acts_for = gan
        self._latest = latest
        self._trainer: Trainer | None = None
        self.game: Game | None = None
        self.device = torch.device("cpu")
        self.hands_over = False
        self._meter = Meter()
        self._saved: dict[str, Any] = {}  # of the checkpoint from which training goes on
        self._configured: list[dict[str, Any]] = []
        self._lost: str | None = None  # which player was left out too often
        self._global_random: dict[str, torch.Tensor] | None = None
        self._validates = False
        # Lightning advises to save weights from before the step, which a finished batch must not.
        self._unsaid = Unsaid("Using ModelCheckpoint with manual optimization")

    def __reduce__(self) -> Any:
        return (type(None), ())  # a copy of the module is at rest

    @property
    def trainer(self) -> Trainer:
        """The Trainer."""
        assert self._trainer is not None
        return self._trainer

    def _trains(self, module: Any) -> bool:
        """Whether a module is the one of this session; a Trainer may go on to another."""
        return module is self._gan

    # One batch ------------------------------------------------------------------------------

    def train_batch(self, batch: Any) -> None:
        """Play one batch, count it as one step, and log what is due."""
        trainer, game = self.trainer, self.game
        assert game is not None
        with one_count(trainer) as step:
            every = self._log_period()
            game.notes_norms = logs = every > 0 and step % every == 0
            readings = game.play(*self._gan.read(batch))
            self._meter.add(log.named(readings))
            if logs:
                self._log(step)
            if step % (every or LOST_EVERY) == 0:
                self._stop_if_lost(game)
            if game.generator.ended or game.discriminator.ended:
                trainer.should_stop = True  # why is said in on_fit_end
        if self._validates:  # with a loader that may draw from torch's global state
            self._global_random = randomness.get_states(self.device)

    def _stop_if_lost(self, game: Game) -> None:
        lost = game.lost()
        if lost is not None:
            self._lost, self.trainer.should_stop = lost, True

    # The course of a fit ------------------------------------------------------------------------

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin, where the module is going to be trained."""
        if stage == "fit" and self._trains(pl_module):
            self._trainer = trainer
            cast(Any, pl_module).session = self

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse trainers that cannot train two players; put the game together."""
        gan, self.device = self._gan, pl_module.device
        if not self._trains(pl_module):
            return
        check_trainer(trainer)
        check_synchronised(pl_module, trainer.world_size)
        spare_buffers(trainer)
        if gan.graph:
            self._check_graph(trainer, pl_module)
        saving.install(trainer)
        spare_gpu_queries()
        compile_networks(gan, self.device)
        self._unsaid.begin()
        strategy = trainer.strategy
        self.game = game = Game(
            gan, sides=adopted(gan, strategy.optimizers, strategy.lr_scheduler_configs)
        )
        game.gives_up = False  # at a log
        name_rates(trainer, game.sides)
        if not any(getattr(each, "logs_hyperparameters", False) for each in trainer.callbacks):  # type: ignore[attr-defined]
            log_hyperparameters(trainer, of_module(gan))
        self._configured = resuming.configured(game.sides)
        if self._saved.get("configured"):
            resuming.check_same_kinds(game.sides, self._saved["configured"], self._configured)
        begun = [each["batches"] for each in gather_objects(gan.progress.state_dict())]
        if len(set(begun)) > 1:
            raise InputError(
                f"the processes begin at different steps, {begun}: give ckpt_path one file that "
                "all of them can read"
            )
        declared = getattr(trainer.datamodule, "sample_range", None)  # type: ignore[attr-defined]
        gan.declare_range(declared)
        if gan.prepare_batch is None:
            check_classes_of(gan.class_network(), trainer.datamodule)  # type: ignore[attr-defined]
        self._keep_inheritance(trainer)
        gan.begin_average()  # here already, for validation before the first batch
        if gan.generator_ema is not None:
            gan.generator_ema.train()  # Lightning warns of modules in eval mode at this point
        hold_out(trainer, gan)  # before other callbacks' on_train_start, which comes before ours

    def _keep_inheritance(self, trainer: Trainer) -> None:
        """Write into the run's folder what the networks took over from somebody's weights."""
        folder, table = run_folder(trainer), self._gan.inheritance  # asks all ranks
        fresh = table is not None and self._gan.progress.batches == 0
        if table is not None and fresh and trainer.is_global_zero and leaves_files(trainer):
            text = json.dumps(table.as_dict(), indent=2) + "\n"
            write_first_free(folder, numbered_names(INIT_FROM), text)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed this rank's random states, or take up those of the checkpoint."""
        gan, game = self._gan, self.game
        if not self._trains(pl_module):
            return
        assert game is not None
        check_loaders(gan, trainer)
        if gan.generator_ema is not None:
            gan.generator_ema.eval()
        then = self._saved.get("configured")
        changed = resuming.take_effect(game.sides, then, self._configured) if then else []
        if changed:
            rank_zero_warn(f"changed from here on: {'; '.join(changed)}")
        # Another fit of the same module goes on with other noise.
        game.seed = randomness.base_seed()
        torch.manual_seed(
            randomness.derive(game.seed, trainer.global_rank, 1, gan.progress.batches)
        )
        game.engine = LightningEngine(trainer, pl_module)
        game.begin(self.device)
        self._take_up(trainer, game)
        game.last_batch = last_batch(trainer)
        ahead = batches_ahead(trainer)
        if ahead is not None:
            check_endings(gan, game.sides, ahead)
        self._validates = trainer.enable_validation
        self.hands_over, self.device = moves_nothing_else(trainer), pl_module.device
        hooks.pass_over_empty(trainer)

    def _take_up(self, trainer: Trainer, game: Game) -> None:
        """Go on with the states of this rank, where the checkpoint has them."""
        saved, self._saved = self._saved, {}
        for side, counts in zip(game.sides, saved.get("skipped", ()), strict=False):
            side.skipped.load_state_dict(counts)
        of_ranks = saved.get("ranks")
        if not of_ranks:
            return
        then = {"processes": len(of_ranks), "seed_everything": saved.get("seed")}
        now = {"processes": trainer.world_size, "seed_everything": randomness.chosen_seed()}
        if None in (then["seed_everything"], now["seed_everything"]):
            now["seed_everything"] = then["seed_everything"]  # nobody chose another
        changed = [f"{key} {then[key]} -> {now[key]}" for key in now if then[key] != now[key]]
        if changed:
            rank_zero_warn(
                f"training goes on with {', '.join(changed)}: noise is drawn anew from here on"
            )
            return
        own = of_ranks[trainer.global_rank]
        randomness.set_states(own["random"], self.device, game.noise)
        self._meter.load_state_dict(own["meter"], self.device)
        if own["parts"] is not None:
            rank_states.load_states_of_parts(self._gan, own["parts"])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let training go on with the random state that it had before validation."""
        saved, self._global_random = self._global_random, None
        if saved is not None and not trainer.sanity_checking:
            randomness.set_states(saved, self.device)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Send the last, unfinished means to the loggers."""
        if self._trains(pl_module):
            hooks.restore(trainer)
            if self._meter:
                self._log(trainer.global_step)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say why training ended, if it was lost; the last checkpoint is there by now.

        Raises:
            NotFiniteError: ``max_skipped`` updates in a row were left out.
            InputError: A scheduler came to its end.
        """
        game = self.game
        if game is None or not self._trains(pl_module):
            return
        lost = game.lost() or self._lost
        if lost is not None:
            raise NotFiniteError(
                f"NaN or infinite losses or gradients: {lost} were left out, and the weights are "
                f"as before them; {self._where()}; {_rates_to_lower(game)}"
            )
        for side in game.sides:
            if side.ended is not None:
                raise InputError(f"{side.ended}; {self._where()}")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let go of what only batches need; the states stay, for a checkpoint after the fit."""
        self.hands_over = False
        if stage == "fit" and self.game is not None:
            self.game.graphs = None
        self._leave(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave the Trainer as it was found."""
        hooks.restore(trainer)
        self._leave(trainer)

    def _leave(self, trainer: Trainer) -> None:
        """Make room for the session of the next run, which the module brings along."""
        self._unsaid.end()
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        # A list of its own: Lightning is going through this one.
        trainer.callbacks = [each for each in callbacks if each is not self]  # type: ignore[attr-defined]

    # The log ------------------------------------------------------------------------------------

    def _log_period(self) -> int:
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every

    def _log(self, step: int) -> None:
        """Log the means since the last time, averaged over ranks, and the counts.

        Args:
            step: Batches of this fit, up to and with the last one that the means are about.
        """
        assert self.game is not None
        means = log.averaged(self._meter.flush(), self.device)
        counts = {**log.skipped(*self.game.sides), **log.counts(self._gan.progress)}
        self._latest.metrics = {**means, **counts}
        self._latest.step = step
        log.send(self.trainer, self._latest.metrics, step)

    def _where(self) -> str:
        """Return where training ends, and the checkpoints: to go on from, and the best."""
        savers = self.trainer.checkpoint_callbacks
        # A callback that keeps the best one alone says by which score.
        by_score = next((each for each in savers if getattr(each, "said", "")), None)
        names = ("last_model_path", "best_model_path")
        paths = [getattr(each, n, "") for n in names for each in savers if each is not by_score]
        kept = next((path for path in paths if path), None)
        at = f"training ends at step {self.trainer.global_step:,}"
        where = f"{at} and the last checkpoint is {kept}" if kept else at
        if by_score is not None:
            where += f"; the best, {by_score.said}, is {by_score.best_model_path}"  # type: ignore[attr-defined]
        return where

    # Checkpoints --------------------------------------------------------------------------------

    def states(self) -> dict[str, Any]:
        """Return what a checkpoint needs besides the module: the states of all ranks."""
        game = self.game
        if game is None or game.noise is None:
            return {"ranks": None, "configured": self._configured, "skipped": []}
        own = {
            "random": randomness.get_states(self.device, game.noise),
            "meter": self._meter.state_dict(),
            "parts": rank_states.states_of_parts(self._gan),
        }
        return {
            "ranks": gather_objects(own),
            "configured": self._configured,
            "skipped": [side.skipped.state_dict() for side in game.sides],
        }

    def go_on_from(self, saved: dict[str, Any]) -> None:
        """Keep what a checkpoint holds besides the module until training starts."""
        self._saved = saved

    def _check_graph(self, trainer: Trainer, module: LightningModule) -> None:
        """Refuse, before the first step, what cannot be captured.

        Raises:
            InputError: Something acts in Python at every step, or as check_graph says.
        """
        check_graph(self._gan, self.device)
        if trainer.model is not module:
            raise InputError(
                "graph captures steps of one process, and trainer.strategy wraps the module for "
                "several: leave it out, or set graph to false"
            )
        callbacks = [(callback, Callback) for callback in trainer.callbacks]  # type: ignore[attr-defined]
        for listener, plain in [*callbacks, (module, LightningModule)]:
            acting = [name for name in STEP_HOOKS if hooks.overrides(listener, name, plain)]
            if acting:
                raise InputError(
                    f"graph passes over the hooks of a step, and {type(listener).__name__} has "
                    f"{acting[0]}: leave it out, or set graph to false"
                )


def check_loaders(gan: GAN, trainer: Trainer) -> None:
    """Refuse several training loaders, of which nobody has said what their batches are.

    Raises:
        InputError: There are several, and no ``prepare_batch``.
    """
    loaders = trainer.train_dataloader
    if isinstance(loaders, (list, tuple)) and len(loaders) > 1 and gan.prepare_batch is None:
        raise InputError(
            f"there are {len(loaders)} training loaders, whose batches come together as a list of "
            f"{len(loaders)}, and a pair is taken for samples and their condition: say what each "
            "is, prepare_batch=BatchKeys(real=0, y=1), or pass one loader"
        )


def _rates_to_lower(game: Game) -> str:
    """Return what to change where updates are not finite."""
    rates = " and ".join(
        f"the {side.player.value}'s, {side.optimizer.param_groups[0]['lr']:.2g}"
        for side in game.sides
        if side.optimizer is not None
    )
    return (
        f"lower a learning rate ({rates}), or set generator_clip_norm=1 and "
        "discriminator_clip_norm=1"
    )


def adopted(gan: GAN, optimizers: Sequence[Any], schedulers: Sequence[Any]) -> tuple[Side, Side]:
    """Return the two sides with optimizers and schedulers that ``configure_optimizers`` made.

    Args:
        gan: The GAN.
        optimizers: One for each player that is trained, in any order.
        schedulers: Lightning's configurations of schedulers, one for each optimizer at most.

    Raises:
        InputError: An optimizer trains parameters of both players, or of none, a player has two,
            something trainable is in none, or a scheduler is not to step with its optimizer.
    """
    sides = gan.sides()
    for optimizer in optimizers:
        owner = next((side for side in sides if side.owns(optimizer)), None)
        if owner is None or owner.optimizer is not None:
            raise InputError(
                "configure_optimizers must return one optimizer for each player, of that player's "
                f"parameters alone; got {len(optimizers)}: "
                f"{', '.join(type(each).__name__ for each in optimizers)}"
            )
        own = [each for each in schedulers if each.scheduler.optimizer is optimizer]
        for each in own:
            if each.interval != "step" or each.frequency != 1:
                raise InputError(
                    "a scheduler of configure_optimizers steps after every step of its optimizer, "
                    f"and this {type(each.scheduler).__name__} has interval {each.interval!r} and "
                    f"frequency {each.frequency}: count its steps in those of the optimizer, and "
                    'return {"scheduler": ..., "interval": "step"}'
                )
        owner.adopt(optimizer, own[0].scheduler if own else None)
    for side in sides:
        left_out = side.left_out()
        if left_out:
            raise InputError(
                f"configure_optimizers leaves out what the {side.player.value} trains, "
                f"{len(left_out)} parameters such as {left_out[0]}: give them to its optimizer, or "
                "freeze them"
            )
    return sides
