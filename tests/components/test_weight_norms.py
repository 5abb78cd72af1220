"""Spectral norm, weight norm and equalized learning rate: values, gradients, state, errors."""

import copy
import math

import numpy as np
import pytest
import torch
import toys
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from lightning_gan import EMA
from lightning_gan.data import RandomImages
from lightning_gan.discriminators.dcgan import DCGANDiscriminator
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.discriminators.sngan_resnet import SNGANResNetDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.biggan import BigGANGenerator
from lightning_gan.generators.dcgan import DCGANGenerator
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.generators.sngan_resnet import SNGANResNetGenerator
from lightning_gan.layers.conditional_norm import ConditionalNorm2d
from lightning_gan.layers.conditioning import ClassEmbedding
from lightning_gan.layers.reparameterized import SpectralNorm, reparameterize


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_one_power_iteration_is_that_of_algorithm_1():
    weight = torch.randn(3, 2, 2, 2, dtype=torch.float64)
    layer = SpectralNorm(weight)
    layer.u.copy_(torch.tensor([0.6, 0.0, 0.8]))
    matrix, u = weight.reshape(3, 8).numpy(), layer.u.numpy().copy()
    v = unit(matrix.T @ u)
    u = unit(matrix @ v)
    expected = weight.numpy() / (u @ matrix @ v)
    np.testing.assert_allclose(layer(weight).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(layer.u.numpy(), u, rtol=1e-12)


def test_reading_often_gives_the_largest_singular_value():
    weight = torch.randn(5, 7, dtype=torch.float64)
    layer = SpectralNorm(weight)
    for _ in range(500):
        normalized = layer(weight)
    sigma = torch.linalg.svdvals(weight)[0]
    torch.testing.assert_close(normalized, weight / sigma)


def test_gradient_takes_u_and_v_for_constants():
    """d<A, W / sigma> / dW = A / sigma - <A, W> / sigma^2 u v^T."""
    weight = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    a = torch.randn(3, 4, dtype=torch.float64)
    layer = SpectralNorm(weight)
    u = layer.u.clone()
    (a * layer(weight)).sum().backward()
    matrix = weight.detach()
    v = nn.functional.normalize(matrix.T @ u, dim=0)
    sigma = (matrix @ v).norm()
    u = matrix @ v / sigma
    expected = a / sigma - (a * matrix).sum() / sigma**2 * torch.outer(u, v)
    torch.testing.assert_close(weight.grad, expected)


def test_two_passes_before_one_backward():
    """Real and fake samples are judged before the gradient is taken; both are in it."""
    network = nn.Linear(4, 3)
    reparameterize(network, "spectral")
    (network(torch.randn(2, 4)).sum() + network(torch.randn(2, 4)).sum()).backward()
    assert network.parametrizations.weight.original.grad.abs().sum() > 0


def test_eval_mode_keeps_the_state_and_a_shrunken_state_gives_the_same():
    network = nn.Conv2d(2, 4, 3)
    reparameterize(network, "spectral")
    norm = network.parametrizations.weight[0]
    network.eval()
    before, u = network.weight.detach().clone(), norm.u.clone()
    assert torch.equal(norm.u, u)
    norm.u.mul_(0.5)  # as an average of vectors may be
    torch.testing.assert_close(network.weight, before)
    network.train()
    norm.u.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    network(torch.randn(1, 2, 3, 3))
    assert not torch.equal(norm.u, torch.tensor([1.0, 0.0, 0.0, 0.0]))


def test_the_weight_of_a_transposed_convolution_has_rows_for_outputs():
    network = nn.ConvTranspose2d(3, 5, 2)
    original = network.weight.detach().clone()
    reparameterize(network, "spectral")
    assert network.parametrizations.weight[0].u.shape == (5,)
    for _ in range(200):
        weight = network.weight
    sigma = torch.linalg.svdvals(original.transpose(0, 1).flatten(1))[0]
    torch.testing.assert_close(weight, original / sigma)


def test_power_iteration_runs_without_autocast():
    weight = torch.randn(64, 64)
    layer = SpectralNorm(weight)
    twin = copy.deepcopy(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = layer(weight)
    assert torch.equal(cast, twin(weight))


def test_a_weight_of_zeros_stays_finite():
    weight = torch.zeros(2, 3, requires_grad=True)
    normalized = SpectralNorm(weight)(weight)
    normalized.sum().backward()
    assert torch.equal(normalized, torch.zeros(2, 3))
    assert weight.grad.isfinite().all()


def test_spectral_norm_follows_a_weight_that_begins_at_zero():
    """No vector is lost at 0, and the gradient there is that of the weight itself."""
    layer = nn.Linear(3, 2, bias=False)
    nn.init.zeros_(layer.weight)
    reparameterize(layer, "spectral")
    layer(torch.ones(1, 3)).sum().backward()
    original = layer.parametrizations.weight.original
    torch.testing.assert_close(original.grad, torch.ones(2, 3))
    with torch.no_grad():
        original.copy_(torch.tensor([[3e-4, 0.0, 0.0], [0.0, 1e-4, 0.0]]))
    for _ in range(50):
        weight = layer.weight
    torch.testing.assert_close(weight, torch.tensor([[1.0, 0.0, 0.0], [0.0, 1 / 3, 0.0]]))


def test_weight_norm_refuses_what_has_no_direction():
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.weight[1])
    with pytest.raises(InputError, match="all 0 in any output of Linear"):
        reparameterize(layer, "weight")
    reparameterize(nn.Linear(3, 2, device="meta"), "weight")  # nothing to look at yet


@pytest.mark.parametrize("weight_norm", ["spectral", "weight", "equalized"])
@pytest.mark.parametrize("classes", [None, 3])
def test_every_layer_of_biggan_but_the_table_of_classes(classes, weight_norm):
    """Gains and biases are linear maps of the latent there, and begin like all others."""
    network = BigGANGenerator(
        (1, 8, 8), latent_dim=4, base_channels=1, num_classes=classes, weight_norm=weight_norm
    )
    layers = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    norms = [m for m in network.modules() if isinstance(m, ConditionalNorm2d)]
    assert norms
    assert {id(part) for norm in norms for part in (norm.gain, norm.bias)} <= set(map(id, layers))
    assert all(hasattr(layer, "parametrizations") for layer in layers)


def test_a_stand_in_of_a_tensor_is_not_looked_at():
    with FakeTensorMode():
        for weight_norm in ("spectral", "weight", "equalized"):
            reparameterize(nn.Linear(3, 2), weight_norm)


CONDITIONS = {
    "classes": ({"num_classes": 3}, torch.tensor([0, 1, 2, 1])),
    "vectors": ({"condition_dim": 2}, torch.randn(4, 2)),
    "tokens": ({"num_tokens": 5}, torch.tensor([[1, 2], [0, -1], [4, 3], [3, 3]])),
}


@pytest.mark.parametrize("weight_norm", ["spectral", "weight", "equalized"])
@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("conditioning", ["batch_norm", "adain", "concat", "product"])
@pytest.mark.parametrize("network", [DCGANGenerator, SNGANResNetGenerator])
def test_conditions_work_with_every_weight_norm(network, conditioning, condition, weight_norm):
    """A conditional norm begins as a plain one, and a step moves it by a step."""
    torch.manual_seed(0)
    options, y = CONDITIONS[condition]
    generator = network(
        (1, 8, 8),
        base_channels=4,
        latent_dim=3,
        conditioning=conditioning,
        class_dim=4,
        weight_norm=weight_norm,
        **options,
    )
    z = torch.randn(4, 3)
    norms = [m for m in generator.modules() if isinstance(m, ConditionalNorm2d)]
    assert bool(norms) == (conditioning in ("batch_norm", "adain"))
    for norm in norms:
        c = generator.condition(y, z)
        assert not norm.gain(c).any()
        assert not norm.bias(c).any()
    optimizer = torch.optim.Adam(generator.parameters(), 1e-3)
    generator(z, y).square().mean().backward()
    assert all(p.grad is None or p.grad.abs().max() < 1e3 for p in generator.parameters())
    optimizer.step()
    for norm in norms:
        assert 0 < norm.gain(generator.condition(y, z)).abs().max() < 0.1
    assert generator(z, y).isfinite().all()


def test_weight_norm_begins_where_the_weight_was_and_has_a_length_for_each_output():
    network = nn.ConvTranspose2d(3, 5, 2)
    original = network.weight.detach().clone()
    reparameterize(network, "weight")
    torch.testing.assert_close(network.weight, original)
    length, direction = network.parametrizations.weight.parameters()
    assert length.numel() == 5
    with torch.no_grad():
        length.fill_(2.0)
        direction.mul_(3.0)
    torch.testing.assert_close(
        network.weight.transpose(0, 1).flatten(1).norm(dim=1), torch.full((5,), 2.0)
    )


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (nn.Linear(50, 40), 50),
        (nn.Conv2d(6, 40, 3), 6 * 9),
        (nn.ConvTranspose2d(32, 20, 4, 2, 1), 32 * 16 / 4),
    ],
)
def test_equalized_weights_are_normal_and_scaled_as_he(layer, fan_in):
    torch.manual_seed(0)
    reparameterize(layer, "equalized")
    original = layer.parametrizations.weight.original
    torch.testing.assert_close(layer.weight, original * math.sqrt(2 / fan_in))
    assert abs(original.std() - 1) < 5 / math.sqrt(2 * original.numel())
    assert not layer.bias.any()


