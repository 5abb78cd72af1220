"""Score cards while training goes on, and what they must not change."""

from __future__ import annotations

import csv
import logging
from types import SimpleNamespace

import pytest
import torch
import toys
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from lightning_gan import EMA, InputError
from lightning_gan.callbacks import RoundLimit, RunCheckpoint
from lightning_gan.callbacks.evaluation import Evaluation
from lightning_gan.data import RandomImages
from lightning_gan.evaluation import ScoreCard
from lightning_gan.evaluation.evaluator import Evaluator
from lightning_gan.metrics.features import FeatureExtractor, Features


class Pixels(FeatureExtractor):
    """The pixels are the features; the brighter half of the image is its class."""

    name = "pixels"
    feature_dim = 16
    num_classes = 2

    def forward(self, images):
        return Features(images.flatten(1), images.flatten(1).unflatten(1, (2, -1)).mean(dim=2))


@pytest.fixture
def data():
    return RandomImages(shape=(1, 4, 4), n=64, num_classes=2, batch_size=8)


@pytest.fixture
def gan():
    torch.manual_seed(3)
    conditional = {"num_classes": 2}
    return toys.gan(
        generator=toys.generator(**conditional),
        discriminator=toys.discriminator(**conditional, dropout=0.2),
        ema=EMA(half_life_kimg=0.01),
    )


def evaluation(every=2, **options):
    defaults = {"n_fake": 20, "n_real": 32, "features": Pixels(), "metrics": ["fid"]}
    return Evaluation(every, **{**defaults, **options})


def fit(tmp_path, gan, data, *callbacks, steps=5, **options):
    return toys.fit(tmp_path, gan, steps, data, callbacks=list(callbacks), **options)


def cards(folder):
    return {int(path.stem[5:]): ScoreCard.load(path) for path in folder.glob("scorecards/*.json")}


def test_a_card_every_n_steps_and_at_the_end(gan, data, tmp_path):
    callback = evaluation()
    fit(tmp_path, gan, data, callback)
    found = cards(tmp_path)
    assert sorted(found) == [2, 4, 5]
    assert found[4].checkpoint == {"step": 4, "images": 32}
    assert found[4].protocol["generator"]["weights"] == "averaged"
    assert len({card.scores["fid"] for card in found.values()}) == 3
    assert callback.card == found[5]


def test_only_at_the_end_and_once(gan, data, tmp_path):
    fit(tmp_path, gan, data, evaluation(None))
    fit(tmp_path / "once", toys.gan(), data, evaluation(5))
    assert sorted(cards(tmp_path)) == sorted(cards(tmp_path / "once")) == [5]


def test_a_resumed_run_that_trains_no_further_is_scored(gan, data, tmp_path):
    rounds = RoundLimit(max_rounds=3)
    run = fit(tmp_path / "first", gan, data, rounds)
    run.save_checkpoint(tmp_path / "over.ckpt")
    again = toys.trainer(tmp_path / "again", max_steps=9, callbacks=[rounds, evaluation()])
    again.fit(gan, data, ckpt_path=tmp_path / "over.ckpt")
    assert again.global_step == 3
    assert sorted(cards(tmp_path / "again")) == [3]


def test_periods_in_rounds_and_epochs(gan, data, tmp_path):
    fit(tmp_path, gan, data, evaluation(every_n_epochs=1), steps=17)
    assert sorted(cards(tmp_path)) == [8, 16, 17]
    with pytest.raises(InputError, match="Evaluation expects one period, got every_n_rounds=1"):
        Evaluation(every_n_rounds=1, every_n_epochs=1)


