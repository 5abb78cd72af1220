"""Every registered loss trains with every registered regularizer, with one head and with several.

Networks, samples and conditions are made once and can do what parts ask for in ``requires``: a new
part that asks for something else wants a line in ``Able``; one that needs arguments has them in
``lightning_gan/testing/own_cases.py``.
"""

import copy
import functools
import math

import pytest
import torch
from torch import nn

from lightning_gan import Game, GANModule, create_discriminator, create_generator
from lightning_gan.components import registry
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.layers.sliced_linear import SlicedLinear
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.priors.codes import CodesPrior
from lightning_gan.testing.cases import Case
from lightning_gan.types import DiscriminatorOutput, GeneratorOutput, Player

# Pairs that by their mathematics cannot go together, each with its reason: (loss, regularizer).
# Each must be refused by an InputError, so that none stays here longer than it is true.
IMPOSSIBLE: dict[tuple[str, str], str] = {}
SHAPES = ((1, 16, 16), (1, 64), (2,))  # images, waves, rows: the first that a pair takes
N, LATENT, CLASSES, STEPS = 4, 5, 3, 5
PRIOR = CodesPrior([3], 1)  # the end of its latents are codes; most parts do not care
HEADS = {"codes": 4, "class_logits": 3, "twin_class_logits": 3, "embedding": 4}
SMALL = {"base_channels": 2, "norm": "none", "return_features": True, "heads": HEADS}
# A pack has no class and no latent of its own; the networks of this test lack the rest.
NOT_OF_PACKS = {
    "auxiliary_classifier": "needs class labels",
    "commitment": "needs 'encoded', which neither",
    "data_to_data_cross_entropy": "needs the number of classes",
    "gaussian_kl": "needs '.*', which neither",
    "log_mel": "takes waves",
    "multi_hinge": "needs class labels",
    "multi_resolution_stft": "takes waves",
    "mutual_information": r"codes of .* must have shape .*here \(4, 4\), got \(2, 4\)",
    "path_length": "needs '.*', which neither",
    "self_supervised_reconstruction": "needs 'reconstructions', which neither",
    "twin_auxiliary_classifier": "needs class labels",
}
LOSSES, REGULARIZERS = registry.names("loss"), registry.names("regularizer")


class AbleGenerator(Generator):
    """Two linear layers, with a mapping, and by-products (N, 4) of any name."""

    num_classes, latent_dim = CLASSES, LATENT

    def __init__(self, sample_shape, by_products=()):
        super().__init__()
        self.sample_shape = sample_shape
        self.classes = nn.Embedding(CLASSES, LATENT)
        self.map = nn.Linear(LATENT, 6)
        self.draw = nn.Linear(6, math.prod(sample_shape))
        self.others = nn.ModuleDict({name: nn.Linear(6, 4) for name in sorted(by_products)})

    def mapping(self, z, y=None):
        return self.map(z + self.classes(y)).tanh()

    def synthesis(self, w, y=None):
        return self.draw(w).tanh().reshape(-1, *self.sample_shape)

    def forward(self, z, y=None):
        w = self.mapping(z, y)
        extra = {name: layer(w) for name, layer in self.others.items()}
        return GeneratorOutput(self.synthesis(w), extra)


class AbleDiscriminator(Discriminator):
    """A linear layer and heads, with class logits, features, slices, a reconstruction and more."""

    num_classes = CLASSES

    def __init__(self, sample_shape, heads, others=()):
        super().__init__()
        self.sample_shape = sample_shape
        self.look = nn.Linear(math.prod(sample_shape), 6)
        self.classes = nn.Embedding(CLASSES, 6)
        self.judges = nn.ModuleList(SlicedLinear(6) for _ in range(heads))
        self.classify = nn.Linear(6, CLASSES)
        self.rebuild = nn.Linear(6, math.prod(sample_shape))
        width = {"twin_class_logits": CLASSES}
        self.others = nn.ModuleDict({name: nn.Linear(6, width.get(name, 4)) for name in others})

    def forward(self, x, y=None):
        hidden = self.look(x.flatten(1)).tanh()
        said = [judge.judge(hidden, self.classes(y)) for judge in self.judges]
        more = {name: layer(hidden) for name, layer in self.others.items()}
        more["reconstruction"] = self.rebuild(hidden).reshape(x.shape)
        more["reconstructions"] = [(more["reconstruction"], x)]
        classes = self.classify(hidden)
        if len(said) == 1:
            extra = {**said[0].extra, **more}
            return DiscriminatorOutput(said[0].logits, classes, [hidden], extra)
        extra = {name: [each.extra[name] for each in said] for name in ("function", "direction")}
        extra.update(more)
        logits = [each.logits for each in said]
        return DiscriminatorOutput(logits, classes, [[hidden]] * len(said), extra)


