"""What is wrong is said in one sentence, as early as it can be known; what is clear just works."""

from __future__ import annotations

import types
from collections import UserDict

import pytest
import torch
import toys
from torch import nn

from lightning_gan import (
    Adversary,
    Balance,
    Discriminator,
    DiscriminatorOutput,
    Game,
    Generator,
    GeneratorOutput,
    InputError,
    Regularizer,
    Schedule,
    create_loss,
)
from lightning_gan.game.checks import check_samples
from lightning_gan.game.held_out import evaluated
from lightning_gan.schedules.linear import Linear
from lightning_gan.types import Batch, as_discriminator_output, as_generator_output, range_bounds

LABELS = torch.tensor([0, 1, 2, 1])
NAN = float("nan")


def play(y=None, **options):
    game = Game(toys.gan(**options))
    game.play(toys.images(4), y)
    return game


# Conditions --------------------------------------------------------------------------------------


class Entry(Generator):
    """Classes are one entry of a dict; the others are an image, or nothing."""

    latent_dim, sample_shape, num_classes, class_entry = 2, toys.SHAPE, 3, "label"

    def __init__(self, image=True):
        super().__init__()
        self.image, self.net = image, nn.Linear(2 + 3 + 16 * image, 16)
        self.seen = []

    def forward(self, z, y=None):
        self.seen.append(y)
        hot = nn.functional.one_hot(y["label"], 3).to(z)
        images = [y["image"].flatten(1)] if self.image else []
        return self.net(torch.cat([z, hot, *images], 1)).view(-1, *toys.SHAPE)


def test_drawn_classes_go_beside_the_other_entries_of_each_fake():
    generator, images = Entry(), toys.images(4)
    condition = {"label": LABELS, "image": images}
    play(condition, generator=generator, fake_labels="uniform", generator_batch=2)
    drawn = generator.seen[-1]
    assert torch.equal(drawn["image"], torch.cat([images, images]))
    assert len(drawn["label"]) == 8


def test_drawn_classes_need_no_condition_of_the_data():
    generator = Entry(image=False)
    play(None, generator=generator, fake_labels="uniform")
    assert list(generator.seen[-1]) == ["label"]
    with pytest.raises(InputError, match=r"a dict whose entry 'label' holds.* got a tensor"):
        play(LABELS, generator=generator, fake_labels="uniform")


def test_samples_of_a_class_that_is_an_entry():
    gan = toys.gan(generator=Entry(image=False))
    assert gan.sample(4, labels=2).shape == gan.sample(4, labels=[0, 1, 2, 0]).shape
    assert gan.generator.seen[-1]["label"].tolist() == [0, 1, 2, 0]
    gan = toys.gan(generator=Entry())
    with pytest.raises(InputError, match=r"Entry asks for the entry 'image' .* got a dict of lab"):
        gan.sample(4, labels=2)
    gan.conditions.hold(toys.images(3), {"label": LABELS[:3], "image": toys.images(3)})
    gan.sample(4, labels=2)
    assert gan.generator.seen[-1]["label"].tolist() == [2] * 4
    assert gan.generator.seen[-1]["image"].shape == (4, *toys.SHAPE)


@pytest.mark.parametrize("options", [{"micro_batches": 2}, {"generator_batch": 2}])
@pytest.mark.parametrize("kind", [dict, UserDict, types.MappingProxyType])
def test_scalars_of_a_condition_stand_for_all_samples(kind, options):
    generator = Entry(image=False)
    game = play(kind({"label": LABELS, "scale": torch.tensor(3.0)}), generator=generator, **options)
    assert all(y["scale"] == 3 for y in generator.seen)
    game.gan.conditions.hold(toys.images(4), {"label": LABELS, "scale": torch.tensor(3.0)})
    game.gan.sample(3)
    assert generator.seen[-1]["scale"] == 3


class LatentsAlone(Generator):
    latent_dim, sample_shape = 2, toys.SHAPE

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16))

    def forward(self, z):
        return self.net(z).view(-1, *toys.SHAPE)


class AlwaysAsks(LatentsAlone):
    def forward(self, z, y):
        assert y is None
        return super().forward(z)


class JudgeAlwaysAsks(Discriminator):
    sample_shape = toys.SHAPE

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(16, 1)

    def forward(self, x, y):
        return self.net(x.flatten(1))


