"""A limit in rounds stops training, whatever number of batches the rounds took."""

import pytest
import toys
from pytorch_lightning.demos.boring_classes import BoringModel

from lightning_gan.alternations.alternating import Alternating
from lightning_gan.alternations.loss_threshold import LossThreshold
from lightning_gan.callbacks.round_limit import RoundLimit
from lightning_gan.data import RandomImages
from lightning_gan.errors import InputError


def fit(tmp_path, module, rounds, steps, path=None):
    run = toys.trainer(tmp_path, max_steps=steps, callbacks=[RoundLimit(rounds)])
    data = RandomImages(shape=[1, 4, 4], n=40, batch_size=8)
    run.fit(module, data, ckpt_path=path)
    return run


@pytest.mark.parametrize(("d_steps", "batches"), [(1, 4), (3, 12)])
def test_training_ends_with_the_last_round(tmp_path, d_steps, batches):
    module = toys.gan(alternation=Alternating(d_steps=d_steps))
    run = fit(tmp_path, module, rounds=4, steps=100)
    assert module.progress.rounds == 4
    assert run.global_step == batches  # in the middle of an epoch of five, or of the third


def test_max_steps_stays_the_upper_bound(tmp_path):
    module = toys.gan()
    assert fit(tmp_path, module, rounds=9, steps=5).global_step == 5
    assert module.progress.rounds == 5


def test_rounds_before_a_stop_count(tmp_path):
    module = toys.gan()
    fit(tmp_path, module, rounds=3, steps=50).save_checkpoint(tmp_path / "at_three.ckpt")
    resumed = toys.gan()
    run = fit(tmp_path, resumed, rounds=7, steps=50, path=tmp_path / "at_three.ckpt")
    assert (run.global_step, resumed.progress.rounds) == (7, 7)


def test_the_last_turn_of_the_generator_is_whole(tmp_path):
    # Thresholds that are never met: five steps of D, five of G.
    module = toys.gan(alternation=LossThreshold(d_below=-1.0, g_above=100.0))
    run = fit(tmp_path, module, rounds=2, steps=100)
    assert (run.global_step, module.progress.generator_steps) == (20, 10)
    run.save_checkpoint(tmp_path / "over.ckpt")
    again = toys.gan(alternation=LossThreshold(d_below=-1.0, g_above=100.0))
    assert fit(tmp_path, again, rounds=2, steps=100, path=tmp_path / "over.ckpt").global_step == 20


def test_a_module_that_counts_no_rounds(tmp_path):
    with pytest.raises(InputError, match="expects a GANModule, which counts rounds, got Boring"):
        fit(tmp_path, BoringModel(), rounds=2, steps=2)


def test_impossible_numbers():
    with pytest.raises(InputError, match="max_rounds must be at least 1, got 0"):
        RoundLimit(0)
