"""The transformer: attention against torch's, blocks by hand, patches, and rates of widths."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention, silu

from lightning_gan.discriminators.transformer import TransformerDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.game.optimization import make_optimizer
from lightning_gan.generators.transformer import TransformerGenerator
from lightning_gan.layers.transformer import RMSNorm, SwiGLU, TokenAttention, TransformerBlock
from lightning_gan.types import Player

TINY = {"width": 8, "depth": 2, "head_width": 4, "patch_size": 2}


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_rms_norm():
    norm = RMSNorm(4)
    norm.weight.data = torch.tensor([1.0, 2.0, 3.0, 4.0])
    x = torch.tensor([[1.0, -1.0, 1.0, 1.0], [3.0, 3.0, -3.0, 3.0]])
    torch.testing.assert_close(norm(x), x.sign() * norm.weight)


def test_attention_is_that_of_torch():
    layer = TokenAttention(12, heads=3).double()
    for norm in layer.norms:
        norm.weight.data.uniform_(0.5, 2)
    tokens = torch.randn(2, 5, 12, dtype=torch.float64)
    parts = layer.inputs(tokens).chunk(3, dim=-1)
    q, k, v = (part.reshape(2, 5, 3, 4).transpose(1, 2) for part in parts)
    mixed = scaled_dot_product_attention(layer.norms[0](q), layer.norms[1](k), v)
    expected = layer.output(mixed.transpose(1, 2).reshape(2, 5, 12))
    torch.testing.assert_close(layer(tokens), expected)


def test_gated_hidden_layer():
    layer = SwiGLU(3, 4)
    x = torch.randn(2, 5, 3)
    gate, value = (x @ part.t() for part in layer.inputs.weight.chunk(2))
    torch.testing.assert_close(layer(x), (silu(gate) * value) @ layer.output.weight.t())


def test_a_plain_block_by_hand():
    block = TransformerBlock(8, heads=2, depth=2)
    block.scales.data.uniform_(0, 1)
    x = torch.randn(2, 3, 8)
    middle = x + block.scales[0] * block.branches[0](block.norms[0](x))
    expected = middle + block.scales[1] * block.branches[1](block.norms[1](middle))
    torch.testing.assert_close(block(x), expected)


def test_a_modulated_block_by_hand():
    block = TransformerBlock(8, heads=2, depth=2, style_dim=5)
    x, style = torch.randn(2, 3, 8), torch.randn(2, 5)
    numbers = block.modulation(style).reshape(2, 4, 1, 8).unbind(1)
    middle = x + (0.5 + numbers[1]) * block.branches[0]((1 + numbers[0]) * block.norms[0](x))
    branch = block.branches[1]((1 + numbers[2]) * block.norms[1](middle))
    torch.testing.assert_close(block(x, style), middle + (0.5 + numbers[3]) * branch)


def test_a_patch_is_made_of_its_token():
    generator = TransformerGenerator((3, 4, 6), latent_dim=5, **TINY)
    assert generator.tokens.shape == (2 * 3, 8)
    generator.to_patch.register_forward_hook(
        lambda module, inputs, output: torch.arange(6.0)[:, None].expand_as(output)
    )
    image = generator(torch.randn(1, 5))
    places = torch.tensor([[0.0, 1, 2], [3, 4, 5]])
    expected = places.repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert torch.equal(image, expected.expand(1, 3, 4, 6))


def test_the_discriminator_sees_a_patch_in_each_token():
    network = TransformerDiscriminator((1, 4, 4), **TINY)
    seen = []
    network.from_patch.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    network(x)
    assert seen[0][0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_generator_is_synthesis_of_the_mapping():
    generator = TransformerGenerator((1, 8, 8), latent_dim=5, num_classes=3, **TINY)
    z, y = torch.randn(4, 5), torch.tensor([0, 1, 2, 0])
    w = generator.mapping(z, y)
    assert w.shape == (4, 8)
    torch.testing.assert_close(generator(z, y), generator.synthesis(w))


def test_the_style_enters_with_the_tokens():
    generator = TransformerGenerator((1, 8, 8), latent_dim=5, **TINY)
    seen = []
    generator.blocks[0].register_forward_pre_hook(lambda module, inputs: seen.extend(inputs))
    w = torch.randn(4, 8)
    generator.synthesis(w)
    tokens, style = seen
    assert style is w
    torch.testing.assert_close(tokens, generator.tokens + w[:, None])


def test_projection():
    network = TransformerDiscriminator((1, 8, 8), num_classes=3, **TINY)
    x, y = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 1])
    read = []
    network.norm.register_forward_hook(lambda module, inputs, output: read.append(output))
    logits = network(x, y)
    projected = (read[0] * network.classes.weight[y]).sum(1) / 8**0.5
    torch.testing.assert_close(logits, network.head(read[0]).squeeze(1) + projected)


@pytest.mark.parametrize("width", [32, 64, 256])
def test_all_grows_with_the_width(width):
    """12 width^2 weights a block, and as many again for the modulation of G's."""
    hidden = round(4 * width * 2 / 3)
    block = 4 * width**2 + 3 * width * hidden
    biases = 4 * width + 2 * hidden + width + 2 * 32
    generator = TransformerGenerator((1, 8, 8), latent_dim=64, width=width, depth=3)
    style = 65 * width + (width + 1) * width
    modulated = block + biases + 4 * width * (width + 1)
    expected = style + 4 * width + 3 * modulated + width + 16 * (width + 1)
    assert parameters(generator) == expected
    discriminator = TransformerDiscriminator((1, 8, 8), width=width, depth=3)
    plain = block + biases + 4 * width
    expected = 17 * width + 4 * width + width + 3 * plain + width + width + 1
    assert parameters(discriminator) == expected


