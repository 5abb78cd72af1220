"""A GAN at rest: groups of parameters, conditions, ranges, parts with weights, held-out samples."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
import torch
import toys
from torch import nn

from lightning_gan import (
    EMA,
    GAN,
    Alternation,
    Batch,
    Discriminator,
    Game,
    GANModule,
    Generator,
    InputError,
    ParameterGroup,
    Player,
    Prior,
    Regularizer,
)
from lightning_gan.game.held_out import evaluated
from lightning_gan.regularizers.r1 import R1Regularizer


class Grouped(Generator):
    """A mapping that learns at a hundredth of the rate."""

    latent_dim, sample_shape = 3, toys.SHAPE

    def __init__(self, twice: bool = False):
        super().__init__()
        self.twice = twice
        self.mapping, self.draw = nn.Linear(3, 4), nn.Linear(4, 16)

    def forward(self, z, y=None):
        return self.draw(self.mapping(z)).tanh().view(-1, *toys.SHAPE)

    def parameter_groups(self):
        group = ParameterGroup("mapping", list(self.mapping.parameters()), rate=0.01)
        return [group, group] if self.twice else [group]


def test_groups_of_parameters_have_rates_of_their_own():
    decay = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    gan = toys.gan(
        generator=Grouped(),
        generator_optimizer=partial(torch.optim.SGD, lr=1.0),
        generator_lr_scheduler=decay,
    )
    game = Game(gan)
    groups = game.generator.optimizer.param_groups
    assert [(g["name"], g["lr"], len(g["params"])) for g in groups] == [
        ("mapping", 0.01, 2),
        ("generator", 1.0, 2),
    ]
    game.play(toys.images(4))
    assert [group["lr"] for group in groups] == [0.005, 0.5]


def test_a_parameter_in_two_groups_is_refused():
    with pytest.raises(
        InputError, match="parameter_groups names a parameter of the group 'mapping'"
    ):
        toys.gan(generator=Grouped(twice=True))


def test_groups_are_resumed(tmp_path):
    whole = toys.gan(generator=Grouped())
    toys.fit(tmp_path, whole, steps=4)
    toys.fit(tmp_path, toys.gan(generator=Grouped()), steps=2).save_checkpoint(tmp_path / "a.ckpt")
    loaded = GANModule.load_from_checkpoint(tmp_path / "a.ckpt")
    assert loaded.progress.generator_steps == 2


# Conditions --------------------------------------------------------------------------------------


class Conditional(Generator):
    """Draws from an image, or from attributes, that it is given."""

    latent_dim, sample_shape = 2, toys.SHAPE

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(18, 16)

    def forward(self, z, y=None):
        return self.net(torch.cat([z, y["image"].flatten(1)], 1)).view(-1, *toys.SHAPE)


def test_conditions_are_those_of_held_out_samples():
    gan = toys.gan(generator=Conditional())
    with pytest.raises(
        InputError, match=r"Conditional asks for a condition.*sample\(n, labels=...\)"
    ):
        gan.sample(3)
    held = {"image": toys.images(5)}
    gan.conditions.hold(toys.images(5), held)
    seen = []
    gan.generator.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[1]["image"]))
    first, again = gan.sample(7, seed=1), gan.sample(7, seed=1)
    assert torch.equal(first, again)
    assert all(any(torch.equal(row, known) for known in held["image"]) for row in seen[0])
    assert not torch.equal(gan.sample(7, seed=2), first)


def test_classes_that_nobody_asks_for_are_not_conditions():
    gan = toys.gan()
    gan.conditions.hold(toys.images(5), torch.arange(5))
    assert gan.conditions.draw(3, torch.Generator()) is None


def test_classes_are_drawn_where_there_are_classes():
    gan = toys.gan(
        generator=toys.generator(num_classes=3), discriminator=toys.discriminator(num_classes=3)
    )
    drawn = gan.conditions.draw(64, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {0, 1, 2}


class Entry(Generator):
    """Classes are one entry of a dict; -1 stands for none."""

    latent_dim, sample_shape, num_classes = 2, toys.SHAPE, 3
    class_entry, takes_unlabeled = "label", True

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 16)

    def forward(self, z, y=None):
        hot = nn.functional.one_hot(y["label"] + 1, 4).to(z)
        return self.net(torch.cat([z, hot], 1)).view(-1, *toys.SHAPE)


def test_classes_may_be_one_entry_of_a_dict():
    gan = toys.gan(generator=Entry())
    game = Game(gan)
    game.play(toys.images(4), {"label": torch.tensor([0, 1, -1, 2]), "path": ["a", "b", "c", "d"]})
    with pytest.raises(InputError, match="class labels must lie in 0..2"):
        gan.check_samples(Batch(toys.images(1), {"label": torch.tensor([3])}))
    with pytest.raises(InputError, match="the data yield no labels"):
        gan.check_samples(Batch(toys.images(1), {"other": torch.tensor([1])}))
    uniform = Game(toys.gan(generator=Entry(), fake_labels="uniform"))
    uniform.play(toys.images(4), {"label": torch.tensor([0, 1, -1, 2])})


# Ranges and shapes -------------------------------------------------------------------------------


def declaring(declared, **options):
    generator = toys.generator()
    generator.sample_range = declared
    return toys.gan(generator=generator, **options)


def test_declared_ranges_are_checked_and_kept():
    physical = toys.images(4).add(1).mul(25)
    gan = declaring((0.0, 50.0))
    gan.check_samples(Batch(physical))
    with pytest.raises(InputError, match=r"declared to lie in \[0, 50\].*lie in .*99.7"):
        gan.check_samples(Batch(physical * 2))
    state = gan.get_extra_state()
    other = toys.gan()
    other.set_extra_state(state)
    assert other.sample_range == (0.0, 50.0)
    declaring("free").check_samples(Batch(physical * 9))
    declaring("unit").check_samples(Batch(physical / 50))


def test_data_and_generator_agree():
    gan = declaring("symmetric")
    gan.declare_range((-1.0, 1.0))
    with pytest.raises(
        InputError, match=r"data declare sample_range='unit', and MLPGenerator 'symm"
    ):
        gan.declare_range("unit")
    plain = toys.gan()
    plain.declare_range("unit")
    assert plain.sample_range == "unit"
    with pytest.raises(InputError, match="sample_range must be 'symmetric' for"):
        declaring("wide")
    with pytest.raises(InputError, match="such as \\(0.0, 50.0\\), got \\(2, 1\\)"):
        declaring((2, 1))


def test_where_nothing_is_declared_a_warning_tells_what_to_do():
    with pytest.warns(UserWarning, match=r"map them with 2 \* x - 1, or declare what they are"):
        toys.gan().check_samples(Batch(toys.images(4).add(1).div(2)))
    with pytest.warns(UserWarning, match="map them with x / 127.5 - 1"):
        toys.gan().check_samples(Batch(toys.images(4).add(1).mul(127)))
    with pytest.warns(UserWarning, match="ends in tanh cannot make them"):
        toys.gan().check_samples(Batch(toys.images(4) * 3))


class AnyLength(Generator):
    """Waves of any length from a condition of that length."""

    latent_dim, sample_shape = 0, (1, None)

    def __init__(self):
        super().__init__()
        self.net = nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, z, y=None):
        return self.net(y)


class JudgesAnyLength(Discriminator):
    """One logit for each place."""

    sample_shape = (1, None)

    def __init__(self):
        super().__init__()
        self.net = nn.Conv1d(1, 1, 3)

    def forward(self, x, y=None):
        return self.net(x)


def test_sizes_may_be_open():
    gan = toys.gan(generator=AnyLength(), discriminator=JudgesAnyLength())
    game = Game(gan)
    for length in (8, 12):
        real = torch.rand(2, 1, length)
        game.play(real, real * 2)
    assert gan.sample(2, labels=torch.rand(2, 1, 20)).shape == (2, 1, 20)
    with pytest.raises(InputError, match=r"yield samples of shape \(2, 8\), the networks expect"):
        gan.check_samples(Batch(torch.rand(2, 2, 8)))


# Parts with weights ------------------------------------------------------------------------------


class Projected(Regularizer):
    """A head of one player's own, trained with it."""

    def __init__(self, owner: str | None = "generator", frozen: bool = False):
        super().__init__()
        self.owner = owner
        self.trained_by = None if owner is None else Player(owner)
        self.head = nn.Linear(16, 1).requires_grad_(not frozen)

    def _term(self, x):
        return self.head(x.flatten(1)).square()

    def generator(self, step):
        return self._term(step.fake)

    def discriminator(self, step):
        return self._term(step.real) + step.real_output.heads[0] * 0