def test_training_goes_on_as_without_evaluation(tmp_path):
    def trained(*callbacks):
        torch.manual_seed(3)
        conditional = {"num_classes": 2}
        module = toys.gan(
            generator=toys.generator(**conditional),
            discriminator=toys.discriminator(**conditional, dropout=0.2),
            ema=EMA(half_life_kimg=0.01, buffers="reestimate"),
        )
        torch.manual_seed(4)
        fresh = RandomImages(shape=(1, 4, 4), n=64, num_classes=2, batch_size=8)
        fit(tmp_path, module, fresh, *callbacks, steps=6)
        return {k: v for k, v in module.state_dict().items() if isinstance(v, torch.Tensor)}

    with_scores, without = trained(evaluation(metrics=None)), trained()
    assert set(with_scores) == set(without)  # nothing of the evaluation is in the checkpoint
    assert toys.same(with_scores, without)


def test_scores_go_to_the_loggers_at_their_step(gan, data, tmp_path):
    logger = CSVLogger(tmp_path, name="", version=0)
    fit(tmp_path, gan, data, evaluation(metrics=["fid", "precision_recall"]), logger=logger)
    with (tmp_path / "version_0" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/fid"]]
    assert [int(row["step"]) for row in rows] == [1, 3, 4]
    found = cards(tmp_path / "version_0")
    assert float(rows[1]["val/fid"]) == pytest.approx(found[4].scores["fid"], rel=1e-6)
    assert float(rows[1]["val/recall"]) == found[4].scores["recall"]


@pytest.mark.parametrize("kind", [ModelCheckpoint, RunCheckpoint])
def test_the_checkpoint_with_the_smallest_fid_is_kept(kind, gan, data, tmp_path):
    """The first weights are the best: training is made to ruin the generator."""
    for settings in (gan.generator_settings, gan.discriminator_settings):
        settings.make_optimizer = lambda parameters: torch.optim.SGD(parameters, lr=5.0)
    saver = kind(
        **({"dirpath": tmp_path} if kind is ModelCheckpoint else {}),
        every_n_train_steps=2,
        monitor="val/fid",
        filename="step_{step}",
    )
    fit(tmp_path, gan, data, saver, evaluation(), steps=8, enable_checkpointing=True)
    scores = {step: card.scores["fid"] for step, card in cards(tmp_path).items()}
    best = min(scores, key=scores.get)
    assert sorted(scores) == [2, 4, 6, 8]
    assert best != 8  # or the newest would do as well
    assert torch.load(saver.best_model_path, weights_only=True)["global_step"] == best
    assert float(saver.best_model_score) == pytest.approx(scores[best], rel=1e-6)


def test_scores_can_be_read_after_training(gan, data, tmp_path):
    run = fit(tmp_path, gan, data, evaluation(), max_epochs=1)
    assert float(run.callback_metrics["val/fid"]) == pytest.approx(
        cards(tmp_path)[5].scores["fid"], rel=1e-6
    )


@pytest.mark.parametrize(
    ("checkpoint", "every", "message"),
    [
        (
            {"every_n_train_steps": 3, "monitor": "val/fid"},
            2,
            "the checkpoint's monitor val/fid ranks checkpoints every 3 steps, which evaluation "
            "has no scores for: set every_n_steps to 3",
        ),
        (
            {"every_n_train_steps": 4, "monitor": "val/fid"},
            None,
            "the checkpoint's monitor val/fid ranks checkpoints every 4 steps, which evaluation "
            "has no scores for: set every_n_steps to 4",
        ),
        (
            {"every_n_train_steps": 2, "monitor": "val/precision"},
            2,
            "the checkpoint's monitor val/precision is better when it is higher, got its mode "
            "min: set that to max",
        ),
    ],
)
def test_checkpoints_that_would_rank_by_nothing(checkpoint, every, message, gan, data, tmp_path):
    saver = ModelCheckpoint(dirpath=tmp_path, **checkpoint)
    with pytest.raises(InputError) as caught:
        fit(tmp_path, gan, data, saver, evaluation(every), enable_checkpointing=True)
    assert str(caught.value) == message


def test_other_monitors_are_none_of_its_business(gan, data, tmp_path):
    saver = ModelCheckpoint(dirpath=tmp_path, every_n_train_steps=3, monitor="loss/generator")
    fit(tmp_path, gan, data, saver, evaluation(), enable_checkpointing=True)
    assert sorted(cards(tmp_path)) == [2, 4, 5]


def test_a_resumed_run_goes_on_counting(gan, data, tmp_path):
    run = fit(tmp_path, gan, data, steps=3)
    run.save_checkpoint(tmp_path / "a.ckpt")
    again = toys.trainer(tmp_path, max_steps=6, callbacks=[evaluation(4)])
    again.fit(gan, data, ckpt_path=tmp_path / "a.ckpt")
    assert sorted(cards(tmp_path)) == [4, 6]


def test_the_classes_are_drawn(gan, data, tmp_path):
    fit(tmp_path, gan, data, evaluation(None, metrics=["class_balance"]))
    assert (tmp_path / "samples" / "classes-00000005.png").is_file()


def test_the_terminal_says_what_is_being_waited_for(gan, data, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        fit(tmp_path, gan, data, evaluation(None))
    lines = [m for m in caplog.messages if m.startswith("Evaluation")]
    assert lines[0] == "Evaluation: preparing the features of the real images"
    assert lines[1].startswith("Evaluation: pixels, 32 real images, ready after ")


def test_samples_that_are_not_finite_do_not_end_the_run(gan, data, tmp_path):
    class Broken(type(gan.generator)):
        def forward(self, z, y=None):
            samples = super().forward(z, y)
            return samples if self.training else samples * torch.nan

    gan.generator_ema.__class__ = Broken
    message = "no score card at step 2: images must be finite, got NaN or infinity"
    with pytest.warns(UserWarning, match=message):
        run = fit(tmp_path, gan, data, evaluation(), steps=2)
    assert run.global_step == 2
    assert cards(tmp_path) == {}


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, torch.linalg.LinAlgError, TypeError])
def test_a_measurement_that_breaks_does_not_end_the_run(kind, gan, data, tmp_path, monkeypatch):
    def broken(self, gan, **checkpoint):
        raise kind("no\nmore")

    monkeypatch.setattr(Evaluator, "score", broken)
    with pytest.warns(UserWarning, match=f"no score card at step 2: {kind.__name__}: no more"):
        run = fit(tmp_path, gan, data, evaluation(), steps=2)
    assert run.global_step == 2
    assert cards(tmp_path) == {}


