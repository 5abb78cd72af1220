"""Alternations, augmentations and priors of every family; how check_component is called."""

import random

import pytest
import torch
from torch import nn
from torch.optim import SGD

from lightning_gan.alternations.alternating import Alternating
from lightning_gan.alternations.base import Alternation
from lightning_gan.augments.base import Augment
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError, PluginError
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.priors.base import Prior
from lightning_gan.testing import ConformanceError, check_component
from lightning_gan.types import Player

D, G = Player.DISCRIMINATOR, Player.GENERATOR

# Alternations -----------------------------------------------------------------------------------


class AfterImages(Alternation):
    def phases(self, progress):
        return (G,) if progress.images < 1_000_000 else (D, G)


class AfterSteps(Alternation):
    """D alone, then G alone, each for many steps of its own."""

    def phases(self, progress):
        return (D,) if progress.discriminator_steps < 30_000 else (G,)


class AfterOwnCount(Alternation):
    """Counts batches by itself, in extra state."""

    observes = True

    def __init__(self):
        super().__init__()
        self.seen = 0

    def phases(self, progress):
        return (G,) if self.seen < 300 else (D, G)

    def observe(self, feedback):
        self.seen += 1

    def get_extra_state(self):
        return self.seen

    def set_extra_state(self, state):
        self.seen = state


class CountsPlainly(AfterOwnCount):
    """Alternates by a count that no checkpoint holds."""

    def phases(self, progress):
        return (G,) if self.seen % 2 else (D,)

    def get_extra_state(self):
        return None

    def set_extra_state(self, state):
        pass


class ByAccuracy(Alternation):
    """D rests while it is right about nearly all."""

    observes = True
    measures = frozenset({D})

    def __init__(self):
        super().__init__()
        self.register_buffer("right", torch.tensor(True))

    def phases(self, progress):
        return (G,) if self.right else (D, G)

    def observe(self, feedback):
        self.right.copy_(feedback.real_sign - feedback.fake_sign > 1.6)


class ByReport(ByAccuracy):
    measures = frozenset()

    def observe(self, feedback):
        if "loss/convergence" in feedback.reports:
            self.right.copy_(feedback.reports["loss/convergence"] > 0.2)


class TrustsReport(ByAccuracy):
    def observe(self, feedback):
        self.right.copy_(feedback.reports["loss/convergence"] > 0.2)


class Unmeasured(ByAccuracy):
    measures = frozenset()


class MeasuresWords(ByAccuracy):
    measures = frozenset({"critic"})


class TwiceAtOnce(Alternation):
    simultaneous = True

    def phases(self, progress):
        return (D, D, G)


class AtOnce(TwiceAtOnce):
    def phases(self, progress):
        return (D, G)


class Overruns(Alternation):
    def phases(self, progress):
        return [(D, G), (D, G)][progress.batches]


class FromBothNetworks(Alternation):
    """Knows how large both players are."""

    def bind(self, generator, discriminator):
        sizes = [sum(p.numel() for p in net.parameters()) for net in (generator, discriminator)]
        self.steps = 1 + sizes[0] // sizes[1]

    def phases(self, progress):
        return (D,) + (G,) * self.steps


# Augmentations ----------------------------------------------------------------------------------


class Brighter(Augment):
    """Of samples in [0, 1], or it makes NaN."""

    def forward(self, x):
        return (x + 0.01) ** 0.7


class Rolled(Augment):
    """Of sound, by the same number of frames."""

    def forward(self, x):
        assert x.dim() == 3
        return x.roll(3, dims=2)


class Adaptive(Augment):
    """Flips more often, the surer the discriminator is."""

    observes = True

    def __init__(self):
        super().__init__()
        self.register_buffer("p", torch.zeros(()))

    def forward(self, x):
        flips = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) < self.p
        return torch.where(flips, x.flip(-1), x)

    def observe(self, feedback):
        if feedback.real_sign is not None:
            self.p.add_(0.1 * (feedback.real_sign - 0.6).sign()).clamp_(0, 1)


class Shifted(Augment):
    """Noise of the size of a sample, from a buffer that bind makes."""

    def bind(self, generator, discriminator):
        self.register_buffer("noise", torch.randn(generator.sample_shape))

    def forward(self, x):
        return x + self.noise.to(x.dtype)


class Fading(Augment):
    """Weaker, the more batches it has seen; it counts them where no checkpoint does."""

    observes = True
    seen = 1

    def forward(self, x):
        return x * (1 + 1 / self.seen)

    def observe(self, feedback):
        self.seen += 1


class OfShape(Augment):
    def __init__(self, sample_shape):
        super().__init__()
        self.sample_shape = sample_shape

    def forward(self, x):
        assert x.shape[1:] == self.sample_shape
        return x


