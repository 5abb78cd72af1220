"""Networks and terms: the checks that every author gets, and what the papers say of these."""

import re
from copy import deepcopy
from functools import partial

import pytest
import torch
from image2image.networks import (
    ResNetTranslator,
    TwoDomainDiscriminator,
    TwoWayGenerator,
    domains,
)
from image2image.terms import CycleConsistency, IdentityMapping, ImagePool

from lightning_gan import (
    GAN,
    AdversarialStep,
    Game,
    InputError,
    Player,
    create_discriminator,
    create_loss,
)
from lightning_gan.testing import check_component

SHAPE = (1, 8, 16)
SMALL = {"sample_shape": SHAPE, "base_channels": 2, "blocks": 1}


def both(n=4):
    return {"a": torch.rand(n, 1, 8, 8) * 2 - 1, "b": torch.rand(n, 1, 8, 8) * 2 - 1}


def networks():
    torch.manual_seed(0)
    return TwoWayGenerator(**SMALL), TwoDomainDiscriminator(SHAPE, base_channels=2)


def step(player, *, real=None, y=None, fake=None):
    generator, discriminator = networks()
    y = both() if y is None else y
    real = torch.cat([y["a"], y["b"]], -1) if real is None else real
    fake = generator(torch.empty(4, 0), y) if fake is None else fake
    return AdversarialStep(
        player,
        real=real,
        y=y,
        fake=fake,
        fake_y=y,
        generator=generator,
        discriminator=discriminator,
    )


