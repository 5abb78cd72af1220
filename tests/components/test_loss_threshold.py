"""Turns against tables written by hand, in training, and over a stop."""

import pytest
import torch
import toys

from lightning_gan.alternations.loss_threshold import LossThreshold
from lightning_gan.data import RandomImages
from lightning_gan.errors import InputError
from lightning_gan.types import Feedback, Player, Progress

LETTERS = {Player.DISCRIMINATOR: "D", Player.GENERATOR: "G"}


def play(alternation, losses):
    """Return who stepped, given D's loss in each batch."""
    letters, progress = "", Progress()
    for loss in losses:
        phases = alternation.phases(progress)
        letters += "".join(LETTERS[player] for player in phases)
        progress = progress.after_step(*phases).after_batch(4)
        alternation.observe(Feedback(progress, phases, discriminator_loss=torch.tensor(loss)))
    return letters


# D's losses in the order of the batches, and who stepped on them, with D below 2 and G above 0.75.
TABLE = {
    "D is good enough at once, and G needs one step": ([1.9, 0.9, 1.9, 0.9], "DGDG"),
    "D needs three steps": ([3.0, 2.5, 1.0, 0.9], "DDDG"),
    "exactly on a threshold is not beyond it": ([2.0, 1.0, 0.75, 0.9], "DDGG"),
    "five steps at the most": ([3.0] * 5 + [0.5] * 5 + [3.0], "DDDDDGGGGGD"),
    "G stops as soon as D is bad enough": ([1.0, 0.1, 0.2, 1.5, 1.0], "DGGGD"),
    "no loss is below NaN": ([float("nan")] * 11, "DDDDDGGGGGD"),
}


@pytest.mark.parametrize(("losses", "expected"), TABLE.values(), ids=TABLE.keys())
def test_table(losses, expected):
    assert play(LossThreshold(d_below=2.0, g_above=0.75), losses) == expected


def test_its_own_limits():
    alternation = LossThreshold(max_d_steps=2, max_g_steps=1, d_below=-1.0, g_above=9.0)
    assert play(alternation, [0.0] * 6) == "DDGDDG"


def test_a_state_is_taken_over_in_the_middle_of_a_turn():
    first, second = LossThreshold(), LossThreshold()
    assert play(first, [1.0, 0.1, 0.1]) == "DGG"
    second.load_state_dict(first.state_dict())
    assert play(second, [0.1, 0.1, 0.1, 3.0]) == "GGGD"  # the rest of five


class Recording(LossThreshold):
    """Keeps what it was told."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.told = []

    def observe(self, feedback):
        super().observe(feedback)
        self.told.append((feedback.phases[0], feedback.discriminator_loss.item()))


def test_every_step_has_a_new_batch_and_ds_loss_is_known_after_gs_steps_too(tmp_path):
    alternation = Recording(max_d_steps=2, max_g_steps=3, d_below=-1.0, g_above=9.0)
    module = toys.gan(alternation=alternation)
    run = toys.fit(tmp_path, module, steps=12)
    assert "".join(LETTERS[player] for player, _ in alternation.told) == "DDGGGDDGGGDD"
    assert run.global_step == module.progress.batches == 12
    assert module.progress.images == 12 * 8
    assert (module.progress.discriminator_steps, module.progress.generator_steps) == (6, 6)
    assert module.progress.rounds == 2
    assert all(0 < loss < 3 for _, loss in alternation.told)
    # What the log shows of the turns.
    assert module.latest_metrics["progress/discriminator_steps"] == 6
    assert module.latest_metrics["progress/generator_steps"] == 6
    assert module.latest_metrics["progress/rounds"] == 2


@pytest.mark.parametrize("stop", [3, 4, 7])
def test_a_stopped_run_goes_on_in_the_middle_of_a_turn(tmp_path, stop):
    def make():
        torch.manual_seed(7)
        thresholds = LossThreshold(max_d_steps=3, max_g_steps=3, d_below=-1.0, g_above=9.0)
        return toys.gan(alternation=thresholds)

    def fit(module, steps, path=None):
        run = toys.trainer(tmp_path, max_steps=steps)
        run.fit(module, RandomImages(shape=[1, 4, 4], n=40, batch_size=8), ckpt_path=path)
        return run

    whole = make()
    fit(whole, 10)
    path = tmp_path / "stopped.ckpt"
    fit(make(), stop).save_checkpoint(path, weights_only=False)
    resumed = make()
    fit(resumed, 10, path)
    assert resumed.progress == whole.progress
    assert toys.same(toys.weights(whole.generator), toys.weights(resumed.generator))


@pytest.mark.parametrize("steps", [(0, 1), (1, 0), (-2, 3)])
def test_impossible_numbers(steps):
    text = rf"must be at least 1, got {steps[0]} and {steps[1]}"
    with pytest.raises(InputError, match=text):
        LossThreshold(*steps)