class PythonNoise(Augment):
    def forward(self, x):
        return x + random.random()


class OfNetworks(Augment):
    """Knows from the networks what shape samples have."""

    def bind(self, generator, discriminator):
        self.shape = generator.sample_shape

    def forward(self, x):
        assert x.shape[1:] == self.shape
        return -x


class ReadsLabels(Augment):
    def forward(self, x):
        return x[[]][0]


class DropsFakes(Augment):
    def prepare(self, step):
        step.replace(fake=step.fake[1:], fake_y=None)


# Priors -----------------------------------------------------------------------------------------


class Codes(Prior):
    """Three codes and the rest; what does not fit is refused in words."""

    def sample(self, n, latent_dim, *, generator, device):
        if latent_dim < 3:
            raise InputError(f"latent_dim must be at least 3, got {latent_dim}")
        code = torch.randint(3, (n,), generator=generator, device=device)
        rest = torch.randn(n, latent_dim - 3, generator=generator, device=device)
        return torch.cat([nn.functional.one_hot(code, 3).float(), rest], 1)


class Groups(Prior):
    """Directions in blocks of 6, batched along the blocks; other sizes end in torch's words."""

    def sample(self, n, latent_dim, *, generator, device):
        z = torch.randn(latent_dim // 6, n, 6, generator=generator, device=device)
        z = z / z.norm(dim=2, keepdim=True)
        return z.permute(1, 0, 2).reshape(n, latent_dim)


class NegativeSizes(Codes):
    def sample(self, n, latent_dim, *, generator, device):
        return torch.cat(
            [
                torch.zeros(n, 3, device=device),
                torch.randn(n, latent_dim - 3, generator=generator, device=device),
            ],
            1,
        )


class Mixture(Prior):
    """Around the rows of a buffer, of which it prefers others as training goes on."""

    observes = True

    def __init__(self):
        super().__init__()
        self.register_buffer("centers", torch.randn(5, 8))
        self.register_buffer("spread", torch.ones(()))

    def sample(self, n, latent_dim, *, generator, device):
        chosen = torch.randint(5, (n,), generator=generator, device=device)
        z = self.centers[chosen][:, :latent_dim]
        return z + self.spread * torch.randn(z.shape, generator=generator, device=device)

    def observe(self, feedback):
        if feedback.generator_loss is not None:
            self.spread.mul_(0.99)


class Narrows(Prior):
    """Narrower with every batch, which no checkpoint remembers."""

    observes = True
    seen = 1

    def sample(self, n, latent_dim, *, generator, device):
        return torch.randn(n, latent_dim, generator=generator, device=device) / self.seen

    def observe(self, feedback):
        self.seen += 1


class ShortRows(Mixture):
    def sample(self, n, latent_dim, *, generator, device):
        return super().sample(n, latent_dim, generator=generator, device=device)[:, :-1]


RIGHT = [
    ("alternation", AfterImages, {}),
    ("alternation", AfterSteps, {}),
    ("alternation", AfterOwnCount, {"batches": 400}),
    ("alternation", ByAccuracy, {}),
    ("alternation", ByReport, {"reports": {"loss/convergence": 0.1}}),
    ("alternation", Alternating, {"d_steps": 0, "players": [G]}),
    ("alternation", AtOnce, {}),
    ("alternation", FromBothNetworks, {}),
    ("augment", Brighter, {"sample_range": "unit"}),
    ("augment", Rolled, {"sample_shape": (1, 20)}),
    ("augment", Adaptive, {}),
    ("augment", OfNetworks, {}),
    ("augment", OfShape, {}),
    ("augment", OfShape, {"arguments": {"sample_shape": (7,)}}),
    ("augment", Shifted, {"sample_shape": (2,)}),
    ("prior", Codes, {}),
    ("prior", Codes, {"latent_dim": 5}),
    ("prior", Groups, {"latent_dim": 12}),
    ("prior", NegativeSizes, {"latent_dim": 4}),
    ("prior", Mixture, {}),
]

WRONG = [
    ("alternation", AfterOwnCount, {}, "must let the discriminator step .* raise batches=..."),
    ("alternation", Alternating, {"d_steps": 0}, "must let the discriminator step within 50 bat"),
    ("alternation", TrustsReport, {}, "observe must accept .* reports were none: KeyError"),
    ("alternation", Unmeasured, {}, "observe must accept statistics that are None, .*TypeError"),
    ("alternation", MeasuresWords, {}, "must have observes, a bool, and measures, a set of Player"),
    ("alternation", TwiceAtOnce, {}, "is simultaneous and must let a player step once on one"),
    ("alternation", Overruns, {}, "phases failed after 2 batches: IndexError"),
    ("alternation", CountsPlainly, {}, "must go on after a resume as it would have, but one re"),
    ("augment", Fading, {}, "must go on after a resume as it would have, .* augments otherwise"),
    ("augment", Brighter, {"sample_range": (1, 0)}, "is checked on samples of a range: InputErr"),
    ("augment", Brighter, {}, "its result must be finite, got NaN or infinity"),
    ("augment", Rolled, {}, r"must augment .*\(4, 3, 32, 32\), but failed: AssertionError"),
    ("augment", PythonNoise, {}, "must take its randomness from torch, .*from Python's random"),
    ("augment", ReadsLabels, {}, "must augment .*, but failed: IndexError"),
    (
        "augment",
        DropsFakes,
        {},
        "replace puts as many samples .* got 3 for fake, where there are 4",
    ),
    ("prior", Groups, {}, "must draw 4 latents of size 8, but failed: RuntimeError: .*latent_dim="),
    ("prior", NegativeSizes, {}, "must draw latents of size 1, or refuse that size in an InputErr"),
    ("prior", Codes, {"latent_dim": 2}, "of size 2, but failed: InputError: latent_dim must be at"),
    ("prior", Narrows, {}, "must go on after a resume .* draws others from an equal seed: keep"),
    ("prior", ShortRows, {}, r"its result must be torch.float32 of shape \(4, 8\), got .*\(4, 7\)"),
]


def named(value):
    return getattr(value, "__name__", "")


@pytest.mark.parametrize(("kind", "component", "keywords"), RIGHT, ids=named)
def test_what_the_contract_allows_conforms(kind, component, keywords):
    check_component(kind, component, **keywords)


@pytest.mark.parametrize(("kind", "component", "keywords", "text"), WRONG, ids=named)
def test_what_breaks_the_contract_is_told(kind, component, keywords, text):
    with pytest.raises(ConformanceError, match=f"^{component.__name__}: .*{text}") as caught:
        check_component(kind, component, **keywords)
    assert "\n" not in str(caught.value)


# How it is called -------------------------------------------------------------------------------


class Cropped(Augment):
    """Has a word of the check's among its arguments."""

    def __init__(self, sample_shape=(1, 8, 8)):
        super().__init__()
        self.sample_shape = sample_shape

    def forward(self, x):
        assert x.shape[1:] == self.sample_shape
        return x


class NeedsSize(Prior):
    def __init__(self, size):
        super().__init__()
        self.size = size + 1


def test_a_ready_object_is_checked():
    check_component("loss", NonSaturatingLoss(real_target=0.9))
    check_component("generator", MLPGenerator((2,), hidden=(4,)))


def test_keywords_go_to_the_check_or_to_the_constructor():
    check_component("prior", "normal", std=2.0, latent_dim=3)
    networks = MLPGenerator((2,), hidden=(4,)), MLPDiscriminator((2,), hidden=(4,))
    check_component("regularizer", "r1", weight=2.0, networks=networks)
    check_component("augment", OfNetworks, networks=networks)


def test_a_word_of_both_is_settled_by_arguments():
    arguments = {"sample_shape": (1, 5)}
    check_component("augment", Cropped, arguments=arguments, sample_shape=(1, 5))
    with pytest.raises(InputError, match="sample_shape is a keyword of check_augment and an argum"):
        check_component("augment", Cropped, sample_shape=(1, 5))


def test_words_without_a_place_are_refused():
    text = "check_loss takes no 'network', did you mean 'networks'. a ready object is built"
    with pytest.raises(InputError, match=text):
        check_component("loss", NonSaturatingLoss(), network=None)
    text = "check_prior takes no 'std': the constructor's stand in arguments={...}; its keywords:"
    with pytest.raises(InputError, match=text):
        check_component("prior", "normal", arguments={}, std=2.0)


def test_a_class_that_cannot_be_built():
    with pytest.raises(ConformanceError, match="NeedsSize: must be built from no arguments, but"):
        check_component("prior", NeedsSize)
    with pytest.raises(ConformanceError, match="NeedsSize: must be built from size, but raises Ty"):
        check_component("prior", NeedsSize, size="5")


def test_kinds_of_torch_have_no_check():
    with pytest.raises(PluginError, match="there is no check of the kind 'optimizer', whose cont"):
        check_component("optimizer", SGD)


def test_an_object_of_another_kind():
    with pytest.raises(ConformanceError, match="NonSaturatingLoss: must be a Prior: derive it"):
        check_component("prior", NonSaturatingLoss())


def test_every_global_random_state_stays():
    states = random.getstate(), torch.get_rng_state()
    with pytest.raises(ConformanceError):
        check_component("augment", PythonNoise)
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])
