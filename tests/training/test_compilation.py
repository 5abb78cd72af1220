"""Compiled networks: the same updates, and what is refused."""

from __future__ import annotations

import pytest
import torch
import toys

from lightning_gan import GANModule
from lightning_gan.errors import InputError
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.regularizers.wgan_gp import WGANGPRegularizer

PENALTIES = {"r1": R1Regularizer, "wgan_gp": WGANGPRegularizer}


def trained(folder, **options):
    torch.manual_seed(0)
    gan = toys.gan(**options)
    torch.manual_seed(1)
    return gan, toys.fit(folder, gan, steps=3)


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch asks for it itself
def test_compiled_networks_make_the_same_updates(tmp_path):
    plain, _ = trained(tmp_path / "plain")
    both, run = trained(tmp_path / "both", generator_compile=True, discriminator_compile=True)
    for ours, theirs in zip(plain.parameters(), both.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)
    assert both.generator._compiled_call_impl is not None
    assert both.discriminator._compiled_call_impl is not None
    assert plain.generator._compiled_call_impl is None
    assert list(plain.state_dict()) == list(both.state_dict())
    run.save_checkpoint(tmp_path / "both.ckpt", weights_only=False)
    again = GANModule.load_from_checkpoint(tmp_path / "both.ckpt")
    assert again.generator_settings.compile
    assert again.generator._compiled_call_impl is None
    assert torch.allclose(again.sample(3, seed=0), both.sample(3, seed=0), atol=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_second_derivative_is_refused(name):
    regularizers = {name: PENALTIES[name]()}
    with pytest.raises(InputError, match=f"regularizers {name} differentiate the discriminator"):
        toys.gan(discriminator_compile=True, regularizers=regularizers)
    toys.gan(generator_compile=True, regularizers=regularizers)  # no second derivative there


def test_a_second_derivative_of_a_network_that_the_user_compiled_is_refused(tmp_path):
    gan = toys.gan(regularizers={"r1": R1Regularizer()})
    gan.discriminator.compile()
    before = toys.weights(gan.discriminator)
    with pytest.raises(InputError, match="differentiate the discriminator twice"):
        toys.fit(tmp_path, gan, steps=3)
    assert toys.same(before, toys.weights(gan.discriminator))


def test_a_machine_that_cannot_compile_is_told_so_before_training(tmp_path, monkeypatch):
    def fails(function):
        raise RuntimeError("no C++ compiler\nfound")

    monkeypatch.setattr(torch, "compile", fails)
    gan = toys.gan(generator_compile=True)
    with pytest.raises(InputError, match="generator_compile: .* no C.. compiler found"):
        toys.fit(tmp_path, gan, steps=3)
    assert gan.progress.batches == 0
    toys.fit(tmp_path, toys.gan(), steps=1)  # nobody compiles where nobody asks