@pytest.mark.parametrize("owner", ["generator", "discriminator"])
def test_a_part_is_trained_by_its_owner_alone(owner):
    gan = toys.gan(regularizers={"head": Projected(owner)})
    game = Game(gan)
    mine, other = game.side(Player(owner)), game.side(Player(owner).opponent)
    assert gan.regularizers["head"].head.weight in set(mine.with_gradient()) | set(
        mine.optimizer.param_groups[-1]["params"]
    )
    before = gan.regularizers["head"].head.weight.clone()
    game.play(toys.images(4))
    moved = gan.regularizers["head"].head.weight
    assert not torch.equal(before, moved)
    assert len(other.optimizer.param_groups) == 1
    assert all(p.requires_grad for p in gan.regularizers["head"].parameters())
    assert not any("head" in name for name, _ in gan.generator.named_parameters())


def test_the_opponents_update_gives_a_part_no_gradient():
    class Stopped(Projected):
        def discriminator(self, step):
            term = super().discriminator(step)
            assert self.head.weight.requires_grad == (self.trained_by is Player.DISCRIMINATOR)
            return term

        def generator(self, step):
            assert self.head.weight.requires_grad == (self.trained_by is Player.GENERATOR)
            return super().generator(step)

    for owner in ("generator", "discriminator"):
        Game(toys.gan(regularizers={"head": Stopped(owner)})).play(toys.images(4))