def test_equalized_transposed_convolution_keeps_the_scale_of_its_input():
    """What reaches one output value is fan_in: the second moment is 2 for inputs of 1."""
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(64, 64, 4, 2, 1)
    reparameterize(layer, "equalized")
    inner = layer(torch.randn(4, 64, 12, 12))[..., 2:-2, 2:-2]
    assert abs(inner.square().mean() - 2) < 0.2


def test_tables_and_frozen_weights():
    network = nn.ModuleList([ClassEmbedding(3, 4), nn.Linear(4, 2), nn.Linear(4, 2)])
    network[2].weight.requires_grad_(False)
    plain = copy.deepcopy(network)
    reparameterize(plain, "spectral")
    assert [hasattr(layer, "parametrizations") for layer in plain] == [False, True, False]
    reparameterize(network, "spectral", tables=True)
    assert [hasattr(layer, "parametrizations") for layer in network] == [True, True, False]
    assert torch.linalg.svdvals(network[0](torch.arange(3)))[0] < 1.01


NETWORKS = [MLPGenerator, MLPDiscriminator, DCGANGenerator, DCGANDiscriminator]


@pytest.mark.parametrize("weight_norm", ["spectral", "weight", "equalized"])
@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.__name__)
def test_networks_with_an_option(network, weight_norm):
    width = {"hidden": (4,)} if "MLP" in network.__name__ else {"base_channels": 2}
    made = network((1, 8, 8), num_classes=3, weight_norm=weight_norm, **width)
    layers = [
        m for m in made.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))
    ]
    assert layers
    assert all(hasattr(layer, "parametrizations") for layer in layers)
    copied = copy.deepcopy(made).eval()
    made.eval()
    x = torch.randn(2, made.latent_dim) if hasattr(made, "latent_dim") else torch.randn(2, 1, 8, 8)
    y = torch.tensor([0, 2])
    assert torch.equal(made(x, y), copied(x, y))
    with pytest.raises(
        InputError, match="weight_norm must be 'none', 'spectral', 'weight' or 'eq.*'sn'"
    ):
        network((1, 8, 8), weight_norm="sn", **width)


