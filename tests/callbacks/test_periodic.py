from __future__ import annotations

import math
import types

import pytest

from lightning_gan.callbacks import (
    ClassGrid,
    Evaluation,
    GeneratorExport,
    HealthMonitor,
    Interpolation,
    LatentManifold,
    LossCurves,
    MixturePicture,
    NeighborGrid,
    SampleGrid,
    TrainingGIF,
)
from lightning_gan.callbacks.periodic import Cadence, Periodic
from lightning_gan.errors import InputError


def trainer(step=0, batches=10, epoch=0):
    names = {"global_step": step, "num_training_batches": batches, "current_epoch": epoch}
    return types.SimpleNamespace(**names)


def module(rounds=0):
    return types.SimpleNamespace(progress=types.SimpleNamespace(rounds=rounds))


def due(cadence, counts, start=0, of="steps"):
    """Return those of the counts at which a cadence acts."""

    def at(count):
        if of == "rounds":
            return trainer(step=3 * count), module(count)
        return trainer(step=count), module()

    cadence.start(*at(start))
    return [count for count in counts if cadence.tick(*at(count))]


def test_steps():
    assert due(Cadence("Me", 5), range(1, 12)) == [5, 10]
    assert due(Cadence("Me", None), range(1, 12)) == []


def test_a_multiple_that_is_passed_over_is_still_due():
    assert due(Cadence("Me", 5), [3, 8, 9, 11, 15]) == [8, 11, 15]


@pytest.mark.parametrize("start", [0, 3, 4, 5, 7])
def test_a_resumed_run_acts_at_the_steps_of_one_never_stopped(start):
    whole = due(Cadence("Me", 4, dense_every=2, dense_until=6), range(1, 20))
    assert whole == [2, 4, 6, 8, 12, 16]
    resumed = due(Cadence("Me", 4, dense_every=2, dense_until=6), range(start + 1, 20), start)
    assert resumed == [step for step in whole if step > start]


def test_rounds_replace_steps():
    cadence = Cadence("Me", 1, every_n_rounds=3)
    assert cadence.unit == "round"
    assert due(cadence, [1, 2, 2, 3, 3, 4, 6], of="rounds") == [3, 6]


def test_epochs_are_passes_over_the_batches_whatever_lightning_counts():
    cadence = Cadence("Me", 1, every_n_epochs=2)
    assert cadence.unit == "epoch"
    assert due(cadence, range(1, 45)) == [20, 40]
    assert cadence.count(trainer(step=29, epoch=99), module()) == 2


def test_without_a_length_lightnings_epochs_count():
    cadence = Cadence("Me", None, every_n_epochs=2)
    assert cadence.count(trainer(step=29, batches=math.inf, epoch=7), module()) == 7


def test_the_tutorials_frames():
    counts = due(Cadence("Me", 200, dense_every=20, dense_until=2000), range(1, 2601))
    assert counts == [*range(20, 2001, 20), 2200, 2400, 2600]


def test_an_end_of_the_beginning_that_is_no_multiple():
    assert due(Cadence("Me", 10, dense_every=4, dense_until=14), range(1, 41)) == [
        *(4, 8, 12),
        *(20, 30, 40),
    ]


def test_only_a_dense_beginning():
    assert due(Cadence("Me", None, dense_every=2, dense_until=5), range(1, 99)) == [2, 4]


@pytest.mark.parametrize(
    "name", ["every_n_steps", "every_n_rounds", "every_n_epochs", "dense_every", "dense_until"]
)
def test_numbers_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"^Me: {name} must be at least 1, got 0$"):
        Cadence("Me", **{"every_n_steps": 1, name: 0})


def test_two_periods_are_refused():
    message = (
        "^Me expects one period, got every_n_rounds=2 and every_n_epochs=3; leave one of them out$"
    )
    with pytest.raises(InputError, match=message):
        Cadence("Me", None, 2, 3)