def test_an_owner_may_be_named_by_its_word():
    part = Projected()
    part.trained_by = "generator"
    assert len(Game(toys.gan(regularizers={"head": part})).generator.parts) == 1
    part.trained_by = "nobody"
    with pytest.raises(InputError, match="has parameters that no player trains"):
        toys.gan(regularizers={"head": part})


def test_weights_without_an_owner_are_refused():
    with pytest.raises(
        InputError, match=r"regularizers.head \(Projected\) has parameters that no .*"
    ):
        toys.gan(regularizers={"head": Projected(None)})
    frozen = toys.gan(regularizers={"head": Projected(None, frozen=True)})
    Game(frozen).play(toys.images(4))


class Perceptual(Projected):
    """Frozen weights that come from a file."""

    def __init__(self, seed: int = 0, path: str = "vgg.safetensors"):
        super().__init__(None, frozen=True)
        self.weights_from = path
        source = torch.Generator().manual_seed(seed)
        self.head.weight.data.copy_(torch.rand(1, 16, generator=source))
        self.head.bias.data.zero_()


def test_weights_from_a_file_are_saved_by_reference(tmp_path):
    module = toys.gan(regularizers={"look": Perceptual()})
    assert not any(key.startswith("regularizers.look") for key in module.state_dict())
    toys.fit(tmp_path, module, steps=1).save_checkpoint(tmp_path / "a.ckpt")
    again = GANModule.load_from_checkpoint(tmp_path / "a.ckpt")
    head, other = (m.regularizers["look"].head.weight for m in (module, again))
    assert torch.equal(head, other)
    with pytest.raises(InputError, match="saved with weights from vgg.safetensors, and those from"):
        GANModule.load_from_checkpoint(
            tmp_path / "a.ckpt", regularizers={"look": Perceptual(seed=1)}
        )


def test_parts_get_to_know_the_networks_before_states_are_loaded():
    class History(Regularizer):
        def bind(self, generator, discriminator):
            for name, p in generator.named_parameters():
                self.register_buffer(f"mean_{name.replace('.', '_')}", p.detach().clone())

        def generator(self, step):
            return step.fake.mean()

    gan, other = (toys.gan(regularizers={"history": History()}) for _ in range(2))
    other.load_state_dict(gan.state_dict())
    assert len(list(gan.regularizers["history"].buffers())) == 4


