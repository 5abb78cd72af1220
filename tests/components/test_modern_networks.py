"""What R3GAN, FastGAN, StyleGAN2 and the transformer share: shapes, penalties, bfloat16, states."""

import copy

import pytest
import torch

from lightning_gan.components.spec import build
from lightning_gan.create import create_discriminator, create_generator
from lightning_gan.errors import InputError
from lightning_gan.types import as_discriminator_output

SMALL = {
    "r3gan": ({"widths": 4, "cardinality": 2, "latent_dim": 5}, {"widths": 4, "cardinality": 2}),
    "fastgan": ({"base_channels": 1, "latent_dim": 5}, {"base_channels": 1}),
    "stylegan2": (
        {"channel_max": 4, "style_dim": 4, "latent_dim": 5},
        {"channel_max": 4, "group_size": 2},
    ),
    "transformer": (
        {"width": 8, "head_width": 4, "depth": 1, "latent_dim": 5},
        {"width": 8, "head_width": 4, "depth": 1},
    ),
}
names = pytest.mark.parametrize("name", SMALL)


def pair(name, shape, num_classes=None, **more):
    torch.manual_seed(0)
    ours, theirs = SMALL[name]
    kwargs = {"sample_shape": shape, "num_classes": num_classes}
    return (
        create_generator(name, **kwargs, **ours),
        create_discriminator(name, **kwargs, **theirs, **more),
    )


def total(discriminator, x, y=None):
    return as_discriminator_output(discriminator(x, y)).total()


@names
@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize(
    "shape",
    [(1, 4, 4), (1, 8, 8), (2, 12, 8), (1, 28, 28), (5, 32, 32), (3, 16, 64)],
    ids=str,
)
def test_shapes(name, shape, num_classes):
    generator, discriminator = pair(name, shape, num_classes)
    y = torch.tensor([0, 2, 1])
    x = generator(torch.randn(3, 5), y)
    assert x.shape == (3, *shape)
    for head in as_discriminator_output(discriminator(x, y)).heads:
        assert head.shape[0] == 3
        assert head.isfinite().all()


@names
def test_gradient_penalties_reach_every_weight_before_the_last_bias(name):
    more = {"norm": "none"} if name == "fastgan" else {}
    _, discriminator = pair(name, (1, 8, 8), **more)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    x = torch.randn(4, 1, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(total(discriminator, x), x, create_graph=True)
    penalty = gradient.square().sum()
    penalty.backward()
    assert penalty > 0
    weights = {name: p.grad for name, p in discriminator.named_parameters() if "decode" not in name}
    reached = {name for name, grad in weights.items() if grad is not None and grad.any()}
    missed = {name for name in set(weights) - reached if name.split(".")[-1] != "bias"}
    assert not missed - {"places"}
    assert all(grad.isfinite().all() for grad in weights.values() if grad is not None)


@names
def test_bfloat16_is_finite(name):
    generator, discriminator = pair(name, (1, 8, 8))
    with torch.autocast("cpu", torch.bfloat16):
        x = generator(torch.randn(8, 5))
        logits = total(discriminator, x)
    (x.float().mean() + logits).backward()
    for network in (generator, discriminator):
        for key, p in network.named_parameters():
            assert p.grad is None or p.grad.isfinite().all(), key
        assert all(buffer.isfinite().all() for buffer in network.buffers())


@names
def test_training_goes_on_from_state_and_seed(name):
    """What a network does in training depends on arguments, state_dict and torch's seed alone."""
    for network, x in zip(
        pair(name, (1, 8, 8)), (torch.randn(4, 5), torch.randn(4, 1, 8, 8)), strict=True
    ):
        network(x)
        twin = build(network.spec())
        twin.load_state_dict(copy.deepcopy(network.state_dict()))
        outputs = []
        for each in (network, twin):
            torch.manual_seed(1)
            each(x)
            output = each(x)
            outputs.append(output if isinstance(output, torch.Tensor) else output.heads[0])
        assert torch.equal(*outputs)


@names
def test_samples_are_fixed_in_eval_mode_and_copies_follow(name):
    generator, _ = pair(name, (1, 8, 8))
    z = torch.randn(4, 5)
    generator(z)
    averaged = copy.deepcopy(generator).eval()
    assert torch.equal(averaged(z), averaged(z))
    torch.testing.assert_close(averaged(z)[:1], averaged(z[:1]))


@names
@pytest.mark.parametrize("shape", [(1, 28, 27), (8, 8), (0, 8, 8)])
def test_shapes_that_do_not_fit(name, shape):
    for create in (create_generator, create_discriminator):
        with pytest.raises(InputError, match=r"sample_shape must be \(channels, height, width\)"):
            create(name, sample_shape=shape)


@names
def test_missing_labels(name):
    generator, discriminator = pair(name, (1, 8, 8), num_classes=3)
    text = r"num_classes=3 needs labels y, int64 of shape \(N,\), got None"
    with pytest.raises(InputError, match=text):
        generator(torch.randn(2, 5))
    with pytest.raises(InputError, match=text):
        discriminator(torch.randn(2, 1, 8, 8))
