"""The best checkpoint by a score, and the end of a training that gets no better."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from lightning_gan.callbacks.periodic import check_positive
from lightning_gan.callbacks.score_watch import STATE, Mode, ScoreWatch
from lightning_gan.callbacks.sink import leaves_files, run_folder, shown_path
from lightning_gan.errors import InputError, nearest
from lightning_gan.evaluation.scores import Direction
from lightning_gan.files.names import BEST, BEST_SCORE, CHECKPOINTS
from lightning_gan.files.whole import unfinished, write_whole
from lightning_gan.training.checkpoint import read_checkpoint

PREFIX = "val/"
MODES: dict[Direction, Mode] = {"lower": "min", "higher": "max", "near 1": "near 1"}


class BestCheckpoint(Checkpoint):
    """Keep the checkpoint with the best score, and end a training that gets no better.

    Scores are those of :class:`Evaluation`, of :class:`PairedMetrics`, and of any callback with a
    method ``logged_scores(module)``, which returns their names with the direction that is better:
    ``{"fid": "lower"}``, one of "lower", "higher", "near 1" and "neither". Each is logged as
    ``val/<name>``. Whenever there is a new score that is better than all before,
    ``checkpoints/best.ckpt`` is replaced, as a whole; the checkpoint holds the score and the step,
    under ``callbacks``, and training can go on from it as from any other. ``best.json`` in the
    run's folder says both, too, and why training ended.

    Training ends with its last checkpoint, as at ``max_steps``, when ``patience`` scores in a row
    bring no progress, or ``explosion_patience`` in a row are those of an explosion. A resumed
    training goes on with the best checkpoint, which is copied into the new run's folder, and with
    the counts; from a checkpoint at which training ended so, it goes on only if more patience is
    given. Add :class:`RunCheckpoint` for the last checkpoint.

    Args:
        monitor: Name of the score: ``fid``, or ``val/fid``.
        mode: Whether the smallest ("min") or the largest ("max") is the best; None where the score
            is known. A ``val/...`` that the module logs itself needs it.
        patience: Scores in a row without progress after which training ends; None: it does not.
        min_delta: By more than this a score has to be better for progress; the best checkpoint is
            that of the best score, by however little.
        explosion: How many times worse than the best a score of an explosion is; it has also lost
            more than half of what was won since the first score. A score that is NaN or infinite is
            one, too. None: explosions do not end training.
        explosion_patience: Scores of an explosion in a row after which training ends.

    Attributes:
        watch: The best score, its step, and the counts.
        best_model_path: The best checkpoint, or "".
        ended_by: "patience" or "explosion" where one of them ended training, or None.

    Raises:
        InputError: A setting is out of its range; before training, nothing logs such a score, or
            ``best.ckpt`` is there already and of another training.

    Example:
        >>> from lightning_gan.callbacks import BestCheckpoint, Evaluation, RunCheckpoint
        >>> callbacks = [Evaluation(1000), BestCheckpoint("fid", patience=10), RunCheckpoint()]
    """

    def __init__(
        self,
        monitor: str,
        mode: Literal["min", "max"] | None = None,
        patience: int | None = None,
        min_delta: float = 0.0,
        explosion: float | None = 5.0,
        explosion_patience: int = 3,
    ) -> None:
        check_positive("BestCheckpoint", patience=patience, explosion_patience=explosion_patience)
        if mode not in ("min", "max", None):
            raise InputError(f"mode must be min or max, got {mode!r}")
        if not (math.isfinite(min_delta) and min_delta >= 0):
            raise InputError(f"min_delta must be a finite number from 0, got {min_delta}")
        if explosion is not None and not (math.isfinite(explosion) and explosion > 1):
            raise InputError(
                f"explosion must be above 1, how many times worse than the best, got {explosion}"
            )
        self.name = monitor.removeprefix(PREFIX)
        self.given_mode = mode
        self.watch = ScoreWatch(mode or "min", patience, min_delta, explosion, explosion_patience)
        self.best_model_path = ""
        self.ended_by: str | None = None
        self._restored: dict[str, Any] | None = None
        self._folder = self._path = Path()
        self._root = ""
        self._last: Tensor | None = None  # that was looked at
        self._source: Literal["training", "validation"] | None = None  # of the scores
        self._missed = False

    @property
    def said(self) -> str:
        """The best score in words, ``fid 3.21 at step 1,200``; "" where there is none yet."""
        best, step = self.watch.best, self.watch.step
        return "" if best is None else f"{self.name} {best:.4g} at step {step:,}"

    # Before training ------------------------------------------------------------------------

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check the score's name; act before other checkpoints are written, which hold the best."""
        if stage != "fit":
            return
        self._restored = None
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        self.check(callbacks, pl_module)
        others = [each for each in callbacks if each is not self]
        savers = [n for n, each in enumerate(others) if isinstance(each, Checkpoint)]
        # A list of its own: Lightning is going through this one.
        others.insert(savers[0] if savers else len(others), self)
        trainer.callbacks = others  # type: ignore[attr-defined]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check the name again: an evaluation knows by now what it can measure."""
        self.check(trainer.callbacks, pl_module)  # type: ignore[attr-defined]

    def check(self, callbacks: Iterable[Any], module: Any) -> None:
        """Check the score's name against what is logged, before there is a Trainer as well.

        Raises:
            InputError: Nothing logs it, or says which direction is better, or says another than the
                user.
        """
        self.watch.mode = self._mode(logged_scores(callbacks, module))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on with the best one so far, or begin."""
        restored, self._restored = self._restored, None
        self._forget()
        self._folder = run_folder(trainer)  # asks all ranks
        self._path = _checkpoints(trainer, self._folder) / BEST
        self._root = trainer.default_root_dir
        self._last = trainer.callback_metrics.get(self._key)
        if not leaves_files(trainer):
            return
        problem = self._take_up(trainer, restored) if trainer.is_global_zero else None
        problem, state, taken = trainer.strategy.broadcast(
            (problem, self.watch.state_dict(), self.best_model_path)
        )
        if problem is not None:
            raise InputError(problem)
        self.watch.load_state_dict(state)
        self.best_model_path = taken
        again = "; it ended so before: change that, or go on from the best"
        self._end_where_it_is_enough(trainer, again)

    def _take_up(self, trainer: pl.Trainer, restored: dict[str, Any] | None) -> str | None:
        """Take over the state and the file of the best so far; return what is in the way."""
        source = self._path
        if restored is not None and not self._is_of_this_score(restored):
            by = restored["monitor"]
            rank_zero_warn(f"the best so far is by {by}: the best by {self.name} begins anew")
        elif restored is not None:
            places = [
                Path(trainer.ckpt_path or "").parent / BEST,
                Path(self._root, restored["path"] or BEST),
            ]
            at_hand = (self._state_at(place, restored, trainer.global_step) for place in places)
            found = next(((s, p) for s, p in zip(at_hand, places, strict=True) if s), None)
            if found is not None:
                state, source = found
                self.watch.load_state_dict(state)
                self.best_model_path = str(self._path)
            elif restored["best"] is None:
                self.watch.load_state_dict(restored)
            else:
                rank_zero_warn(
                    f"{places[0]} is not the best checkpoint of step {restored['step']:,}: the "
                    f"best by {self.name} begins anew"
                )
        is_ours = self.best_model_path and source.resolve() == self._path.resolve()
        if self._path.exists() and not is_ours:
            return (
                f"{self._path} is there already, the best of another training, which is not "
                "overwritten: move it, or choose another folder"
            )
        if self.best_model_path:
            if not is_ours:
                _copy(source, self._path)
            self._note()
        return None

    def _state_at(
        self, path: Path, restored: Mapping[str, Any], step: int
    ) -> Mapping[str, Any] | None:
        """Return the state to go on with where the best checkpoint so far is in a file, else None.

        Args:
            path: The file.
            restored: The state in the checkpoint that training goes on from.
            step: At which it goes on.
        """
        there = _state_of(path, self.state_key)
        if there is None or not self._is_of_this_score(there) or there["step"] > step:
            return None
        # A score of the same step, or of the end, came after the checkpoint was written.
        if restored["best"] is None or there["step"] > restored["step"]:
            return there
        return restored if there["step"] == restored["step"] else None

    def _is_of_this_score(self, state: Mapping[str, Any]) -> bool:
        return (state["monitor"], state["mode"]) == (self.name, self.watch.mode)

    def _mode(self, known: Mapping[str, Direction]) -> Mode:
        """Return which scores are better."""
        mode, said = MODES.get(known.get(self.name, "neither")), self.given_mode
        if self.name not in known and said is None:
            hint = nearest(self.name, known) or "."
            raise InputError(
                f"monitor must be a score that this run logs, got {self.name!r}{hint} "
                + (
                    f"It logs {', '.join(known)}; for another that your module logs as "
                    f"val/{self.name}, set mode to min or max"
                    if known
                    else "It logs none: add Evaluation, in the command "
                    "evaluation.every_n_steps=1000, or PairedMetrics"
                )
            )
        if mode is None and said is None:
            raise InputError(
                f"mode is missing: nothing says which {self.name} is better; set mode to min or max"
            )
        if said is not None and mode is not None and said != mode:
            better = known[self.name]
            raise InputError(
                f"mode: {self.name} is better when it is {better}, got {said}; leave mode out"
            )
        return mode or said or "min"

    # While training -------------------------------------------------------------------------

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        """Look for a new score; end training where it is enough."""
        if self._source != "validation":
            self._look(trainer, "training")
        self._end_where_it_is_enough(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look for a new score; training ends after the next batch, where checkpoints are whole."""
        if trainer.state.fn != "fit" or trainer.sanity_checking or not leaves_files(trainer):
            return
        if self._source != "training":
            self._look(trainer, "validation")
        if self._key not in trainer.callback_metrics and not self._missed and self.given_mode:
            self._missed = True
            logged = ", ".join(k for k in trainer.callback_metrics if k.startswith(PREFIX))
            rank_zero_warn(f"no {self._key} has been logged so far, but {logged or 'no score'}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look for a score of the end."""
        if self._source != "validation":
            self._look(trainer, "training")
        if self.watch.best is None and leaves_files(trainer):
            rank_zero_warn(f"there is no best checkpoint: no finite {self._key} was logged")

    def state_dict(self) -> dict[str, Any]:
        """Return the best score, its step and the counts."""
        # Of the folder of all runs: a checkpoint that is given away names nobody's home.
        path = os.path.relpath(self.best_model_path, self._root) if self.best_model_path else ""
        about = {"monitor": self.name, "mode": self.watch.mode, "path": path}
        return {**about, **self.watch.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what :meth:`state_dict` returned until training starts.

        Raises:
            InputError: Something of it is missing.
        """
        missing = sorted(self.state_dict().keys() - state_dict.keys())
        if missing:
            raise InputError(f"the checkpoint's best is damaged: it has no {', '.join(missing)}")
        self._restored = state_dict

    @property
    def _key(self) -> str:
        return f"{PREFIX}{self.name}"

    def _forget(self) -> None:
        self.watch.load_state_dict(ScoreWatch(self.watch.mode).state_dict())
        self.best_model_path, self.ended_by = "", None
        self._source, self._missed = None, False

    def _look(self, trainer: pl.Trainer, source: Literal["training", "validation"]) -> None:
        """Take a score that has not been looked at, the same on all ranks."""
        found = trainer.callback_metrics.get(self._key)
        if found is None or found is self._last or not leaves_files(trainer):
            return
        self._last, self._source = found, source
        score: float = trainer.strategy.broadcast(float(found))
        if self.watch.note(trainer.global_step, score):
            self.best_model_path = str(self._path)
            trainer.save_checkpoint(self._path, weights_only=False)
            if trainer.is_global_zero:
                print(f"best so far: {self.said}", flush=True)
                self._note()

    def _end_where_it_is_enough(self, trainer: pl.Trainer, more: str = "") -> None:
        reason = self.watch.ends
        early = trainer.global_step < (trainer.min_steps or 0) or trainer.current_epoch < (
            trainer.min_epochs or 0
        )
        if reason is None or self.ended_by is not None or early:
            return
        self.ended_by, trainer.should_stop = reason, True
        if trainer.is_global_zero:
            sentence = self._why(reason, trainer.global_step)
            where = f"the best, {self.said}, is {shown_path(self._path)}"
            print(f"{sentence}; {where}{more}", flush=True)
            self._note(sentence)

    def _why(self, reason: str, step: int) -> str:
        watch = self.watch
        if reason == "patience":
            many = f"{watch.waited} scores" if watch.waited > 1 else "1 score"
            least = f" by more than {watch.min_delta:g}" if watch.min_delta else ""
            return f"training ends at step {step:,}: {self.name} got no better{least} in {many}"
        many = f"{watch.exploded} times" if watch.exploded > 1 else "once"
        return (
            f"training ends at step {step:,}: {self.name} exploded, {many} in a row more than "
            f"{watch.explosion:g} times worse than the best, or not finite"
        )

    def _note(self, ended: str | None = None) -> None:
        """Write into the run's folder what is the best, for the page about it."""
        content = {
            "monitor": self.name,
            "score": self.watch.best,
            "step": self.watch.step,
            "checkpoint": str(self._path.name),
            "ended": ended,
        }
        write_whole(self._folder / BEST_SCORE, json.dumps(content, indent=2) + "\n")


def logged_scores(callbacks: Iterable[Any], module: Any) -> dict[str, Direction]:
    """Return the scores that callbacks say that they log, and which direction is better."""
    known: dict[str, Direction] = {}
    for callback in callbacks:
        if callable(getattr(callback, "logged_scores", None)):
            known.update(callback.logged_scores(module))
    return known


def best_of(trainer: pl.Trainer) -> BestCheckpoint | None:
    """Return the callback that keeps the best checkpoint of a run, where one has been kept."""
    kept = (c for c in trainer.checkpoint_callbacks if isinstance(c, BestCheckpoint))
    return next((each for each in kept if each.best_model_path), None)


def _checkpoints(trainer: pl.Trainer, folder: Path) -> Path:
    """Return where the other checkpoints of a run go."""
    others = [c.dirpath for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)]
    return Path(next((str(each) for each in others if each), folder / CHECKPOINTS))


def _state_of(path: Path, key: str) -> Mapping[str, Any] | None:
    """Return what this callback left in a checkpoint; None where there is none, or none of ours."""
    try:
        state = read_checkpoint(path, map_location="meta")["callbacks"][key]
        return {name: state[name] for name in ("monitor", "mode", *STATE)}
    except (InputError, LookupError, TypeError):
        return None


def _copy(source: Path, target: Path) -> None:
    """Copy a file as a whole, with its time: ckpt_path=last goes by the newest."""
    with unfinished(target, sync=True) as beside:
        shutil.copy2(source, beside)
