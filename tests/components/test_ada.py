"""ADA: each transformation against pixels and matrices made by hand, its controller, its resume."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch
import toys
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_gan import Feedback, Game, InputError, Player, Progress, create_augment
from lightning_gan.augments.ada import ADAAugment
from lightning_gan.augments.diffaugment import DiffAugment
from lightning_gan.augments.sequence import SequenceAugment
from lightning_gan.regularizers.consistency import ConsistencyRegularizer
from lightning_gan.schedules import Linear


def filled(value, x, *_):
    return torch.full((len(x),), float(value)).to(x)


def made(*pipeline, p=1.0, **drawn):
    """An ADA of some transformations, whose draws are these numbers."""
    ada = ADAAugment(list(pipeline), p=p, target=None)
    for name, value in drawn.items():
        setattr(ada, f"_{name}", partial(filled, value))
    return ada


X = torch.arange(16.0, dtype=torch.float64).view(1, 1, 4, 4) / 16


@pytest.mark.parametrize(
    ("ada", "expected"),
    [
        (made("x_flip", whole=1), X.flip(3)),
        (made("x_flip", whole=0), X),
        (made("rotate_90", whole=1), X.rot90(-1, (2, 3))),
        (made("rotate_90", whole=2), X.flip((2, 3))),
        (made("rotate_90", whole=3), X.rot90(1, (2, 3))),
        (made("rotate", uniform=0.25), X.rot90(-1, (2, 3))),  # 45 degrees twice
        # A shift of 4 / 8 is rounded to the even 0, of 6 / 8 to 1: right and down, mirrored.
        (made("x_int", uniform=1.0), X),
        (made("x_int", uniform=1.5), X[..., [1, 0, 1, 2], :][..., [1, 0, 1, 2]]),
        # Half a pixel right and down: the mean of four.
        (
            made("x_frac", normal=1.0),
            nn.functional.avg_pool2d(nn.functional.pad(X, (1, 0, 1, 0), "reflect"), 2, 1),
        ),
        # Twice as wide and half as high: places (c - 1.5) / 2 + 1.5 and 2 (r - 1.5) + 1.5.
        (
            made("aniso", normal=5.0),
            (
                torch.tensor([1.5, 0.5, 2.5, 1.5], dtype=torch.float64)[:, None] * 4
                + torch.tensor([0.75, 1.25, 1.75, 2.25], dtype=torch.float64)
            )[None, None]
            / 16,
        ),
        (
            made("scale", normal=5.0),
            (
                torch.tensor([0.75, 1.25, 1.75, 2.25], dtype=torch.float64)[:, None] * 4
                + torch.tensor([0.75, 1.25, 1.75, 2.25], dtype=torch.float64)
            )[None, None]
            / 16,
        ),
        (made("brightness", normal=0.5), X + 0.1),
        (made("contrast", normal=2.0), X * 2),
        (made("luma_flip", whole=1), -X),
        (made("saturation", normal=1.0), X),  # of one channel
        (made("hue", uniform=0.5), X),
    ],
)
def test_each_by_hand(ada, expected):
    torch.testing.assert_close(ada(X), expected)


@pytest.mark.parametrize("half", [1.0, 25.0])
def test_colours_are_those_of_the_papers_matrices(half):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (3, 4))  # four pixels
    normal, uniform = 0.7, -0.4
    v = np.ones((3, 1)) / math.sqrt(3)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    angle = math.pi * uniform
    y = x + 0.2 * normal
    y = 2 ** (0.5 * normal) * y
    y = (np.eye(3) - 2 * v @ v.T) @ y
    y = (np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross) @ y
    y = (v @ v.T + (np.eye(3) - v @ v.T) * 2**normal) @ y
    names = ("brightness", "contrast", "luma_flip", "hue", "saturation")
    ada = made(*names, normal=normal, uniform=uniform, whole=1)
    ada.bind(toys.generator(), toys.discriminator())
    ada.middle, ada.radius = 3.0 * (half - 1), half
    image = torch.from_numpy(x).view(1, 3, 2, 2) * ada.radius + ada.middle
    expected = torch.from_numpy(y).view(1, 3, 2, 2) * ada.radius + ada.middle
    torch.testing.assert_close(ada(image), expected)


def test_channels_of_any_number():
    x = torch.randn(2, 5, 4, 4, dtype=torch.float64)
    mean = x.mean(1, keepdim=True)
    torch.testing.assert_close(made("luma_flip", whole=1)(x), x - 2 * mean)
    torch.testing.assert_close(made("saturation", normal=1.0)(x), mean + 2 * (x - mean))
    assert torch.equal(made("hue", uniform=0.5)(x), x)


def test_images_that_are_not_square_turn_by_half():
    x = torch.randn(1, 1, 2, 6)
    assert torch.equal(made("rotate_90", whole=1)(x), x.flip((2, 3)))


def test_probability_0_is_the_identity_and_1_is_all():
    x = torch.randn(64, 3, 8, 8)
    assert ADAAugment(target=None)(x) is x
    tiny = ADAAugment(["x_flip", "rotate", "hue", "noise", "cutout", "contrast"], p=1e-30)
    assert torch.equal(tiny(x), x)  # to the last bit, through all of it
    changed = (ADAAugment(["saturation"], p=1.0)(x) != x).flatten(1).any(1)
    assert changed.all()


@pytest.mark.parametrize(("p", "share"), [(0.25, 0.25), (1.0, 1.0)])
def test_the_share_of_images_is_p(p, share):
    torch.manual_seed(0)
    x = torch.rand(2000, 1, 2, 2)
    for name in ("contrast", "rotate", "noise"):
        changed = (ADAAugment([name], p=p, target=None)(x) != x).flatten(1).any(1)
        assert changed.float().mean() == pytest.approx(share, abs=0.035), name
    flipped = (ADAAugment(["x_flip"], p=p, target=None)(x) != x).flatten(1).any(1)
    assert flipped.float().mean() == pytest.approx(share / 2, abs=0.035)


def test_noise_and_cutout(monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.ones_like)
    torch.testing.assert_close(made("noise", normal=-2.0)(X), X + 0.2)
    monkeypatch.setattr(torch, "rand", lambda *size, **kw: torch.full(size, 0.25, **kw))
    cut = made("cutout")
    cut._chosen = lambda x: torch.ones(len(x), dtype=torch.bool)
    cut.middle = 7.0
    expected = X.clone()
    expected[..., :2, :2] = 7.0
    assert torch.equal(cut(X), expected)


@pytest.mark.parametrize("pipeline", ["bgc", ["noise", "cutout"]])
def test_two_derivatives(pipeline):
    ada = ADAAugment(pipeline, p=0.8, target=None)

    def cubed(x):
        torch.manual_seed(3)
        return ada(x) ** 3

    x = torch.randn(2, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(cubed, x)
    assert gradgradcheck(cubed, x)


def test_the_range_is_the_generators():
    generator = toys.generator()
    generator.sample_range = (0.0, 50.0)
    ada = ADAAugment()
    ada.bind(generator, toys.discriminator())
    assert (ada.middle, ada.radius) == (25.0, 25.0)
    given = ADAAugment(sample_range="unit")
    given.bind(generator, toys.discriminator())
    assert (given.middle, given.radius) == (0.5, 0.5)
    assert ADAAugment(sample_range="free").radius == 1.0


def test_the_range_of_data_counts_where_the_generator_declares_none():
    gan, given = toys.gan(augment=ADAAugment()), toys.gan(augment=ADAAugment(sample_range="free"))
    for each in (gan, given):
        each.declare_range("unit")
    assert (gan.augment.middle, gan.augment.radius) == (0.5, 0.5)
    assert (given.augment.middle, given.augment.radius) == (0.0, 1.0)
    inside = ADAAugment(), DiffAugment()
    toys.gan(
        augment=SequenceAugment([inside[0]]),
        regularizers={"bcr": ConsistencyRegularizer(augment=inside[1])},
    ).declare_range("unit")
    assert all((each.middle, each.radius) == (0.5, 0.5) for each in inside)
    resumed = toys.gan(augment=ADAAugment())
    resumed.load_state_dict(gan.state_dict())
    assert (resumed.augment.middle, resumed.augment.radius) == (0.5, 0.5)


def test_under_autocast_places_stay_exact():
    x = torch.randn(4, 1, 64, 64)
    flipped = made("x_flip", "x_int", whole=1, uniform=0.9)
    with torch.autocast("cpu", torch.bfloat16):
        found = flipped(x)
    assert torch.equal(found, flipped(x))


# The controller --------------------------------------------------------------------------------


def told(sign, images):
    sign = None if sign is None else torch.tensor(sign)
    return Feedback(Progress(images=images), tuple(Player), real_sign=sign)


def test_p_follows_the_signs():
    ada = ADAAugment(kimg=1, interval=2)
    ada.observe(told(0.9, 50))
    assert ada.p == 0
    ada.observe(told(0.5, 100))  # mean .7 is above .6: 100 images of 1,000
    assert ada.p == pytest.approx(0.1)
    for images in (150, 200):
        ada.observe(told(0.1, images))
    assert ada.p == pytest.approx(0.0)
    ada.observe(told(None, 250))  # does not count
    for images in (300, 2300):
        ada.observe(told(1.0, images))
    assert ada.p == 1.0
    for images in (2400, 2500):
        ada.observe(told(0.6, images))  # at the target
    assert ada.p == 1.0


def test_images_of_batches_that_do_not_count_move_nothing():
    """As in a warm-up of the generator alone."""
    ada = ADAAugment(kimg=1, interval=2)
    for images in (100, 200, 300):
        ada.observe(told(None, images))
    ada.observe(told(1.0, 350))
    resumed = ADAAugment(kimg=1, interval=2)
    resumed.load_state_dict(ada.state_dict())
    for each in (ada, resumed):
        each.observe(told(None, 800))
        each.observe(told(1.0, 850))
        assert each.p == pytest.approx(0.1)


def test_all_ranks_come_to_the_same_p_and_a_resumed_one_too():
    ours, theirs = ADAAugment(kimg=1, interval=3), ADAAugment(kimg=1, interval=3)
    signs = torch.rand(20, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.3
    for n, sign in enumerate(signs[:10]):
        for each in (ours, theirs):
            each(torch.randn(2, 1, 4, 4))  # of its own
            each.observe(told(float(sign), 8 * n))
    assert ours.p == theirs.p > 0
    resumed = ADAAugment(kimg=1, interval=3)
    resumed.load_state_dict(ours.state_dict())
    for n, sign in enumerate(signs[10:], 10):
        for each in (ours, resumed):
            each.observe(told(float(sign), 8 * n))
    assert resumed.p == ours.p != theirs.p


def test_a_constant_p_is_the_one_given_now():
    saved = ADAAugment(p=0.3, target=None).state_dict()
    resumed = ADAAugment(p=0.5, target=None)
    resumed.load_state_dict(saved)
    assert resumed.p == 0.5
    assert not resumed.observes
    assert ADAAugment().observes


def played(games, batches):
    for game, seed in games:
        for batch in range(batches):
            torch.manual_seed(seed + batch)
            game.play(toys.images(8, seed=seed + batch))


def test_in_a_game_it_is_reported_and_resumed_exactly():
    def new():
        return Game(toys.gan(augment=ADAAugment("bg", kimg=0.05, target=-1.0)), seed=1)

    whole = new()
    played([(whole, 0)], 6)
    p = whole.gan.augment.p
    assert 0 < p <= 1
    torch.manual_seed(0)
    readings = whole.play(toys.images(8))
    assert readings.reports["augment/p"] == pytest.approx(p)
    resumed = new()
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    played([(whole, 7), (resumed, 7)], 5)
    assert resumed.gan.augment.p == whole.gan.augment.p
    assert toys.same(toys.weights(resumed.gan.generator), toys.weights(whole.gan.generator))


def test_a_schedule_moves_p():
    ada = ADAAugment("b", target=None)
    game = Game(toys.gan(augment=ada, schedules={"augment.p": Linear(0.0, 0.5, kimg=0.016)}))
    seen = []
    for _ in range(3):
        game.play(toys.images(8))
        seen.append(ada.p)
    assert seen == [0.0, 0.25, 0.5]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"p": 1.2}, r"p must lie in \[0, 1\], got 1.2"),
        ({"target": 2.0}, r"target must lie in \[-1, 1\], or be null, got 2.0"),
        ({"kimg": 0}, "kimg must be positive, got 0"),
        ({"interval": 0}, "interval must be a whole number from 1, got 0"),
        ({"pipeline": "bgcf"}, "pipeline must be 'b', 'bg', 'bgc' or a list of x_flip.*'bgcf'"),
        ({"pipeline": ["hue", "tint"]}, "or a list of x_flip, .*, got 'tint'"),
        ({"sample_range": "wide"}, "sample_range must be 'symmetric' for"),
    ],
)
def test_bad_arguments(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        create_augment("ada", **arguments)


def test_samples_that_are_no_images():
    with pytest.raises(InputError, match=r"augments images \(N, C, H, W\), got samples of shape"):
        ADAAugment(p=1.0)(torch.randn(4, 1, 32))
    flat = partial(toys.generator, sample_shape=(6,))
    with pytest.raises(InputError, match=r"got a generator of sample_shape \(6,\)"):
        toys.gan(
            generator=flat(), discriminator=toys.discriminator(sample_shape=(6,)),
            augment=ADAAugment(),
        )  # fmt: skip


def test_small_images_cost_operators_and_these_are_few():
    class Count(TorchDispatchMode):
        calls = 0

        def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
            Count.calls += 1
            return operator(*args, **(kwargs or {}))

    ada, x = ADAAugment(p=0.5), torch.rand(2, 1, 8, 8)
    with Count():
        ada(x)
    assert Count.calls < 340
