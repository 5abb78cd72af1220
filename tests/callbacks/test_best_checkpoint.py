"""The best checkpoint of a training by given scores, and how the training ends."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import forked
import pytest
import pytorch_lightning as pl
import torch
import toys
from pytorch_lightning.callbacks import ModelCheckpoint
from scored import NAN, Scored, every

from lightning_gan import InputError
from lightning_gan.callbacks import BestCheckpoint, PairedMetrics, RunBar, RunCheckpoint, RunSummary
from lightning_gan.data import RandomImages
from lightning_gan.errors import NotFiniteError

pytestmark = [
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed"),
]


def data():
    return RandomImages(shape=(1, 4, 4), n=40, batch_size=8)  # five batches an epoch


def gan(**parts):
    torch.manual_seed(3)
    return toys.gan(
        generator=toys.generator(), discriminator=toys.discriminator(dropout=0.2), **parts
    )


def fit(folder, best, *callbacks, steps=12, path=None, module=None, every_n=100, **options):
    savers = [best, RunCheckpoint(every_n_train_steps=every_n)]
    module = gan() if module is None else module
    run = toys.trainer(
        folder,
        max_steps=steps,
        callbacks=[*savers, *callbacks],
        enable_checkpointing=True,
        **options,
    )
    run.fit(module, data(), ckpt_path=path, weights_only=True)
    return run


def saved(folder, name="best.ckpt"):
    return torch.load(folder / "checkpoints" / name, weights_only=True)


def noted(folder):
    return json.loads((folder / "best.json").read_text())


def weights(checkpoint):
    return {k: v for k, v in checkpoint["state_dict"].items() if isinstance(v, torch.Tensor)}


class Weights(pl.Callback):
    """Keeps the weights after each batch."""

    def __init__(self):
        self.at = {}

    def on_train_batch_end(self, trainer, module, *rest):
        self.at[trainer.global_step] = copy.deepcopy(weights({"state_dict": module.state_dict()}))


def test_the_best_is_kept_with_its_score_step_and_weights(tmp_path, capsys):
    seen, best = Weights(), BestCheckpoint("fid")
    run = fit(tmp_path, best, seen, Scored(every(2, 5.0, 3.0, 4.0, 3.0, 3.5, 6.0)))
    assert run.global_step == 12
    kept = saved(tmp_path)
    assert kept["global_step"] == 4
    state = kept["callbacks"]["BestCheckpoint"]
    assert {k: state[k] for k in ("monitor", "mode", "best", "step", "waited")} == {
        "monitor": "fid", "mode": "min", "best": 3.0, "step": 4, "waited": 0,
    }  # fmt: skip
    assert toys.same(seen.at[4], kept["state_dict"])  # of step 4 itself, not of the next batch
    assert not toys.same(seen.at[4], saved(tmp_path, "last.ckpt")["state_dict"])
    assert noted(tmp_path) == {
        "monitor": "fid", "score": 3.0, "step": 4, "checkpoint": "best.ckpt", "ended": None,
    }  # fmt: skip
    lines = [line for line in capsys.readouterr().out.splitlines() if "best" in line]
    assert lines == ["best so far: fid 5 at step 2", "best so far: fid 3 at step 4"]
    assert best.best_model_path == str(tmp_path / "checkpoints" / "best.ckpt")
    assert best.said == "fid 3 at step 4"
    assert best.ended_by is None


@pytest.mark.parametrize(("better", "step"), [("lower", 6), ("higher", 2), ("near 1", 4)])
def test_the_direction_is_known(better, step, tmp_path):
    fit(tmp_path, BestCheckpoint("val/fid"), Scored(every(2, 9.0, 1.2, -3.0), better=better))
    assert saved(tmp_path)["global_step"] == step


def test_patience_ends_the_run_in_good_order(tmp_path, capsys):
    best = BestCheckpoint("fid", patience=2)
    run = fit(tmp_path, best, Scored(every(2, 5.0, 3.0, 4.0, 3.0, 1.0)))
    assert (run.global_step, best.ended_by) == (8, "patience")
    assert saved(tmp_path, "last.ckpt")["global_step"] == 8
    assert saved(tmp_path)["global_step"] == 4
    sentence = "training ends at step 8: fid got no better in 2 scores"
    assert noted(tmp_path)["ended"] == sentence
    path = tmp_path / "checkpoints" / "best.ckpt"
    assert f"{sentence}; the best, fid 3 at step 4, is {path}" in capsys.readouterr().out


def test_an_explosion_ends_the_run_and_the_best_is_kept(tmp_path):
    best = BestCheckpoint("fid", explosion_patience=2)
    run = fit(tmp_path, best, Scored(every(2, 9.0, 3.0, 50.0, 4.0, 50.0, NAN)), steps=20)
    assert (run.global_step, best.ended_by) == (12, "explosion")
    assert saved(tmp_path)["global_step"] == 4
    assert noted(tmp_path)["ended"] == (
        "training ends at step 12: fid exploded, 2 times in a row more than 5 times worse than "
        "the best, or not finite"
    )


def test_training_itself_is_not_touched(tmp_path):
    fit(tmp_path / "with", BestCheckpoint("fid"), Scored(every(2, 5.0, 3.0, 4.0)))
    fit(tmp_path / "without", ModelCheckpoint(dirpath=tmp_path / "other"))
    ours, theirs = (weights(saved(tmp_path / n, "last.ckpt")) for n in ("with", "without"))
    assert set(ours) == set(theirs)
    assert toys.same(ours, theirs)


def test_a_minimum_of_steps_comes_first(tmp_path):
    best = BestCheckpoint("fid", patience=1)
    run = fit(tmp_path, best, Scored(every(2, 3.0, 4.0, 5.0, 6.0)), min_steps=7)
    assert run.global_step == 7


def test_a_score_of_the_end_counts(tmp_path):
    fit(tmp_path, BestCheckpoint("fid"), Scored(every(2, 5.0), end=1.0), steps=7)
    assert saved(tmp_path)["global_step"] == 7


# Going on --------------------------------------------------------------------------------------

SCORES = every(2, 5.0, 3.0, 4.0, 3.5, 2.0, 2.5, 2.5, 2.5, 9.0)


@pytest.mark.parametrize("stop", [5, 6, 8, 10, 11])
def test_a_resumed_run_is_as_one_that_was_never_stopped(stop, tmp_path):
    """The same best checkpoint, the same counts, and the same end by patience."""

    def best():
        return BestCheckpoint("fid", patience=3)

    whole = fit(tmp_path / "whole", best(), Scored(SCORES), steps=20)
    fit(tmp_path / "first", best(), Scored(SCORES), steps=stop)
    path = tmp_path / "first" / "checkpoints" / "last.ckpt"
    again = fit(tmp_path / "again", best(), Scored(SCORES), steps=20, path=path)
    assert again.global_step == whole.global_step == 16
    for name in ("best.ckpt", "last.ckpt"):
        ours, theirs = saved(tmp_path / "again", name), saved(tmp_path / "whole", name)
        assert ours["global_step"] == theirs["global_step"]
        assert toys.same(weights(ours), weights(theirs))
        states = [each["callbacks"]["BestCheckpoint"] for each in (ours, theirs)]
        assert states[0] == states[1]
        assert states[0]["path"] == "checkpoints/best.ckpt"  # no folder of this machine
    assert noted(tmp_path / "again") == noted(tmp_path / "whole")


def test_training_goes_on_from_the_best_as_from_any_other(tmp_path):
    fit(tmp_path / "first", BestCheckpoint("fid"), Scored(every(3, 5.0, 6.0)), steps=8)
    path = tmp_path / "first" / "checkpoints" / "best.ckpt"
    best = BestCheckpoint("fid", patience=2)
    run = fit(tmp_path / "again", best, Scored(every(3, 5.0, 6.0)), steps=8, path=path)
    assert run.global_step == 8
    ours, theirs = (weights(saved(tmp_path / n, "last.ckpt")) for n in ("first", "again"))
    assert toys.same(ours, theirs)
    assert (best.watch.best, best.watch.step, best.watch.waited) == (5.0, 3, 1)


def test_the_best_of_the_end_is_taken_along_and_training_goes_on_from_it(tmp_path):
    scores = Scored({3: 5.0}, end=1.0)
    fit(tmp_path / "first", BestCheckpoint("fid"), scores, steps=7)  # in mid-epoch
    fit(tmp_path / "whole", BestCheckpoint("fid"), Scored({3: 5.0}), steps=12)
    for name in ("last.ckpt", "best.ckpt"):
        best = BestCheckpoint("fid")
        path = tmp_path / "first" / "checkpoints" / name
        fit(tmp_path / name, best, Scored({}), path=path)
        assert (best.watch.best, best.watch.step) == (1.0, 7)
        assert saved(tmp_path / name)["global_step"] == 7
        ours, theirs = (weights(saved(tmp_path / n, "last.ckpt")) for n in (name, "whole"))
        assert toys.same(ours, theirs), name


def test_a_run_that_ended_needs_more_patience_to_go_on(tmp_path, capsys):
    scores = Scored(every(2, 3.0, 4.0, 5.0, 6.0))
    fit(tmp_path / "first", BestCheckpoint("fid", patience=2), scores)
    path = tmp_path / "first" / "checkpoints" / "last.ckpt"
    run = fit(tmp_path / "same", BestCheckpoint("fid", patience=2), scores, path=path)
    assert run.global_step == 6
    assert "training ends at step 6: fid got no better in 2 scores" in capsys.readouterr().out
    run = fit(tmp_path / "more", BestCheckpoint("fid", patience=3), scores, path=path)
    assert run.global_step == 8
    assert saved(tmp_path / "more")["global_step"] == 2


@pytest.mark.parametrize("lost", ["moved", "damaged", "older step"])
def test_a_best_that_is_not_at_hand_begins_anew(lost, tmp_path):
    fit(tmp_path / "first", BestCheckpoint("fid"), Scored({2: 3.0, 6: 1.0}), steps=8)
    folder = tmp_path / "first" / "checkpoints"
    path = folder / "last.ckpt"
    if lost == "moved":
        path = shutil.move(path, tmp_path / "alone.ckpt")
        shutil.rmtree(folder)
    elif lost == "damaged":
        (folder / "best.ckpt").write_bytes(b"no")
    else:
        early = fit(tmp_path / "second", BestCheckpoint("fid"), Scored({2: 3.0}), steps=4)
        early.save_checkpoint(path := tmp_path / "second" / "checkpoints" / "four.ckpt")
        fit(tmp_path / "second", BestCheckpoint("fid"), Scored({6: 1.0}), path=path)
        assert saved(tmp_path / "second")["global_step"] == 6  # beside the one of step 4
    best = BestCheckpoint("fid")
    with pytest.warns(UserWarning, match="best.ckpt is not the best .* by fid begins anew"):
        fit(tmp_path / "again", best, Scored({10: 4.0}), path=path)
    assert (best.watch.best, best.watch.step, best.watch.first) == (4.0, 10, 4.0)
    assert saved(tmp_path / "again")["global_step"] == 10


def test_a_best_where_it_was_is_found_from_elsewhere(tmp_path):
    run = fit(tmp_path / "first", BestCheckpoint("fid"), Scored({2: 3.0}), steps=4)
    run.save_checkpoint(tmp_path / "elsewhere.ckpt")  # as where a cluster requeues a job
    best = BestCheckpoint("fid")
    fit(tmp_path / "first", best, Scored({6: 4.0}), path=tmp_path / "elsewhere.ckpt")
    assert (best.said, best.watch.waited) == ("fid 3 at step 2", 1)
    assert saved(tmp_path / "first")["global_step"] == 2


def test_another_score_begins_anew(tmp_path):
    fit(tmp_path / "first", BestCheckpoint("fid"), Scored({2: 3.0}), steps=4)
    best = BestCheckpoint("recall")
    with pytest.warns(UserWarning, match="so far is by fid: the best by recall begins anew"):
        fit(
            tmp_path / "again",
            best,
            Scored({6: 0.5}, "recall", "higher"),
            path=tmp_path / "first" / "checkpoints" / "last.ckpt",
        )
    assert best.said == "recall 0.5 at step 6"


def test_the_best_of_another_training_is_not_overwritten(tmp_path):
    fit(tmp_path, BestCheckpoint("fid"), Scored({2: 3.0}), steps=4)
    before = (tmp_path / "checkpoints" / "best.ckpt").read_bytes()
    with pytest.raises(InputError, match=r"best.ckpt is there already, the best of another"):
        fit(tmp_path, BestCheckpoint("fid"), Scored({2: 1.0}), steps=4)
    assert (tmp_path / "checkpoints" / "best.ckpt").read_bytes() == before
    path = tmp_path / "checkpoints" / "last.ckpt"
    fit(tmp_path, BestCheckpoint("fid"), Scored({6: 1.0}), steps=6, path=path)  # the same training
    assert saved(tmp_path)["global_step"] == 6


def test_one_object_for_two_trainings(tmp_path):
    best = BestCheckpoint("fid", patience=1)
    fit(tmp_path / "one", best, Scored(every(2, 1.0, 3.0)))
    run = fit(tmp_path / "two", best, Scored(every(2, 5.0, 4.0)), steps=5)
    assert (run.global_step, best.ended_by, best.watch.best) == (5, None, 4.0)


# Validation ------------------------------------------------------------------------------------


class Validated(PairedMetrics):
    """Given values in place of a metric, in validation after every other batch."""

    def __init__(self, *values):
        super().__init__({"mae": lambda fake, real, y: torch.tensor(0.0)})
        self.values = values

    def logged_scores(self, module):
        return {"mae": "lower"}

    def on_validation_epoch_end(self, trainer, module):
        if not trainer.sanity_checking:
            module.log("val/mae", self.values[trainer.global_step // 2 - 1], sync_dist=True)


@pytest.mark.parametrize("first", [True, False])
def test_scores_of_validation_are_of_the_weights_that_were_validated(first, tmp_path):
    """Each counts once, whoever reads the values afterwards; training ends one batch later."""
    seen, best, scores = Weights(), BestCheckpoint("mae", patience=2), Validated(3, 2, 2, 4, 0)
    others = [scores, seen] if first else [seen, scores]
    run = fit(
        tmp_path, best, *others, val_check_interval=2, check_val_every_n_epoch=None, every_n=2
    )
    assert (run.global_step, best.ended_by) == (9, "patience")
    kept = saved(tmp_path)
    assert kept["global_step"] == 4
    assert toys.same(seen.at[4], kept["state_dict"])
    assert saved(tmp_path, "last.ckpt")["global_step"] == 9
    assert saved(tmp_path, "last.ckpt")["callbacks"]["BestCheckpoint"]["waited"] == 2


def test_the_best_of_a_validation_can_be_gone_on_from(tmp_path):
    options = {"val_check_interval": 2, "check_val_every_n_epoch": None}
    fit(tmp_path / "first", BestCheckpoint("mae"), Validated(3, 2, 4), steps=6, **options)
    path = tmp_path / "first" / "checkpoints" / "best.ckpt"
    best = BestCheckpoint("mae")
    fit(tmp_path / "again", best, Validated(3, 2, 4), steps=6, path=path, **options)
    ours, theirs = (weights(saved(tmp_path / n, "last.ckpt")) for n in ("first", "again"))
    assert toys.same(ours, theirs)
    assert (best.said, best.watch.waited) == ("mae 2 at step 4", 1)


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 0}, "BestCheckpoint: patience must be at least 1, got 0"),
        ({"explosion_patience": 0}, "BestCheckpoint: explosion_patience must be at least 1, got 0"),
        ({"mode": "lowest"}, "mode must be min or max, got 'lowest'"),
        ({"min_delta": -1.0}, "min_delta must be a finite number from 0, got -1.0"),
        ({"min_delta": NAN}, "min_delta must be a finite number from 0, got nan"),
        ({"explosion": 1.0}, "explosion must be above 1, how many times worse .* got 1.0"),
    ],
)
def test_settings_are_checked_at_construction(settings, message):
    with pytest.raises(InputError, match=message):
        BestCheckpoint("fid", **settings)


@pytest.mark.parametrize(
    ("best", "callbacks", "message"),
    [
        (
            {"monitor": "fidd"},
            [Scored({})],
            "monitor must be a score that this run logs, got 'fidd', did you mean 'fid'? It logs "
            "fid; for another that your module logs as val/fidd, set mode to min or max",
        ),
        (
            {"monitor": "fid"},
            [],
            "monitor must be a score that this run logs, got 'fid'. It logs none: add Evaluation, "
            "in the command evaluation.every_n_steps=1000, or PairedMetrics",
        ),
        (
            {"monitor": "fid", "mode": "max"},
            [Scored({})],
            "mode: fid is better when it is lower, got max; leave mode out",
        ),
        (
            {"monitor": "fid"},
            [Scored({}, better="neither")],
            "mode is missing: nothing says which fid is better; set mode to min or max",
        ),
    ],
)
def test_a_score_that_is_not_logged_is_refused_before_training(best, callbacks, message, tmp_path):
    with pytest.raises(InputError) as caught:
        fit(tmp_path, BestCheckpoint(**best), *callbacks)
    assert str(caught.value) == message
    assert not list(tmp_path.rglob("*.ckpt"))


def test_metrics_of_pairs_say_what_they_are():
    from torchmetrics import MeanAbsoluteError

    module = toys.gan()
    assert PairedMetrics().logged_scores(module) == {"psnr": "higher"}
    metrics = {"mae": MeanAbsoluteError(), "own": lambda fake, real, y: fake}
    assert PairedMetrics(metrics).logged_scores(module) == {"mae": "lower", "own": "neither"}


def test_a_score_of_ones_own_that_never_comes(tmp_path):
    with pytest.warns(UserWarning, match="val/mine") as caught:
        fit(
            tmp_path,
            BestCheckpoint("val/mine", mode="max"),
            val_check_interval=2,
            check_val_every_n_epoch=None,
        )
    said = [str(w.message) for w in caught]
    assert (
        len([text for text in said if text.startswith("no val/mine has been logged so far")]) == 1
    )
    assert "there is no best checkpoint: no finite val/mine was logged" in said


def test_a_fast_dev_run_leaves_nothing(tmp_path):
    run = toys.trainer(
        tmp_path, fast_dev_run=True, callbacks=[BestCheckpoint("fid"), Scored({1: 1.0})],
        max_epochs=1, enable_checkpointing=True,
    )  # fmt: skip
    run.fit(gan(), data())
    assert list(tmp_path.iterdir()) == []


# What others say -------------------------------------------------------------------------------


def test_nothing_but_nan_ends_with_the_best_in_the_message(tmp_path):
    class Broken(type(toys.generator())):
        def forward(self, z, y=None):
            return super().forward(z, y) * (torch.nan if Broken.now else 1)

    class Break(pl.Callback):
        def on_train_batch_end(self, trainer, *rest):
            Broken.now = trainer.global_step >= 5

    Broken.now = False
    generator = Broken(toys.SHAPE, latent_dim=3, hidden=(8,))
    module = toys.gan(generator=generator, max_skipped=3)
    with pytest.raises(NotFiniteError) as caught:
        fit(tmp_path, BestCheckpoint("fid"), Scored(every(2, 5.0, 3.0)), Break(), module=module)
    folder = tmp_path / "checkpoints"
    assert (
        f"the last checkpoint is {folder / 'last.ckpt'}; the best, fid 3 at step 4, is "
        f"{folder / 'best.ckpt'}; lower a learning rate"
    ) in str(caught.value)
    assert saved(tmp_path)["global_step"] == 4


def test_the_summary_and_the_lines_of_the_bar_name_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lightning_gan.callbacks.run_bar.FIRST_LINE_S", 0.0)
    monkeypatch.setattr("lightning_gan.callbacks.run_bar.LINE_S", 0.0)
    scores = Scored(every(2, 5.0, 3.25, 4.0))
    fit(tmp_path, BestCheckpoint("fid"), scores, RunSummary(), RunBar(), steps=6,
        enable_progress_bar=True)  # fmt: skip
    out = capsys.readouterr().out
    (line,) = [each for each in out.splitlines() if each.startswith("training: step 5 of 6")]
    assert line.endswith("best so far fid 3.25 at step 4")
    rows = dict(each.split("  ", 1) for each in out.splitlines() if "  " in each)
    assert rows["best checkpoint"].strip() == str(tmp_path / "checkpoints" / "best.ckpt")
    assert rows["best score"].strip() == "fid 3.25 at step 4"


# Several processes -----------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_decide_alike(tmp_path):
    forked.in_two(Path(__file__).with_name("ddp_best_checkpoint.py"), tmp_path)
    ranks = [torch.load(tmp_path / f"rank{n}.pt") for n in range(2)]
    assert ranks[0] == ranks[1]
    assert ranks[0]["state"]["best"] == 3.0
    assert (ranks[0]["step"], ranks[0]["ended_by"]) == (8, "patience")
    assert saved(tmp_path)["global_step"] == 4
    assert saved(tmp_path, "last.ckpt")["global_step"] == 8
