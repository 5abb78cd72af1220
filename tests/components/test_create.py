"""Building components by name, and what is said about arguments that do not fit."""

import pytest

import lightning_gan
from lightning_gan.components import registry
from lightning_gan.errors import InputError, PluginError
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.losses.minimax import MinimaxLoss

ARGUMENTS = {
    "generator": {"sample_shape": (1, 8, 8)},
    "discriminator": {"sample_shape": (1, 8, 8)},
    "schedule": {"start": 1.0, "end": 0.0, "kimg": 1},
    "balance": {"layer": "layers.0"},
}


@pytest.mark.parametrize("kind", [kind.name for kind in registry.KINDS.values() if not kind.home])
def test_there_is_a_function_for_every_kind_that_is_ours(kind):
    create, base = getattr(lightning_gan, f"create_{kind}"), registry.KINDS[kind].load_base()
    name = next(entry.name for entry in registry.entries(kind) if entry.ours)
    assert isinstance(create(name, **ARGUMENTS.get(kind, {})), base)


def test_names_of_a_distribution():
    assert isinstance(lightning_gan.create_loss("lightning-gan:minimax"), MinimaxLoss)


def test_arguments_reach_the_constructor():
    generator = lightning_gan.create_generator("mlp", sample_shape=(3,), latent_dim=2, hidden=[5])
    assert isinstance(generator, MLPGenerator)
    assert generator.arguments() == {"sample_shape": (3,), "latent_dim": 2, "hidden": [5]}


def test_unknown_name():
    with pytest.raises(PluginError, match="unknown generator 'mpl', did you mean 'mlp'"):
        lightning_gan.create_generator("mpl")


def test_misspelt_argument():
    text = (
        r"generator 'mlp' has no argument 'laten_dim', did you mean 'latent_dim'\? "
        r"It takes sample_shape, latent_dim, hidden"
    )
    with pytest.raises(InputError, match=text):
        lightning_gan.create_generator("mlp", sample_shape=(3,), laten_dim=3)


def test_argument_that_resembles_none():
    with pytest.raises(
        InputError, match=r"prior 'normal' has no argument 'zzz'\. It takes mean, std"
    ):
        lightning_gan.create_prior("normal", zzz=3)


def test_argument_of_a_component_that_takes_none():
    with pytest.raises(
        InputError, match=r"loss 'minimax' has no argument 'weight'\. It takes none"
    ):
        lightning_gan.create_loss("minimax", weight=2)


def test_missing_argument():
    text = r"discriminator 'dcgan' needs the argument 'sample_shape'\. It takes sample_shape, base"
    with pytest.raises(InputError, match=text):
        lightning_gan.create_discriminator("dcgan", base_channels=8)


def test_error_of_the_constructor_passes_through():
    with pytest.raises(InputError, match="std must be at least 0, got -1"):
        lightning_gan.create_prior("normal", std=-1)