def make(**options):
    torch.manual_seed(7)
    arguments = {"sample_shape": (1, 8, 8), "base_channels": 2, "num_classes": 3}
    return toys.gan(
        generator=SNGANResNetGenerator(latent_dim=3, weight_norm="spectral", **arguments),
        discriminator=SNGANResNetDiscriminator(**arguments),
        **options,
    )


def data():
    return RandomImages(shape=[1, 8, 8], n=24, num_classes=3, batch_size=8)


def test_resume_is_bit_equal(tmp_path):
    whole = make(ema=average())
    toys.fit(tmp_path, whole, 4, data())
    part = toys.fit(tmp_path, make(ema=average()), 2, data())
    part.save_checkpoint(tmp_path / "stopped.ckpt")
    resumed = make(ema=average())
    rest = toys.trainer(tmp_path, max_steps=4)
    rest.fit(resumed, data(), ckpt_path=tmp_path / "stopped.ckpt")
    for network in ("generator", "discriminator", "generator_ema"):
        ours, theirs = getattr(whole, network), getattr(resumed, network)
        assert toys.same(toys.weights(ours), toys.weights(theirs)), network


def average():
    return EMA(half_life_kimg=0.05, buffers="average")


def test_micro_batches_and_the_average_of_the_generator(tmp_path):
    gan = make(ema=average(), micro_batches=2)
    toys.fit(tmp_path, gan, 3, data())
    assert all(
        value.isfinite().all() for value in gan.state_dict().values() if torch.is_tensor(value)
    )
    sigmas = [
        torch.linalg.svdvals(layer.weight.flatten(1))[0]
        for layer in gan.generator_ema.modules()
        if isinstance(layer, (nn.Linear, nn.Conv2d))
    ]
    assert all(0.9 < sigma < 1.5 for sigma in sigmas)


def test_frozen_weights_stay_and_their_estimate_goes_on():
    """So it is in a phase of the generator, whose opponent is frozen and in training mode."""
    gan = make()
    step = gan.discriminator.blocks[0].conv1.parametrizations.weight
    original, u = step.original.detach().clone(), step[0].u.clone()
    gan.discriminator.requires_grad_(False)
    gan.discriminator(torch.randn(2, 1, 8, 8), torch.tensor([0, 1]))
    assert torch.equal(step.original, original)
    assert not torch.equal(step[0].u, u)