# Held-out samples --------------------------------------------------------------------------------


@pytest.mark.parametrize("inference", [True, False])
def test_every_term_is_measured_on_held_out_samples(inference):
    gan = toys.gan(regularizers={"r1": R1Regularizer(2.0, interval=16), "head": Projected()}).eval()
    before = {name: value.clone() for name, value in gan.named_parameters()}
    with torch.inference_mode(inference):
        real = toys.images(4)
        readings, fake = evaluated(gan, Batch(real), 0, torch.device("cpu"))
    assert fake.shape == real.shape
    assert readings.discriminator.terms.keys() == {"r1", "head/discriminator"}
    assert readings.generator.terms.keys() == {"head/generator"}
    x = toys.images(4).requires_grad_()
    (gradient,) = torch.autograd.grad(gan.discriminator(x).sum(), x)
    expected = gradient.square().flatten(1).sum(1).mean()
    torch.testing.assert_close(readings.discriminator.terms["r1"].detach(), expected)
    assert toys.same(before, dict(gan.named_parameters()))


def test_plain_gans_cost_no_more_passes_than_two(monkeypatch):
    gan = toys.gan().eval()
    passes = []
    gan.discriminator.register_forward_hook(lambda *_: passes.append(1))
    evaluated(gan, Batch(toys.images(4)), 0, torch.device("cpu"))
    assert len(passes) == 2


def test_a_gan_at_rest_is_no_lightning_module():
    from pytorch_lightning import LightningModule

    gan = GAN(toys.generator(), toys.discriminator(), toys.gan().loss)
    assert not isinstance(gan, LightningModule)
    assert gan.sample(2, seed=0).shape == (2, *toys.SHAPE)


class Shifted(Prior):
    """Latents around a mean that the generator trains."""

    trained_by = Player.GENERATOR

    def __init__(self):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(3))

    def sample(self, n, latent_dim, *, generator, device):
        return torch.randn(n, latent_dim, generator=generator, device=device) + self.mean


@pytest.mark.parametrize("shared", [True, False])
def test_a_part_that_makes_fakes_is_trained_whether_they_are_shared_or_not(shared):
    gan = toys.gan(prior=Shifted(), share_fakes=shared)
    game = Game(gan)
    for _ in range(2):
        game.play(toys.images(4))
    assert gan.prior.mean.abs().min() > 0


def test_groups_of_one_name_are_groups_of_their_own():
    class Twice(Grouped):
        def parameter_groups(self):
            layers = (self.mapping, self.draw)
            return [ParameterGroup("same", list(each.parameters()), 0.5) for each in layers]

    assert len(Game(toys.gan(generator=Twice())).generator.optimizer.param_groups) == 2


def test_a_whole_weight_ramps_like_any_other():
    from lightning_gan.schedules import Linear

    path = "regularizers.r1.weight"
    schedule = {path: Linear(0.0, 1.0, kimg=0.016)}
    gan = toys.gan(regularizers={"r1": R1Regularizer(weight=1)}, schedules=schedule)
    game, seen = Game(gan), []
    for _ in range(3):
        game.play(toys.images(4))
        seen.append(gan.regularizers["r1"].weight)
    assert seen == [0.0, 0.25, 0.5]


