"""What memory a run is said to take, and one that does not fit."""

import re

import pytest
import pytorch_lightning as pl
import torch

from lightning_gan import (
    GANModule,
    create_discriminator,
    create_generator,
    create_loss,
    create_regularizer,
)
from lightning_gan.callbacks import memory_check
from lightning_gan.callbacks.memory_check import MemoryCheck, memory_of_updates
from lightning_gan.data import RandomImages
from lightning_gan.errors import InputError


def gan(**options):
    shape = (1, 8, 8)
    return GANModule(
        generator=create_generator("mlp", sample_shape=shape, hidden=[16], latent_dim=4),
        discriminator=create_discriminator("mlp", sample_shape=shape, hidden=[16]),
        loss=create_loss("non_saturating"),
        **options,
    )


def fit(module, callback, steps=8, batch_size=4):
    data = RandomImages(n=32, shape=[1, 8, 8], batch_size=batch_size)
    trainer = pl.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[callback],
    )  # fmt: skip
    trainer.fit(module, datamodule=data)


def test_memory_grows_with_the_batch_alone_as_activations_do():
    module = gan()
    one, two, three = (memory_of_updates(module, n) for n in (100, 200, 300))
    assert three - two == two - one > 0
    weights = sum(p.nbytes for p in module.parameters() if p.requires_grad)
    # Without a batch there are gradients and Adam's moments.
    assert one - (two - one) == int(1.5 * 3 * weights)


def test_a_network_of_one_layer_keeps_its_input():
    """Of D's first layer autograd keeps the batch of images: 64 floats each."""
    kept = memory_check._kept(
        torch.nn.Linear(64, 1, device="meta"), torch.empty(10, 64, device="meta")
    )
    assert kept == 10 * 64 * 4


def test_a_penalty_on_gradients_takes_more():
    plain, penalized = gan(), gan(regularizers={"r1": create_regularizer("r1")})
    assert memory_of_updates(penalized, 64) > memory_of_updates(plain, 64)


def test_the_estimate_leaves_module_and_randomness_as_they_are():
    module = gan()
    before = [value.clone() for value in module.parameters()]
    torch.manual_seed(0)
    memory_of_updates(module, 8)
    drawn = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(3))
    for old, new in zip(before, module.parameters(), strict=True):
        assert new.device.type == "cpu"
        assert torch.equal(old, new)


def test_what_does_not_run_without_values_is_not_estimated():
    module = gan()
    module.generator.forward = lambda z, y=None: torch.zeros(int(z.sum().item()))
    assert memory_of_updates(module, 4) is None


def test_a_run_that_memory_does_not_hold_is_refused_before_it_begins(monkeypatch):
    monkeypatch.setattr(memory_check, "free_memory", lambda device: 1000)
    module = gan()
    with pytest.raises(InputError, match="batches of 4 need about .* set batch_size=2, micro"):
        fit(module, MemoryCheck())
    assert module.progress.images == 0


def test_memory_is_told_in_a_line(capsys):
    fit(gan(), MemoryCheck())
    assert re.fullmatch(r"memory: about \S+ GB of \S+ GB free\n", capsys.readouterr().out)