@pytest.mark.parametrize(("width", "rate"), [(32, 2e-3), (64, 1e-3), (256, 2.5e-4)])
@pytest.mark.parametrize("network", [TransformerGenerator, TransformerDiscriminator])
def test_the_rate_falls_as_the_width_grows(network, width, rate):
    player = Player.GENERATOR if network is TransformerGenerator else Player.DISCRIMINATOR
    net = network((1, 8, 8), width=width, depth=1)
    optimizer = make_optimizer(player, net, (), lambda p: torch.optim.Adam(p, lr=1e-3))
    (group,) = optimizer.param_groups
    assert group["lr"] == pytest.approx(rate)
    assert len(group["params"]) == len(list(net.parameters()))


def move(width, base_width):
    """How far one step of Adam moves the mean logit."""
    torch.manual_seed(0)
    net = TransformerDiscriminator((1, 8, 8), width=width, depth=2, base_width=base_width)
    optimizer = make_optimizer(
        Player.DISCRIMINATOR, net, (), lambda p: torch.optim.Adam(p, lr=1e-4)
    )
    x = torch.randn(16, 1, 8, 8)
    before = net(x)
    before.mean().backward()
    optimizer.step()
    return (net(x) - before).mean().abs().item()


def test_outputs_move_alike_at_all_widths():
    """At 256 a step moves logits about as far as at 32; with one rate for both, much farther."""
    narrow = move(32, base_width=32)
    assert 0.3 < move(256, base_width=32) / narrow < 3
    assert move(256, base_width=256) / narrow > 6


@pytest.mark.parametrize("network", [TransformerGenerator, TransformerDiscriminator])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"patch_size": 3}, r"multiples of patch_size=3, got \(1, 8, 8\)"),
        ({"patch_size": 0}, "patch_size must be at least 1, got 0"),
        ({"width": 48}, "multiple of head_width, got width=48, head_width=32"),
        ({"width": 0}, "got width=0"),
        ({"depth": 0}, "got .*depth=0"),
        ({"base_width": 0}, "base_width=0"),
        ({"mlp_ratio": 0.0}, "mlp_ratio=0"),
    ],
    ids=str,
)
def test_wrong_arguments(network, arguments, text):
    with pytest.raises(InputError, match=text):
        network((1, 8, 8), **arguments)
