"""The tutorials' systems: the networks that the experiments build, and what they are set to."""

import importlib

import pytest
import torch
from torch import nn

from lightning_gan.cli.settings import compose
from lightning_gan.discriminators.acgan import ACGANDiscriminator
from lightning_gan.discriminators.cgan import CGANDiscriminator
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.acgan import ACGANGenerator
from lightning_gan.generators.cgan import CGANGenerator
from lightning_gan.generators.mlp import MLPGenerator

pytestmark = pytest.mark.slow  # networks of their full size

PLAYERS = ("generator", "discriminator")
MNIST = {"sample_shape": (1, 28, 28), "num_classes": 10}
AT_THE_DATAS_SIZE = ("mnist_dcgan", "mnist_conditional", "mnist_unconditional")
EXPERIMENTS = [name for name in compose.choices("experiment") if name.startswith("mnist_")]


def settings(experiment, *more):
    return compose.settings([f"experiment={experiment}", *more])


def build(experiment, player):
    """Build one network of an experiment as the command would for MNIST."""
    arguments = dict(settings(experiment)["model"][player])
    module, _, name = arguments.pop("class_path").rpartition(".")
    return getattr(importlib.import_module(module), name)(**{**MNIST, **arguments})


def trainable(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


# Trainable parameters of G and of D.
PARAMETERS = {
    "mnist_dense": (1_477_136, 1_460_225),
    "mnist_dense_batchnorm": (1_489_936, 923_553),
    "mnist_cgan": (162_497, 171_777),
    "mnist_acgan": (2_657_321, 525_835),
}


@pytest.mark.parametrize("experiment", PARAMETERS)
def test_parameters(experiment):
    found = tuple(trainable(build(experiment, player)) for player in PLAYERS)
    assert found == PARAMETERS[experiment]


def test_without_labels_the_2d_gan_lacks_the_weights_of_the_ten_label_inputs():
    generator, discriminator = (build("mnist_gan_2d", player) for player in PLAYERS)
    assert trainable(generator) == 162_497 - 10 * 7 * 7 * 64
    assert trainable(discriminator) == 171_777 - 10 * 3 * 3 * 128


def describe(module):
    """Return a layer in a few words."""
    match module:
        case nn.Linear():
            return f"linear {module.in_features} {module.out_features}"
        case nn.Conv2d() | nn.ConvTranspose2d():
            kind = "transposed" if isinstance(module, nn.ConvTranspose2d) else "conv"
            size = "x".join(map(str, module.kernel_size))
            return f"{kind} {size} {module.out_channels} s{module.stride[0]}"
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return f"norm {module.num_features} {module.momentum} {module.eps}"
        case nn.LeakyReLU():
            return f"leaky {module.negative_slope}"
        case nn.Dropout():
            return f"dropout {module.p}"
        case nn.Upsample():
            return f"up {module.scale_factor:g} {module.mode}"
        case nn.MaxPool2d():
            return f"pool {module.kernel_size}"
        case nn.Embedding():
            return f"classes {module.num_embeddings} {module.embedding_dim}"
        case _:
            return type(module).__name__.lower()


def sequence(network):
    """Return what a network runs, in the order in which it runs it, with the sizes of maps."""
    found = []

    def note(module, inputs, output):
        size = f" -> {output.shape[2]}" if output.dim() == 4 else ""
        found.append(describe(module) + size)

    leaves = [m for m in network.modules() if not list(m.children())]
    hooks = [m.register_forward_hook(note) for m in leaves]
    x = torch.zeros(2, network.latent_dim if hasattr(network, "latent_dim") else 784)
    if not hasattr(network, "latent_dim"):
        x = x.view(2, 1, 28, 28)
    network.eval()(x, torch.tensor([0, 9]))
    for hook in hooks:
        hook.remove()
    return found


LAYERS = {
    ("mnist_dense", "generator"): """
        linear 64 256, leaky 0.2, linear 256 512, leaky 0.2, linear 512 1024, leaky 0.2,
        linear 1024 784, tanh""",
    ("mnist_dense", "discriminator"): """
        linear 784 1024, leaky 0.2, dropout 0.2, linear 1024 512, leaky 0.2, dropout 0.2,
        linear 512 256, leaky 0.2, dropout 0.2, linear 256 1""",
    ("mnist_dense_batchnorm", "generator"): """
        linear 100 256, leaky 0.2, norm 256 0.2 0.001, linear 256 512, leaky 0.2,
        norm 512 0.2 0.001, linear 512 1024, leaky 0.2, norm 1024 0.2 0.001, linear 1024 784, tanh
        """,
    ("mnist_dense_batchnorm", "discriminator"): """
        linear 784 784, leaky 0.2, linear 784 392, leaky 0.2, linear 392 1""",
    ("mnist_cgan", "generator"): """
        classes 10 10, linear 12 3136, relu, dropout 0.3, up 2 nearest -> 14,
        conv 5x5 64 s1 -> 14, relu -> 14, dropout 0.3 -> 14, conv 3x3 32 s1 -> 14, relu -> 14,
        dropout 0.3 -> 14, up 2 nearest -> 28, conv 5x5 1 s1 -> 28, tanh -> 28""",
    ("mnist_cgan", "discriminator"): """
        conv 7x7 128 s2 -> 14, classes 10 10, leaky 0.3 -> 14, dropout 0.3 -> 14, pool 2 -> 7,
        conv 3x3 128 s1 -> 7, leaky 0.3 -> 7, dropout 0.3 -> 7, flatten, linear 6272 1""",
    ("mnist_acgan", "generator"): """
        classes 10 100, linear 100 3456, relu, transposed 5x5 192 s1 -> 7, relu -> 7,
        norm 192 0.01 0.001 -> 7, transposed 5x5 96 s2 -> 14, relu -> 14,
        norm 96 0.01 0.001 -> 14, transposed 5x5 1 s2 -> 28, tanh -> 28""",
    ("mnist_acgan", "discriminator"): """
        conv 3x3 32 s2 -> 14, leaky 0.2 -> 14, dropout 0.3 -> 14, conv 3x3 64 s1 -> 14,
        leaky 0.2 -> 14, dropout 0.3 -> 14, conv 3x3 128 s2 -> 7, leaky 0.2 -> 7,
        dropout 0.3 -> 7, conv 3x3 256 s1 -> 7, leaky 0.2 -> 7, dropout 0.3 -> 7, flatten,
        linear 12544 10, linear 12544 1""",
}


@pytest.mark.parametrize("key", LAYERS, ids="-".join)
def test_layers(key):
    assert sequence(build(*key)) == [layer.strip() for layer in LAYERS[key].split(",")]


# What SYSTEMS names beside the networks, by experiment.
SETTINGS = {
    "mnist_dense": {
        "data.batch_size": 128,
        "model.prior.mean": 0.0,
        "model.prior.std": 1.0,
        "model.loss.real_target": 0.9,
        "model.share_fakes": False,
        **{
            f"model.{player}_{key}": value
            for player in PLAYERS
            for key, value in {
                "optimizer.class_path": "torch.optim.RMSprop",
                "optimizer.lr": 8e-4,
                "optimizer.alpha": 0.9,
                "optimizer.eps": 1e-7,
                "lr_scheduler.decay": 1e-8,
                "clip_value": 1.0,
            }.items()
        },
    },
    "mnist_dense_batchnorm": {
        "data.batch_size": 16,
        "model.generator_batch": 2,
        "trainer.max_steps": 20_000,
        **{
            f"model.{player}_{key}": value
            for player in PLAYERS
            for key, value in {
                "optimizer.class_path": "torch.optim.Adam",
                "optimizer.lr": 2e-4,
                "optimizer.betas": [0.5, 0.999],
                "optimizer.eps": 1e-7,
                "lr_scheduler.decay": 8e-8,
            }.items()
        },
    },
    "mnist_cgan": {
        "data.batch_size": 256,
        "model.alternation.max_d_steps": 5,
        "model.alternation.max_g_steps": 5,
        "model.alternation.d_below": 2.0,
        "model.alternation.g_above": 0.8,
        "model.generator_optimizer.lr": 3e-4,
        "model.discriminator_optimizer.lr": 1e-4,
        "trainer.max_steps": 50_000,
    },
    "mnist_acgan": {
        "data.batch_size": 100,
        "model.generator_batch": 2,
        "model.fake_labels": "uniform",
        "model.prior.low": -1.0,
        "model.prior.high": 1.0,
        "model.loss.real_target": 0.95,
        "model.loss.generator_target": 0.95,
        "model.regularizers.auxiliary_classifier.discriminator_weight": 2.0,
        "model.regularizers.auxiliary_classifier.generator_weight": 1.0,
        "model.regularizers.auxiliary_classifier.discriminator_samples": "real",
        "model.generator_optimizer.lr": 2e-4,
        "model.generator_optimizer.betas": [0.5, 0.999],
        "trainer.max_steps": 100 * 60_000 // 100,
    },
    "mnist_wgan": {
        "model.regularizers.weight_clipping.clip": 0.01,
        "model.alternation.d_steps": 5,
        "model.discriminator.norm": "none",
        "model.generator_optimizer.class_path": "torch.optim.RMSprop",
        "model.generator_optimizer.lr": 5e-5,
        "model.discriminator_optimizer.lr": 5e-5,
    },
    "mnist_wgan_gp": {
        "model.regularizers.wgan_gp.weight": 10.0,
        "model.alternation.d_steps": 5,
        "model.discriminator.norm": "none",
        "model.generator_optimizer.class_path": "torch.optim.Adam",
        "model.generator_optimizer.lr": 1e-4,
        "model.discriminator_optimizer.betas": [0.0, 0.9],
    },
}


@pytest.mark.parametrize("experiment", SETTINGS)
def test_settings(experiment):
    composed = settings(experiment)
    for path, expected in SETTINGS[experiment].items():
        found = composed
        for key in path.split("."):
            found = found[key]
        assert found == expected, path


def test_the_2d_gan_is_the_conditional_one_without_labels():
    ours, theirs = settings("mnist_gan_2d"), settings("mnist_cgan")
    for player in PLAYERS:
        assert ours["model"][player].pop("num_classes") is None
    for key in ("model", "data"):
        assert ours[key] == theirs[key]


def test_the_dense_gan_with_adam():
    model = settings("mnist_dense", "optimizer=adam")["model"]
    for player in PLAYERS:
        adam = {"class_path": "torch.optim.Adam", "lr": 2e-4, "betas": [0.5, 0.999]}
        assert model[f"{player}_optimizer"] == adam


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_all_of_them_train_on_28x28(experiment):
    if experiment not in AT_THE_DATAS_SIZE:
        assert settings(experiment, "data=digits")["data"]["image_size"] == 28


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 8, 12), (1, 20, 24), (2, 32, 28)], ids=str)
@pytest.mark.parametrize("network", ["cgan", "acgan"])
def test_other_sizes(network, shape, num_classes):
    y = torch.tensor([0, 2, 1])
    if network == "cgan":
        generator = CGANGenerator(shape, 3, base_channels=2, num_classes=num_classes)
        discriminator = CGANDiscriminator(shape, base_channels=2, num_classes=num_classes)
    else:
        generator = ACGANGenerator(shape, 3, base_channels=2, num_classes=num_classes)
        discriminator = ACGANDiscriminator(shape, base_channels=2, num_classes=num_classes)
    x = generator(torch.randn(3, 3), y)
    assert x.shape == (3, *shape)
    assert x.abs().max() <= 1
    output = discriminator(x, y)
    if network == "cgan":
        assert output.shape == (3,)
        return
    assert output.logits.shape == (3,)
    if num_classes is None:
        assert output.class_logits is None
    else:
        assert output.class_logits.shape == (3, num_classes)