PROVIDED = {
    "class_logits",
    "features",
    "function",
    "direction",
    "reconstruction",
    "reconstructions",
}


@functools.cache
def networks(shape, heads, others):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AbleGenerator(shape, others), AbleDiscriminator(shape, heads, sorted(others))


def make(kind, name, folder):
    case = Case(registry.find_entry(kind, name), folder)
    return case.tried().build(case.component)


def play(loss, regularizer, shape, heads):
    """Play five batches; return what was read of each, and the networks before and after."""
    needs = {*loss.requires, *regularizer.requires} - PROVIDED
    needs = frozenset(name for name in needs if not hasattr(AbleGenerator, name))
    before = networks(shape, heads, needs)
    ours = copy.deepcopy(before)
    gan = GANModule(*ours, loss=loss, regularizers={"term": regularizer}, prior=PRIOR)
    game = Game(gan, seed=0)
    source = torch.Generator().manual_seed(1)
    readings = []
    for _ in range(STEPS):
        real = torch.rand(N, *shape, generator=source) * 2 - 1
        readings.append(game.play(real, torch.randint(0, CLASSES, (N,), generator=source)))
    return game, readings, before, ours


@pytest.mark.slow
@pytest.mark.parametrize("heads", [1, 2], ids=["one", "list"])
@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_pair_trains_five_finite_steps(loss, regularizer, heads, tmp_path):
    refused = []
    for shape in SHAPES:
        parts = make("loss", loss, tmp_path), make("regularizer", regularizer, tmp_path)
        try:
            game, readings, before, after = play(*parts, shape, heads)
        except InputError as error:  # nothing but words: a crash is a fault
            refused.append(f"{shape}: {error}")
            continue
        break
    else:
        if (loss, regularizer) in IMPOSSIBLE:
            return
        pytest.fail(f"takes none of the samples. {'; '.join(refused)}")
    assert (loss, regularizer) not in IMPOSSIBLE
    assert game.gan.progress.discriminator_steps == game.gan.progress.generator_steps == STEPS
    both = [reading for each in readings for reading in (each.generator, each.discriminator)]
    for reading in both:
        values = [reading.loss, *reading.terms.values(), *reading.reports.values()]
        assert torch.stack([value.double() for value in values]).isfinite().all(), values
    for old, new in zip(before, after, strict=True):
        parameters = list(zip(old.parameters(), new.parameters(), strict=True))
        assert all(theirs.isfinite().all() for _, theirs in parameters)
        assert any(not torch.equal(*pair) for pair in parameters)
    acts = any(parts[1].acts_on(player) for player in Player)
    named = {name for reading in both for name in reading.terms}
    assert acts == any(name.partition("/")[0] == "term" for name in named)


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_with_packs_of_samples(regularizer, tmp_path):
    """Of half as many logits as samples: a finite step, or the sentence that is expected."""
    shape = (1, 16, 16)
    torch.manual_seed(0)
    able = create_discriminator("dcgan", sample_shape=(2, 16, 16), **SMALL)
    packed = create_discriminator("packed", discriminator=able)
    generator = create_generator("dcgan", sample_shape=shape, latent_dim=LATENT, base_channels=2)
    parts = {"term": make("regularizer", regularizer, tmp_path)}

    def play_once():
        gan = GANModule(generator, packed, NonSaturatingLoss(), regularizers=parts, prior=PRIOR)
        return Game(gan, seed=0).play(torch.rand(N, *shape) * 2 - 1)

    if regularizer in NOT_OF_PACKS:
        with pytest.raises(InputError, match=NOT_OF_PACKS[regularizer]):
            play_once()
        return
    readings = play_once()
    for reading in (readings.generator, readings.discriminator):
        assert all(value.isfinite().all() for value in (reading.loss, *reading.terms.values()))


def test_what_is_called_impossible_is_registered():
    for loss, regularizer in IMPOSSIBLE:
        assert loss in LOSSES
        assert regularizer in REGULARIZERS