class Generates(Regularizer):
    def generator(self, step):
        return step.generate(step.latents(2)).square()


@pytest.mark.parametrize("generator", [LatentsAlone, AlwaysAsks])
def test_networks_may_have_no_condition_or_always_ask_for_one(generator):
    options = {"discriminator": JudgeAlwaysAsks(), "regularizers": {"more": Generates()}}
    gan = play(generator=generator(), **options).gan
    assert gan.sample(3).shape == gan(torch.zeros(3, 2)).shape
    evaluated(gan, Batch(toys.images(2)), 0, torch.device("cpu"))


# Schedules ---------------------------------------------------------------------------------------


class Counts(Regularizer):
    def __init__(self, **options):
        super().__init__(**options)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def discriminator(self, step):
        return step.real_output.total() * 0


class Dips(Schedule):
    """Is 0 once, between powers of two."""

    def at(self, images):
        return 0.0 if images == 12 else 4.0


def test_an_interval_stays_at_one_or_more():
    def scheduled(schedule):
        path = "regularizers.r.interval"
        return toys.gan(regularizers={"r": Counts(interval=4)}, schedules={path: schedule})

    with pytest.raises(
        InputError, match=r"'regularizers.r.interval' must stay at 1 or more, and is 0 after 50,000"
    ):
        scheduled(Linear(4, 0, kimg=50))
    game = Game(scheduled(Dips()))
    for _ in range(3):
        game.play(toys.images(4))
    with pytest.raises(InputError, match="and is 0 after 12 images"):
        game.play(toys.images(4))


def test_counts_in_buffers_are_rounded_like_others():
    regularizers, path = {"r": Counts()}, "regularizers.r.count"
    gan = toys.gan(regularizers=regularizers, schedules={path: Linear(1.6, 1.6, kimg=1)})
    assert gan.regularizers.r.count == 2


# Arguments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "declared", [(0, None), ("a", "b"), (NAN, 1), (0, float("inf")), (1, 0), (0, 1, 2)]
)
def test_a_range_is_a_pair_of_finite_numbers(declared):
    with pytest.raises(InputError, match="sample_range must be 'symmetric' .* or a pair such as"):
        range_bounds(declared)


def adversary(**options):
    return Adversary(toys.discriminator(), create_loss("minimax"), **options)


@pytest.mark.parametrize("build", [toys.gan, adversary])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generator_weight": "a"}, "generator_weight must be a finite number, got 'a'"),
        ({"generator_weight": NAN}, "generator_weight must be a finite number, got nan"),
        ({"discriminator_weight": None}, "discriminator_weight must be a finite number, got None"),
        ({"discriminator_clip_norm": "a"}, "discriminator_clip_norm must be a finite number, got"),
        ({"generator_weight": -1}, "generator_weight must be 0 or more, got -1"),
        ({"head_weights": 1.0}, "head_weights must be a list of numbers, one for each head, or"),
        ({"head_weights": []}, "head_weights must be a list of numbers, one for each head, or"),
        ({"head_weights": [1, "a"]}, r"head_weights\[1\] must be a finite number, got 'a'"),
    ],
)
def test_numbers(build, options, message):
    with pytest.raises(InputError, match=message):
        build(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze": "discriminator"}, r"freeze must be a list .* such as \['discriminator'\], got"),
        ({"freeze": [3]}, r"freeze must be a list of names or patterns"),
        ({"prepare_batch": 3}, r"prepare_batch must be a function of a batch.* got 3"),
    ],
)
def test_options_of_a_gan(options, message):
    with pytest.raises(InputError, match=message):
        toys.gan(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": None}, "weight must be a finite number, got None"),
        ({"weight": torch.ones(2)}, "weight must be a finite number, got tensor"),
        ({"interval": 1.5}, "interval must be a whole number from 1, got 1.5"),
        ({"interval": 0}, "interval must be a whole number from 1, got 0"),
        ({"interval": True}, "interval must be a whole number from 1, got True"),
    ],
)
def test_numbers_of_a_regularizer(options, message):
    with pytest.raises(InputError, match=message):
        Counts(**options)