def test_labels_are_further_channels_of_the_conditional_discriminator():
    network = CGANDiscriminator((1, 8, 8), base_channels=2, num_classes=3)
    seen = []
    network.layers.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network(torch.randn(2, 1, 8, 8), torch.tensor([2, 0]))
    assert seen[0].shape == (2, 2 + 3, 4, 4)
    expected = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])[:, :, None, None]
    assert torch.equal(seen[0][:, 2:], expected.expand(-1, -1, 4, 4))


def test_the_class_multiplies_the_latent_of_the_acgan():
    network = ACGANGenerator((1, 8, 8), 4, base_channels=2, num_classes=3).eval()
    seen = []
    network.project.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    z, y = torch.randn(2, 4), torch.tensor([2, 0])
    network(z, y)
    torch.testing.assert_close(seen[0], z * network.classes.weight[y])


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: ACGANGenerator((1, 30, 30)), "height and width multiples of 4, got"),
        (lambda: ACGANGenerator((1, 8, 8), latent_dim=0), "latent_dim must be at least 1, got 0"),
        (lambda: ACGANGenerator((1, 8, 8), base_channels=0), "base_channels must be at least 1"),
        (lambda: ACGANDiscriminator((8, 8)), "height and width multiples of 4, got"),
        (lambda: ACGANDiscriminator((1, 8, 8), dropout=1.0), r"dropout must lie in \[0, 1\)"),
        (
            lambda: ACGANDiscriminator((1, 8, 8), num_classes=0),
            "num_classes must be at least 1 or None, got 0",
        ),
        (lambda: CGANGenerator((1, 6, 8)), "height and width multiples of 4, got"),
        (lambda: CGANGenerator((1, 8, 8), base_channels=3), "base_channels must be even, got 3"),
        (lambda: CGANGenerator((1, 8, 8), dropout=-0.1), r"must lie in \[0, 1\), got -0.1"),
        (lambda: CGANGenerator((1, 8, 8), latent_dim=0), "latent_dim must be positive unless"),
        (lambda: CGANGenerator((1, 8, 8), num_classes=0), "num_classes must be at least 1, got 0"),
        (lambda: CGANDiscriminator((1, 8, 8), base_channels=0), "base_channels must be at least 1"),
        (lambda: CGANDiscriminator((1, 8, 8), dropout=1), r"dropout must lie in \[0, 1\), got 1"),
        (lambda: MLPGenerator((1, 8), norm="layer"), "norm must be 'none' or 'batch', got 'layer'"),
    ],
)
def test_wrong_arguments(build, text):
    with pytest.raises(InputError, match=text):
        build()


def test_batch_norm_of_the_dense_generator():
    network = MLPGenerator((4,), 3, hidden=(5, 6), norm="batch", norm_momentum=0.2, norm_eps=1e-3)
    kinds = [type(module).__name__ for module in network.layers]
    assert kinds == ["Linear", "LeakyReLU", "BatchNorm1d"] * 2 + ["Linear", "Tanh"]
    network(torch.randn(16, 3))
    assert network.layers[2].running_mean.any()


def test_defaults_of_the_dense_networks_are_without_batch_norm():
    modules = [*MLPGenerator((4,)).modules(), *MLPDiscriminator((4,)).modules()]
    assert not any(isinstance(module, nn.BatchNorm1d) for module in modules)
