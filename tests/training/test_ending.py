"""Schedulers that end before the training, and optimizers that do not take the gradients."""

from __future__ import annotations

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
import toys
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, SequentialLR

from lightning_gan import Game, GANModule, InputError
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.alternations.warm_up import WarmUp
from lightning_gan.callbacks import RoundLimit, RunCheckpoint
from lightning_gan.schedules import BurnIn


def one_cycle(steps):
    return partial(OneCycleLR, max_lr=0.01, total_steps=steps)


def in_sequence(optimizer):
    """One whose end nobody can see from outside."""
    return SequentialLR(optimizer, [one_cycle(2)(optimizer)], [])


def short(player, has, makes):
    return (
        f"^{player}_lr_scheduler is OneCycleLR and ends after {has} steps, and the {player} makes "
        f"{makes}: set its total_steps to {makes}"
    )


class NoBatch(pl.Callback):
    def on_train_batch_start(self, *_):
        raise AssertionError("a batch was begun")


@pytest.mark.parametrize(
    ("options", "trainer", "message"),
    [
        ({"generator_lr_scheduler": one_cycle(5)}, {}, short("generator", 5, 6)),
        ({"discriminator_lr_scheduler": one_cycle(5)}, {}, short("discriminator", 5, 6)),
        (
            {"generator_lr_scheduler": one_cycle(1), "alternation": Alternating(d_steps=3)},
            {},
            short("generator", 1, 2),
        ),
        (
            {"generator_lr_scheduler": one_cycle(11), "alternation": Alternating(g_steps=2)},
            {},
            short("generator", 11, 12),
        ),
        (
            {"generator_lr_scheduler": one_cycle(7)},
            {"steps": -1, "max_epochs": 2},
            short("generator", 7, 8),
        ),
    ],
)
def test_it_is_known_before_training(tmp_path, options, trainer, message):
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, toys.gan(**options), callbacks=[NoBatch()], **{"steps": 6, **trainer})


@pytest.mark.parametrize(
    ("options", "callbacks"),
    [
        ({"generator_lr_scheduler": one_cycle(6)}, []),
        ({"generator_lr_scheduler": one_cycle(2), "alternation": Alternating(d_steps=3)}, []),
        ({"generator_lr_scheduler": one_cycle(3)}, [RoundLimit(max_rounds=3)]),
        ({"generator_lr_scheduler": one_cycle(3), "alternation": WarmUp(kimg=0.024)}, []),
        (
            {
                "generator_lr_scheduler": one_cycle(3),
                "generator_weight": 1.0,
                "schedules": {"generator_weight": BurnIn(0.0, 1.0, kimg=0.024)},
            },
            [],
        ),
    ],
)
def test_one_that_is_long_enough(tmp_path, options, callbacks):
    run = toys.fit(tmp_path, toys.gan(**options), steps=6, callbacks=callbacks)
    assert run.global_step == (3 if callbacks else 6)


def test_a_run_that_goes_on_counts_what_was_done(tmp_path):
    make = partial(toys.gan, generator_lr_scheduler=one_cycle(6))
    run = toys.fit(tmp_path, make(), steps=4)
    run.save_checkpoint(tmp_path / "x.ckpt", weights_only=False)
    kept = {"ckpt_path": tmp_path / "x.ckpt", "weights_only": True}
    more = toys.trainer(tmp_path, max_steps=6)
    more.fit(make(), toys.loader(), **kept)
    assert more.global_step == 6
    more = toys.trainer(tmp_path, max_steps=7)
    with pytest.raises(InputError, match=short("generator", 6, 7)):
        more.fit(make(), toys.loader(), **kept)


def test_else_training_ends_at_that_step_and_the_last_checkpoint_is_kept(tmp_path):
    gan = toys.gan(generator_lr_scheduler=in_sequence)
    save = RunCheckpoint()
    message = (
        r"^generator_lr_scheduler is SequentialLR and has come to its end before the training "
        r"\(Tried to step .*\): give it as many steps as the generator makes; training ends at "
        r"step 3 and the last checkpoint is \S+last.ckpt$"
    )
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan, steps=6, enable_checkpointing=True, callbacks=[save])
    kept = GANModule.load_from_checkpoint(save.last_model_path, generator_lr_scheduler=None)
    assert kept.progress.batches == gan.progress.batches == 3
    assert toys.same(toys.weights(kept.generator), toys.weights(gan.generator))


def test_a_game_ends_after_the_batch():
    game = Game(toys.gan(discriminator_lr_scheduler=one_cycle(2)))
    for _ in range(2):
        game.play(toys.images(4))
    with pytest.raises(InputError, match="^discriminator_lr_scheduler is OneCycleLR and has come"):
        game.play(toys.images(4))
    assert game.progress.batches == game.progress.generator_steps == 3


class Codes(nn.Module):
    def __init__(self, sparse):
        super().__init__()
        self.table = nn.Embedding(4, 16, sparse=sparse)

    def forward(self, z):
        return self.table((z[:, 0] > 0).long())


def coded(sparse, alone):
    generator = toys.generator()
    generator.layers = Codes(sparse) if alone else nn.Sequential(Codes(sparse), nn.Linear(16, 16))
    return generator


@pytest.mark.parametrize(
    ("make", "sparse", "alone", "message"),
    [
        (torch.optim.SparseAdam, True, True, None),
        (torch.optim.SGD, True, False, None),
        (torch.optim.Adagrad, True, False, None),
        (torch.optim.Adam, False, False, None),
        (torch.optim.SparseAdam, False, True, "sparse gradients alone, and 1 of the 1 parameters"),
        (torch.optim.SparseAdam, True, False, "alone, and 2 of the 3 parameters .* torch.optim.Ad"),
        (
            torch.optim.Adam,
            True,
            False,
            r"which takes dense gradients alone, and Embedding\(sparse=True\) of the generat",
        ),
    ],
)
def test_optimizers_of_sparse_and_dense_gradients(tmp_path, make, sparse, alone, message):
    options = {
        "generator": coded(sparse, alone),
        "generator_optimizer": partial(make, lr=0.01),
    }
    if message is None:
        assert toys.fit(tmp_path, toys.gan(**options), steps=1).global_step == 1
    else:
        with pytest.raises(InputError, match=f"^generator_optimizer is {make.__name__}.*{message}"):
            toys.gan(**options)