def test_a_full_disk_does_not_end_the_run(gan, data, tmp_path, monkeypatch):
    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ScoreCard, "save", full)
    callback = evaluation()
    with pytest.warns(UserWarning, match="score card at step 2 not written: OSError: .* No space"):
        run = fit(tmp_path, gan, data, callback, steps=2)
    assert run.callback_metrics["val/fid"] == pytest.approx(callback.card.scores["fid"])


def test_with_several_processes_a_broken_one_ends_the_run():
    class Broken:
        def score(self, gan, step):
            raise RuntimeError("no more")

    callback = evaluation()
    callback._evaluator = Broken()
    with pytest.raises(RuntimeError, match="no more"):
        callback.on_train_end(SimpleNamespace(global_step=2, world_size=2), None)


def test_a_fast_dev_run_evaluates_nothing(gan, data, tmp_path):
    callback = evaluation()
    run = toys.trainer(tmp_path, fast_dev_run=True, callbacks=[callback], max_epochs=1)
    run.fit(gan, data)
    assert callback.card is None
    assert cards(tmp_path) == {}


def test_loaders_alone_are_refused(gan, tmp_path):
    message = "Evaluation expects the real images in a data module, got loaders alone: use trainer"
    with pytest.raises(InputError, match=message):
        fit(tmp_path, gan, toys.loader(y=torch.zeros(32, dtype=torch.int64)), evaluation())


def test_settings_are_checked_at_construction():
    with pytest.raises(InputError, match="Evaluation: every_n_steps must be at least 1, got 0"):
        Evaluation(0)
    with pytest.raises(InputError, match="n_fake must be a whole number from 2, got 0"):
        Evaluation(n_fake=0)
