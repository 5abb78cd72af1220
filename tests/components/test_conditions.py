"""Conditions of networks: labels, vectors, sequences; where they enter; errors by their texts."""

import math

import pytest
import torch
import toys
from torch.nn.functional import one_hot

from lightning_gan.discriminators.biggan import BigGANDiscriminator
from lightning_gan.discriminators.dcgan import DCGANDiscriminator
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.discriminators.sngan_resnet import SNGANResNetDiscriminator
from lightning_gan.discriminators.unet import UNetDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.biggan import BigGANGenerator
from lightning_gan.generators.dcgan import DCGANGenerator
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.generators.sngan_resnet import SNGANResNetGenerator
from lightning_gan.layers.condition import Condition
from lightning_gan.layers.conditional_norm import ConditionalNorm2d, plain_norm
from lightning_gan.layers.sequence_embedding import SequenceEmbedding, sinusoids
from lightning_gan.testing import check_discriminator, check_generator
from lightning_gan.types import as_discriminator_output

SHAPE = (1, 8, 8)
LABELS = torch.tensor([0, 2, 1, 0])
VECTORS = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0.2, -3, 0.5], [0, 0, 0]])
TOKENS = torch.tensor([[0, 3, 4, 1], [2, -1, -1, -1], [4, 4, 0, -1], [-1, -1, -1, -1]])
CONDITIONS = {
    "labels": ({"num_classes": 3}, LABELS),
    "vectors": ({"condition_dim": 3}, VECTORS),
    "tokens": ({"num_tokens": 5}, TOKENS),
}
GENERATORS = {
    MLPGenerator: ("concat", "product"),
    DCGANGenerator: ("concat", "product", "batch_norm", "adain"),
    SNGANResNetGenerator: ("batch_norm", "adain", "concat", "product"),
    BigGANGenerator: (None,),
}
DISCRIMINATORS = [
    MLPDiscriminator,
    DCGANDiscriminator,
    SNGANResNetDiscriminator,
    BigGANDiscriminator,
    UNetDiscriminator,
]