def test_half_a_dense_beginning_is_refused():
    message = (
        "^Me expects dense_every and dense_until together, got dense_every=2 and "
        "dense_until=None; give both or neither$"
    )
    with pytest.raises(InputError, match=message):
        Cadence("Me", 5, dense_every=2)


def test_rounds_of_a_module_that_counts_none_are_refused():
    message = (
        "^Me: every_n_rounds expects a module that counts rounds in progress.rounds, got "
        "SimpleNamespace; use every_n_steps$"
    )
    with pytest.raises(InputError, match=message):
        Cadence("Me", 5, every_n_rounds=2).start(trainer(), types.SimpleNamespace())


class Noting(Periodic):
    """Notes what it is asked to do, and at which step."""

    def __init__(self, *periods):
        super().__init__(*periods)
        self.noted = []

    def check(self, module):
        self.noted.append(("check", type(module).__name__))

    def start(self, trainer, module):
        self.noted.append(("start", trainer.global_step))

    def see(self, trainer, module, batch):
        self.noted.append(("see", len(batch)))

    def act(self, trainer, module):
        self.noted.append(("act", trainer.global_step))

    def acted(self):
        return [step for what, step in self.noted if what == "act"]


@pytest.fixture
def trained(fit, fake_gan):
    """Return a callback after a training of some batches."""

    def train(callback, steps):
        fit(fake_gan(), callback, max_steps=steps)
        return callback

    return train


def test_a_callback_checks_starts_sees_and_acts(trained):
    callback = trained(Noting(2), 3)
    see, act = ("see", 4), "act"
    assert callback.noted == [
        ("check", "FakeGAN"), ("start", 0), see, see, (act, 2), see, (act, 3),
    ]  # fmt: skip


def test_the_end_is_acted_at_once(trained):
    assert trained(Noting(2), 4).acted() == [2, 4]
    assert trained(Noting(None), 3).acted() == [3]
    assert trained(Noting(9, None, None, 1, 2), 3).acted() == [1, 2, 3]


def test_the_end_may_not_count(trained):
    class Without(Noting):
        at_end = False

    assert trained(Without(2), 5).acted() == [2, 4]
    assert trained(Without(None), 5).acted() == []


def test_what_training_starts_from_is_not_its_end():
    callback = Noting(3)
    callback.on_train_start(trainer(step=7), module())
    callback.on_train_end(trainer(step=7), module())
    assert callback.acted() == []
    callback.on_train_start(trainer(step=7), module())
    callback.on_train_end(trainer(step=8), module())
    assert callback.acted() == [8]


def test_the_same_callback_acts_in_a_second_training(trained):
    callback = trained(Noting(2), 2)
    assert trained(callback, 2).acted() == [2, 2]


def test_only_a_fit_checks_the_module():
    callback = Noting(1)
    callback.setup(trainer(), module(), "predict")
    assert callback.noted == []


def test_errors_name_the_class():
    with pytest.raises(InputError, match=r"^Noting: every_n_steps must be at least 1, got 0$"):
        Noting(0)
    rounds = Noting(None, 2)
    with pytest.raises(InputError, match=r"^Noting: every_n_rounds expects a module that counts"):
        rounds.on_train_start(trainer(), types.SimpleNamespace())


@pytest.mark.parametrize(
    "kind",
    [
        ClassGrid, Evaluation, GeneratorExport, HealthMonitor, Interpolation, LatentManifold,
        LossCurves, MixturePicture, NeighborGrid, SampleGrid, TrainingGIF,
    ],
)  # fmt: skip
def test_every_callback_with_a_period_passes_it_on(kind):
    with pytest.raises(InputError, match=f"^{kind.__name__}: every_n_steps must be at least 1"):
        kind(every_n_steps=0)
    assert kind(every_n_steps=7).cadence.every == 7
    if kind is HealthMonitor:
        return
    assert kind(every_n_steps=7, every_n_rounds=3).cadence.unit == "round"
    epochs = kind(every_n_steps=7, every_n_epochs=2).cadence
    assert (epochs.unit, epochs.every) == ("epoch", 2)