@pytest.mark.parametrize(
    ("kind", "name", "arguments", "keywords"),
    [
        (
            "generator",
            "resnet_translator",
            {"sample_shape": (2, 8, 12), "condition_channels": 3, "base_channels": 2, "blocks": 1},
            {"y": torch.rand(4, 3, 8, 12)},
        ),
        ("generator", "two_way", SMALL, {"y": both()}),
        ("discriminator", "two_domains", {"sample_shape": SHAPE, "base_channels": 2}, {}),
        ("regularizer", "cycle_consistency", {}, {"networks": networks(), "y": both()}),
        ("regularizer", "identity_mapping", {}, {"networks": networks(), "y": both()}),
        ("regularizer", "image_pool", {"size": 3}, {"networks": networks(), "y": both()}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_component(kind, name, arguments, keywords):
    check_component(kind, name, arguments=arguments, **keywords)


def one_way(network, images):
    return network(images.new_empty(len(images), 0), images)


def test_the_resnet_is_that_of_the_paper():
    """Appendix 7.2: c7s1-64, d128, d256, R256 times 9, u128, u64, c7s1-3."""
    network = ResNetTranslator((3, 256, 256))
    widths = [(3, 64, 7), (64, 128, 3), (128, 256, 3), *[(256, 256, 3)] * 18]
    widths += [(256, 128, 3), (128, 64, 3), (64, 3, 7)]
    expected = sum(i * o * k * k + o for i, o, k in widths)
    assert sum(p.numel() for p in network.parameters()) == expected
    assert ResNetTranslator((3, 128, 128), base_channels=1).blocks == 6


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (21, 11)])
def test_sides_that_are_open_take_any_image(size):
    network = ResNetTranslator((1, None, None), base_channels=2, blocks=1)
    images = torch.rand(2, 1, *size)
    assert one_way(network, images).shape == images.shape


def test_each_way_is_a_network_of_its_own():
    generator, discriminator = networks()
    y = both()
    made = domains(generator(torch.empty(4, 0), y))
    assert made["a"].equal(one_way(generator.b_to_a, y["b"]))
    assert made["b"].equal(one_way(generator.a_to_b, y["a"]))
    of_a, of_b = discriminator(torch.cat([y["a"], y["b"]], -1)).heads
    assert of_a.equal(discriminator.of_a(y["a"]).logits)
    assert of_b.equal(discriminator.of_b(y["b"]).logits)


def test_the_terms_are_those_of_the_paper():
    update = step(Player.GENERATOR)
    there, back = update.generator.a_to_b, update.generator.b_to_a
    a, b = update.y["a"], update.y["b"]

    def l1(made, wanted):
        return (made - wanted).abs().mean(dim=(1, 2, 3))

    cycle = CycleConsistency().generator(update)
    torch.testing.assert_close(cycle["a"], l1(one_way(back, one_way(there, a)), a))
    torch.testing.assert_close(cycle["b"], l1(one_way(there, one_way(back, b)), b))
    same = IdentityMapping().generator(update)
    torch.testing.assert_close(same["a"], l1(one_way(back, a), a))
    torch.testing.assert_close(same["b"], l1(one_way(there, b), b))


def by_hand(generator, discriminator, y, rate):
    """One update of D, then one of G, as the paper writes them, by plain gradient descent."""

    def squares(network, images, target):
        return (network(images).logits - target).square().mean()

    def descend(network, objective):
        gradients = torch.autograd.grad(objective, list(network.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(network.parameters(), gradients, strict=True):
                parameter -= rate * gradient

    a, b = y["a"], y["b"]
    there, back = generator.a_to_b, generator.b_to_a
    fake_a, fake_b = one_way(back, b).detach(), one_way(there, a).detach()
    of_a, of_b = discriminator.of_a, discriminator.of_b
    objective = squares(of_a, a, 1) + squares(of_a, fake_a, 0)
    objective = (objective + squares(of_b, b, 1) + squares(of_b, fake_b, 0)) / 2
    descend(discriminator, objective)
    fake_a, fake_b = one_way(back, b), one_way(there, a)
    objective = squares(of_a, fake_a, 1) + squares(of_b, fake_b, 1)
    cycle = (one_way(back, fake_b) - a).abs().mean() + (one_way(there, fake_a) - b).abs().mean()
    same = (one_way(back, a) - a).abs().mean() + (one_way(there, b) - b).abs().mean()
    descend(generator, objective + 10 * cycle + 5 * same)


@pytest.mark.parametrize("pieces", [1, 2])
def test_an_update_is_that_of_the_paper(pieces):
    """The settings of experiment=cyclegan, in float64, beside a loop written by hand.

    In pieces it is the same: while the pools fill, every fake is shown.
    """
    torch.manual_seed(1)
    generator, discriminator = (network.double() for network in networks())
    terms = {"cycle": CycleConsistency(10.0), "same": IdentityMapping(5.0), "pool": ImagePool(50)}
    gan = GAN(
        deepcopy(generator),
        deepcopy(discriminator),
        create_loss("least_squares"),
        terms,
        generator_weight=2.0,
        heads="sum",
        generator_optimizer=partial(torch.optim.SGD, lr=0.1),
        discriminator_optimizer=partial(torch.optim.SGD, lr=0.1),
        micro_batches=pieces,
    )
    game = Game(gan, seed=0)
    for _ in range(2):
        y = {name: images.double() for name, images in both().items()}
        game.play(torch.cat([y["a"], y["b"]], -1), y)
        by_hand(generator, discriminator, y, 0.1)
    for ours, theirs in ((gan.generator, generator), (gan.discriminator, discriminator)):
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-11)


class Plain:
    """The pool of one domain, as the paper tells it."""

    def __init__(self, size):
        self.size, self.images = size, []

    def shown(self, image, swaps, place):
        if len(self.images) < self.size:
            self.images.append(image)
            return image
        if not swaps:
            return image
        self.images[place], kept = image, self.images[place]
        return kept


def test_the_pool_is_that_of_the_paper():
    generator, discriminator = networks()
    pool = ImagePool(size=3)
    pool.bind(generator, discriminator)
    plain = Plain(3), Plain(3)
    torch.manual_seed(2)
    earlier = 0
    for n in (2, 3, 1, 4, 4):
        fakes = torch.rand(n, *SHAPE)
        state = torch.get_rng_state()
        swaps, places = torch.rand(n, 2) < 0.5, torch.randint(3, (n, 2))
        torch.set_rng_state(state)
        shown = pool.shown(fakes)
        for domain, (images, made) in enumerate(
            zip(domains(fakes).values(), domains(shown).values(), strict=True)
        ):
            for image, found, draws, drawn in zip(images, made, swaps, places, strict=True):
                expected = plain[domain].shown(image, draws[domain], drawn[domain])
                assert found.equal(expected)
                earlier += not found.equal(image)
    assert 5 <= earlier <= 17  # of 22 after the pools are full
    for domain in range(2):
        assert pool.pool[:, domain].equal(torch.stack(plain[domain].images))


def test_the_generator_sees_its_own_fakes():
    pool = ImagePool(size=1)
    update = step(Player.GENERATOR)
    pool.bind(update.generator, update.discriminator)
    fake = update.fake
    pool.prepare(update)
    assert update.fake is fake
    assert pool.held == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ResNetTranslator((1, 4, 8)), "8 pixels a side or more, got (1, 4, 8)"),
        (lambda: ResNetTranslator((1, 8, 8), blocks=0), "blocks must be at least 1, got 0"),
        (lambda: ResNetTranslator((8, 8)), "(channels, height, width), got (8, 8)"),
        (lambda: TwoWayGenerator((1, 8, 9)), "use data without pairs"),
        (lambda: networks()[0](torch.empty(1, 0), torch.rand(1, 1, 8, 8)), "image2image export"),
        (
            lambda: one_way(networks()[0].a_to_b, torch.rand(1, 2, 8, 8)),
            "images of shape (N, 1, 8, 8) as condition, got (1, 2, 8, 8)",
        ),
        (lambda: ImagePool(0), "size and parts must be at least 1, got 0 and 2"),
        (lambda: ImagePool(parts=3).bind(*networks()), "3 parts wide, got samples of shape"),
    ],
)
def test_what_is_wrong_is_said(make, said):
    with pytest.raises(InputError, match=re.escape(said)):
        make()


def test_a_pool_has_no_conditions():
    patch = create_discriminator("patch", sample_shape=SHAPE, condition_channels=1)
    with pytest.raises(InputError, match="condition_channels=1: set it to null"):
        ImagePool().bind(networks()[0], patch)