class Looking(Regularizer):
    """A frozen network that looks at both."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(16, 2).requires_grad_(False)

    def generator(self, step):
        return (self.net(step.fake.flatten(1)) - self.net(step.real.flatten(1))).square()

    def discriminator(self, step):
        return self.generator(step).mean() + step.real_output.total() * 0


def test_a_network_of_a_part_runs_beside_a_term_in_full_precision():
    game = Game(toys.gan(regularizers={"look": Looking(), "r1": R1Regularizer(1.0)}))
    with torch.autocast("cpu", torch.bfloat16):
        readings = game.play(toys.images(4))
    assert readings.discriminator.terms["look/discriminator"].isfinite()


def test_the_average_begins_with_the_weights_that_training_begins_with():
    gan, other = toys.gan(ema=EMA(half_life_kimg=10**9, ramp_up=None)), toys.generator()
    gan.generator.load_state_dict(other.state_dict())
    Game(gan).play(toys.images(4))
    assert toys.same(toys.weights(other), toys.weights(gan.generator_ema))


def test_players_that_share_weights_are_refused():
    generator, discriminator = toys.generator(), toys.discriminator()
    shared = next(discriminator.parameters())
    generator.register_parameter("shared", shared)
    with pytest.raises(InputError, match="share 1 trainable parameters such as MLPGenerator.share"):
        toys.gan(generator=generator, discriminator=discriminator)
    shared.requires_grad_(False)
    toys.gan(generator=generator, discriminator=discriminator)


def test_one_object_under_two_names_is_refused():
    r1 = R1Regularizer()
    with pytest.raises(InputError, match="regularizers 'a' and 'b' are one object: make two"):
        toys.gan(regularizers={"a": r1, "b": r1})


def test_what_nobody_would_call_is_refused():
    class Preparing(Prior):
        def prepare(self, step):
            step.replace(real=-step.real)

    with pytest.raises(InputError, match="prior .Preparing. has a method prepare, which is asked"):
        toys.gan(prior=Preparing())


def test_a_subclass_may_read_batches_in_a_method():
    class Own(GANModule):
        def prepare_batch(self, batch):
            return batch["image"]

    parts = {"generator": toys.generator(), "discriminator": toys.discriminator()}
    gan = Own(**parts, loss=toys.NonSaturatingLoss())
    assert gan.read({"image": toys.images(2)}).real.equal(toys.images(2))
    gan.declare_range("unit")


@pytest.mark.parametrize("rates", [0.1, [0.001, 0.1]])
def test_schedulers_that_would_make_one_rate_of_several_are_refused(rates):
    cycle = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=rates, total_steps=9)
    options = {"generator": Grouped(), "generator_lr_scheduler": cycle}
    if isinstance(rates, list):
        toys.gan(**options)
    else:
        with pytest.raises(InputError, match="gives the groups mapping and generator one rate"):
            toys.gan(**options)


def test_optimizers_that_need_a_closure_are_refused():
    with pytest.raises(InputError, match="generator_optimizer is LBFGS, which computes the loss"):
        toys.gan(generator_optimizer=torch.optim.LBFGS)


class Reaching(Regularizer):
    """A term of the discriminator that runs the generator behind the step's back."""

    def discriminator(self, step):
        return step.generator(step.z, step.fake_y).square().mean() + step.fake_output.logits.mean()


class Together(Alternation):
    simultaneous = True

    def phases(self, progress):
        return Player.GENERATOR, Player.DISCRIMINATOR


def test_the_discriminators_terms_add_nothing_to_gradients_that_wait():
    def after(**options):
        torch.manual_seed(0)
        gan = toys.gan(alternation=Together(), **options)
        Game(gan, seed=1).play(toys.images(4))
        return toys.weights(gan.generator)

    plain, reached = after(), after(regularizers={"reaching": Reaching()})
    assert toys.same(plain, reached)


class Counted(R1Regularizer):
    """With a whole number, one that says nothing, and a count of its own."""

    def __init__(self, rounds: int = 3, margin=1, **options):
        super().__init__(**options)
        self.rounds, self.margin, self.seen = rounds, margin, 0


def test_schedules_keep_floats_and_whole_numbers_as_they_are_declared():
    from lightning_gan.schedules import Linear

    ramp = Linear(1.0, 0.0, kimg=0.1)
    names = ("weight", "rounds", "margin", "seen")
    schedules = {f"regularizers.term.{name}": ramp for name in names}
    gan = toys.gan(regularizers={"term": Counted(weight=1)}, schedules=schedules)
    gan.progress = dataclasses.replace(gan.progress, images=25)
    gan.follow_schedules()
    term = gan.regularizers["term"]
    assert [getattr(term, name) for name in names] == [0.75, 1, 1, 1]
    assert type(term.rounds) is int