def build(kind, conditioning=None, **arguments):
    width = {"hidden": (4,)} if kind.__name__.startswith("MLP") else {"base_channels": 2}
    if kind in GENERATORS:
        width["latent_dim"] = 4
    if kind is MLPDiscriminator:
        width["dropout"] = 0.0
    if conditioning is not None:
        width["conditioning"] = conditioning
    return kind(SHAPE, class_dim=6, **width, **arguments)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize(
    ("kind", "conditioning"),
    [(kind, each) for kind, ways in GENERATORS.items() for each in ways],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_generators_heed_every_condition_everywhere(kind, conditioning, condition):
    arguments, y = CONDITIONS[condition]
    torch.manual_seed(0)
    network = build(kind, conditioning, **arguments)
    for parameter in network.parameters():  # tables of norms begin at 0
        parameter.data += 0.1 * torch.randn_like(parameter)
    z = torch.randn(4, 4)
    network(z, y).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    network.eval()
    x = network(z[:1].expand(4, -1), y)
    assert not torch.allclose(x[0], x[1])
    assert not torch.allclose(x[1], x[2])
    with pytest.raises(InputError, match=f"{next(iter(arguments))}=.* needs .*y"):
        network(z)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("conditioning", ["projection", "concat"])
@pytest.mark.parametrize("kind", DISCRIMINATORS, ids=lambda k: k.__name__)
def test_discriminators_heed_every_condition_everywhere(kind, conditioning, condition):
    arguments, y = CONDITIONS[condition]
    torch.manual_seed(0)
    network = build(kind, conditioning, **arguments)
    x = torch.randn(4, *SHAPE)
    total = sum(logits.square().sum() for logits in as_discriminator_output(network(x, y)).heads)
    total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    network.eval()
    one = as_discriminator_output(network(x[:1].expand(4, -1, -1, -1), y))
    assert all(not torch.allclose(head[0], head[1]) for head in one.heads)


@pytest.mark.parametrize("kind", DISCRIMINATORS, ids=lambda k: k.__name__)
def test_auxiliary_heads_tell_what_they_are_not_told(kind):
    x = torch.randn(4, *SHAPE)
    for arguments in ({"num_classes": 3}, {"condition_dim": 5}):
        network = build(kind, "auxiliary", **arguments).eval()
        output = network(x, None)
        assert output.class_logits.shape == (4, next(iter(arguments.values())))
        assert torch.equal(output.heads[0], network(x, LABELS).heads[0])
    assert as_discriminator_output(build(kind, "auxiliary")(x)).class_logits is None
    with pytest.raises(InputError, match="an auxiliary head tells num_classes or condition_dim, n"):
        build(kind, "auxiliary", num_tokens=5)
    with pytest.raises(InputError, match="'projection', 'concat' or 'auxiliary', got 'product'"):
        build(kind, "product")


def test_generators_refuse_unknown_words():
    with pytest.raises(InputError, match="conditioning must be 'concat' or 'product', got 'adain'"):
        build(MLPGenerator, "adain")
    for kind in (DCGANGenerator, SNGANResNetGenerator):
        with pytest.raises(InputError, match="conditioning must be .*, got 'projection'"):
            build(kind, "projection")


@pytest.mark.parametrize(
    ("component", "y"),
    [
        (lambda: build(SNGANResNetGenerator, "adain", condition_dim=3), VECTORS),
        (lambda: build(SNGANResNetGenerator, "batch_norm", num_tokens=5), TOKENS),
        (lambda: build(BigGANGenerator, num_tokens=5), TOKENS),
        (lambda: build(DCGANGenerator, "product", num_classes=3), LABELS),
        (lambda: build(SNGANResNetDiscriminator, "concat", condition_dim=3), VECTORS),
        (lambda: build(DCGANDiscriminator, "auxiliary", condition_dim=3, norm="none"), VECTORS),
        (lambda: build(MLPDiscriminator, "projection", num_tokens=5), TOKENS),
    ],
)
def test_conditional_networks_conform(component, y):
    component = component()
    check = check_generator if hasattr(component, "latent_dim") else check_discriminator
    check(component, y=y)


def test_one_hot_vectors_are_labels_and_several_labels_a_sum():
    labels = Condition(num_classes=3).table(4)
    vectors = Condition(condition_dim=3).table(4)
    vectors.weight.data = labels.weight.detach().T.clone()
    read = Condition(condition_dim=3)
    y = read(one_hot(LABELS, 3), torch.zeros(1))  # int64, as data may have it
    torch.testing.assert_close(vectors(y), labels(LABELS))
    both = vectors(read(torch.tensor([[1, 0, 1]]), torch.zeros(1)))
    torch.testing.assert_close(both[0], labels.weight[0] + labels.weight[2])


def test_one_measured_value_may_have_no_dimension():
    read = Condition(condition_dim=1)
    y = torch.tensor([0.5, 2.0], dtype=torch.float64)
    assert torch.equal(read(y, torch.zeros(1)), torch.tensor([[0.5], [2.0]]))
    with pytest.raises(InputError, match=r"condition_dim=2 needs vectors y of shape \(N, 2\), got"):
        Condition(condition_dim=2)(y, torch.zeros(1))


@pytest.mark.parametrize("conditioning", ["batch_norm", "adain"])
def test_conditional_norms_are_the_formula(conditioning):
    condition = Condition(num_classes=2)
    norm = ConditionalNorm2d(
        plain_norm(conditioning, 3), condition.table(3), condition.table(3)
    ).double()
    x, y = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.tensor([1, 0])
    axes = (2, 3) if conditioning == "adain" else (0, 2, 3)
    mean = x.mean(axes, keepdim=True)
    variance = (x - mean).square().mean(axes, keepdim=True)
    gain, bias = (t.weight[y][:, :, None, None] for t in (norm.gain, norm.bias))
    expected = (1 + gain) * (x - mean) / (variance + 1e-5).sqrt() + bias
    torch.testing.assert_close(norm(x, y), expected)


def test_gains_and_biases_begin_as_those_of_plain_batch_norm():
    for kind in (DCGANGenerator, SNGANResNetGenerator):
        for layer in build(kind, "batch_norm", num_classes=3).modules():
            if isinstance(layer, ConditionalNorm2d):
                assert not layer.gain.weight.any()
                assert not layer.bias.weight.any()


def test_a_sequence_is_read_by_attention_to_its_tokens():
    torch.manual_seed(0)
    read = SequenceEmbedding(5, 4).double()
    tokens = [0, 3, 1]  # the start, and the tokens 2 and 0
    x = read.tokens.weight[tokens] + sinusoids(3, read.tokens.weight[tokens])
    scores = [(read.key.weight @ each) @ read.query / 2 for each in x]
    weights = torch.softmax(torch.stack(scores), 0)
    expected = sum(w * read.value(each) for w, each in zip(weights, x, strict=True))
    torch.testing.assert_close(read(torch.tensor([[2, 0, -1]]))[0], expected)
    torch.testing.assert_close(read(torch.tensor([[2, 0]]))[0], expected)
    assert not torch.allclose(read(torch.tensor([[0, 2]]))[0], expected)  # order matters
    assert read(torch.full((2, 3), -1)).isfinite().all()
    with pytest.raises(
        InputError, match=r"num_tokens=5 needs sequences y, int64 of shape \(N, T\)"
    ):
        read(torch.zeros(2, 3))
    assert read(torch.zeros(2, 0, dtype=torch.int64)).shape == (2, 4)
    with pytest.raises(InputError, match=r"takes tokens in 0..4, and -1 after the end, got 5"):
        read(torch.tensor([[1, 5]]))  # data numbered from 1
    each = torch.func.vmap(lambda y: read(y[None])[0])(torch.tensor([[2, 0], [4, 4]]))
    torch.testing.assert_close(each, read(torch.tensor([[2, 0], [4, 4]])))


def test_sinusoids():
    found = sinusoids(3, torch.zeros(1, 3, 5))
    expected = [math.sin(2), math.cos(2), math.sin(2 / 10_000**0.4), math.cos(2 / 10_000**0.4)]
    torch.testing.assert_close(found[2, :4], torch.tensor(expected))
    assert found.shape == (3, 5)


def test_wrong_numbers():
    for name in ("condition_dim", "num_tokens"):
        with pytest.raises(InputError, match=f"{name} must be at least 1, got 0"):
            build(MLPGenerator, **{name: 0})
    with pytest.raises(
        InputError, match="got condition_dim=2, num_tokens=3; set the others to null"
    ):
        build(MLPGenerator, condition_dim=2, num_tokens=3)


def test_vectors_of_data_train_both_networks(tmp_path):
    torch.manual_seed(0)
    gan = toys.gan(
        generator=build(SNGANResNetGenerator, condition_dim=3),
        discriminator=build(SNGANResNetDiscriminator, condition_dim=3),
    )
    run = toys.fit(tmp_path, gan, 2, toys.loader(toys.images(4, SHAPE), VECTORS, batch_size=4))
    assert run.global_step == 2
    assert gan.sample(4, labels=VECTORS).shape == (4, *SHAPE)