# What parts return -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "output", "message"),
    [
        (
            as_discriminator_output,
            DiscriminatorOutput(torch.ones(2, 1), class_logits=[torch.ones(2, 3)]),
            r"class_logits .* must be a tensor of shape \(N, K\) or None, got a list of 1",
        ),
        (
            as_discriminator_output,
            DiscriminatorOutput(torch.ones(2, 1), extra=[1]),
            "extra of a discriminator's output must be a mapping .* got a list of 1",
        ),
        (
            as_generator_output,
            GeneratorOutput(torch.ones(2, 1), extra=torch.ones(1)),
            "extra of a generator's output must be a mapping of names and values, got a tensor",
        ),
    ],
)
def test_fields_of_outputs(read, output, message):
    with pytest.raises(InputError, match=message):
        read(output)


def test_by_products_may_be_anything_by_name():
    class Talks(LatentsAlone):
        def forward(self, z):
            return GeneratorOutput(super().forward(z), {"name": "x", "none": None, "n": 3})

    play(generator=Talks(), generator_batch=2)


class Weighs(Balance):
    def __init__(self, found):
        super().__init__()
        self.found = found

    def weights(self, player, terms, step):
        return self.found


@pytest.mark.parametrize(
    "found", [None, [1.0], {"adversarial": "a"}, {"adversarial": torch.ones(2)}]
)
def test_factors_are_numbers_by_name(found):
    with pytest.raises(InputError, match=r"Weighs.weights must return a mapping of .*numbers, got"):
        play(balance=Weighs(found))


class Reports(Counts):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def discriminator(self, step):
        step.report("it", self.value)


@pytest.mark.parametrize("value", ["a", None, [1.0], torch.ones(2)])
def test_reports_are_scalars(value):
    with pytest.raises(InputError, match=r"report\('it', ...\) takes a scalar, got"):
        play(regularizers={"r": Reports(value)})


class Fewer(Regularizer):
    def __init__(self, name):
        super().__init__()
        self.name = name

    def prepare(self, step):
        step.replace(**{self.name: getattr(step, self.name)[:3]})


@pytest.mark.parametrize("name", ["real", "fake"])
def test_as_many_samples_are_replaced(name):
    with pytest.raises(InputError, match=f"got 3 for {name}, where there are 4"):
        play(regularizers={"r": Fewer(name)})


def test_samples_of_another_type_are_told_both_ways():
    with pytest.raises(InputError, match=r"network.to\(torch.float64\), which a Trainer does"):
        check_samples(toys.images(2).double(), toys.SHAPE, torch.float32)


# Saved states ------------------------------------------------------------------------------------


class Queue(Counts):
    def __init__(self, size=3):
        super().__init__()
        self.register_buffer("queue", torch.zeros(size))


@pytest.mark.parametrize(
    ("then", "now", "message"),
    [
        (Queue(), Counts(), "the saved state holds regularizers.r.queue, and there is none now"),
        (Counts(), Queue(), "the saved state holds no regularizers.r.queue, and there is one now"),
        (Queue(3), Queue(4), r"regularizers.r.queue has shape \(3,\) in the saved .* \(4,\) now"),
    ],
)
def test_states_of_other_parts_are_named(tmp_path, then, now, message):
    module = toys.gan(regularizers={"r": then})
    run = toys.fit(tmp_path, module, steps=1)
    run.save_checkpoint(tmp_path / "a.ckpt")
    other = toys.gan(regularizers={"r": now})
    with pytest.raises(InputError, match=message):
        Game(other).load_state_dict(Game(module).state_dict())
    with pytest.raises(InputError, match=message):
        toys.trainer(tmp_path, max_steps=2).fit(other, toys.loader(), ckpt_path=tmp_path / "a.ckpt")
    saved = adversary(regularizers={"r": then}).state_dict()
    fresh = adversary(regularizers={"r": now})
    with pytest.raises(InputError, match=message):
        fresh.load_state_dict(saved)


@pytest.mark.parametrize(("then", "now"), [(["discriminator.*.bias"], []), ([], ["*.bias"])])
def test_states_of_other_parameters_are_told(then, now):
    saved, game = (Game(toys.gan(freeze=patterns)) for patterns in (then, now))
    with pytest.raises(
        InputError, match=r"_optimizer: the saved state is that of \[\d\] parameters .* frozen then"
    ):
        game.load_state_dict(saved.state_dict())
