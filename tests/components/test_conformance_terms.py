"""Losses and regularizers of every family conform, and those that break the contract are told."""

import copy

import pytest
import torch
from torch import nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.priors.base import Prior
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.testing import (
    ConformanceError,
    check_component,
    check_loss,
    check_regularizer,
)
from lightning_gan.types import DiscriminatorOutput, GeneratorOutput, Player

# Networks ----------------------------------------------------------------------------------


class Coder(Generator):
    """An image to an image, with by-products."""

    latent_dim, sample_shape, sample_range = 0, (2, None), (0.0, 9.0)

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(2, 2, 1)

    def forward(self, z, y=None):
        h = self.layer(y)
        return GeneratorOutput(9 * h.sigmoid(), {"kl": h.square().mean(), "h": h})

    def decode(self, h):
        return 9 * h.sigmoid()


class Scales(Discriminator):
    """Two scales, with features that are lists of lists and a head for codes."""

    sample_shape = (2, None)

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(2, 3, 1), nn.Conv1d(2, 3, 1, stride=2)])
        self.head = nn.Conv1d(3, 1, 1)

    def forward(self, x, y=None):
        features = [[layer(x).tanh()] for layer in self.layers]
        logits = [self.head(each[-1]) for each in features]
        codes = features[0][0].mean(2)
        return DiscriminatorOutput(logits, features=features, extra={"codes": codes})


def pair():
    return {"networks": (Coder(), Scales()), "y": torch.randn(4, 2, 6)}


class Codes(Prior):
    """Pairs of one-hot codes, refused where they do not fit."""

    def sample(self, n, latent_dim, *, generator, device):
        code = torch.randint(3, (n,), generator=generator, device=device)
        rest = torch.randn(n, latent_dim - 3, generator=generator, device=device)
        return torch.cat([nn.functional.one_hot(code, 3).float(), rest], 1)


# Losses ------------------------------------------------------------------------------------


class KernelLoss(AdversarialLoss):
    """A distance of features: no direction, a scalar."""

    couples_samples, directed = True, False

    def discriminator(self, real_logits, fake_logits):
        return -self.generator(fake_logits, real_logits)

    needs_real_logits_for_generator = True

    def generator(self, fake_logits, real_logits=None):
        real, fake = real_logits.flatten(1), fake_logits.flatten(1)
        kernel = lambda a, b: (-(a[:, None] - b[None]).square().sum(2)).exp()  # noqa: E731
        return (kernel(real, real) + kernel(fake, fake) - 2 * kernel(real, fake)).mean()


class Directionless(KernelLoss):
    directed = True


class DirectedByWord(KernelLoss):
    directed = "yes"


class OfFiveClasses(AdversarialLoss):
    """K real classes and one of fakes, in place of a logit."""

    directed = False

    def discriminator(self, real_logits, fake_logits):
        return self._fake(fake_logits) - self._fake(real_logits)

    def generator(self, fake_logits, real_logits=None):
        return -self._fake(fake_logits)

    def _fake(self, logits):
        assert logits.shape[1:] == (5,)
        return -logits.log_softmax(1)[:, 4]


class Stub(AdversarialLoss):
    """A loss that overrides play and has no halves."""

    def discriminator(self, real_logits, fake_logits):
        raise NotImplementedError

    def generator(self, fake_logits, real_logits=None):
        raise NotImplementedError


class FeatureLoss(Stub):
    """Sees features alone, be they a tensor or a tree; D's half is a scalar."""

    requires = frozenset({"features"})

    def play(self, step):
        gap = (self.flat(step.real_output.features) - self.flat(step.fake_output.features)).abs()
        return gap.mean(1) if step.player is Player.GENERATOR else -gap.mean()

    def flat(self, tree):
        if isinstance(tree, list):
            return torch.cat([self.flat(each) for each in tree], 1)
        return tree.flatten(1)


class NoLogits(Stub):
    """Energy of an autoencoder, with a control that observes what it reported."""

    observes = True

    def __init__(self):
        super().__init__()
        self.register_buffer("k", torch.zeros(()))

    def play(self, step):
        fake = (step.fake_output.features - 1).abs().mean(1)
        if step.player is Player.GENERATOR:
            return fake
        real = (step.real_output.features - 1).abs().mean(1)
        step.report("balance", (0.5 * real - fake).mean())
        return real - self.k * fake

    def observe(self, feedback):
        if "loss/balance" in feedback.reports:
            self.k.add_(feedback.reports["loss/balance"]).clamp_(0, 1)


class TrustsReports(NoLogits):
    def observe(self, feedback):
        self.k.add_(feedback.reports["loss/balance"])


class Bidirectional(NonSaturatingLoss):
    """An encoder that the generator's optimizer trains."""

    trained_by = Player.GENERATOR

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(64, 5)

    def play(self, step):
        z = self.encoder(step.real.flatten(1))
        joint = lambda output, z: output.logits + z.sum(1)  # noqa: E731
        real, fake = joint(step.real_output, z), joint(step.fake_output, step.z)
        if step.player is Player.DISCRIMINATOR:
            return self.discriminator(real, fake)
        return self.generator(fake) + self.generator(-real)


class SpareEncoder(Bidirectional):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(1, 1)


class TrainedByName(Bidirectional):
    trained_by = "generator"


class Unowned(Bidirectional):
    trained_by = None


class Frozen(Unowned):
    def __init__(self):
        super().__init__()
        self.encoder.requires_grad_(False)


class Lazy(Bidirectional):
    def __init__(self):
        super().__init__()
        self.encoder = nn.LazyLinear(5)


class WithScale(NonSaturatingLoss):
    """The halves' own parameter, of the discriminator."""

    trained_by = Player.DISCRIMINATOR

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def discriminator(self, real_logits, fake_logits):
        return super().discriminator(self.scale * real_logits, self.scale * fake_logits)


class Masked(NonSaturatingLoss):
    """Weights from the batch, labels, and heads that it joins itself."""

    def play(self, step):
        mask = step.extra["mask"]
        if step.player is Player.DISCRIMINATOR:
            pairs = zip(step.real_output.heads, step.fake_output.heads, strict=True)
            return [self.discriminator(real, fake).mean() * mask.mean() for real, fake in pairs]
        return [self.generator(head).mean() * mask for head in step.fake_output.heads]


class Augmented(NonSaturatingLoss):
    """Fakes among the real samples, and a history of fakes that bind makes room for."""

    def __init__(self):
        super().__init__()
        self.register_buffer("pool", None)

    def bind(self, generator, discriminator):
        self.pool = torch.zeros(4, *generator.sample_shape)

    def prepare(self, step):
        if step.player is Player.DISCRIMINATOR:
            old = self.pool.clone()
            self.pool.copy_(step.fake)
            step.replace(real=torch.where(torch.rand(()) < 0.5, step.real, old), fake=old)


class PlainPool(NonSaturatingLoss):
    """Keeps old fakes in a list, which neither moves nor is saved."""

    def __init__(self):
        super().__init__()
        self.pool = []

    def prepare(self, step):
        if step.player is Player.DISCRIMINATOR:
            self.pool.append(step.fake.clone())
            step.replace(fake=self.pool[0])


class PlainNumber(NonSaturatingLoss):
    """Grows, which no checkpoint remembers."""

    factor = 1.0

    def play(self, step):
        self.factor += 0.1
        return super().play(step) * self.factor


class RemembersABatch(Stub):
    """D's update leaves something to G's on the same batch, with its graph."""

    mean = None

    def play(self, step):
        if step.player is Player.GENERATOR:
            mean = step.real_output.features.mean(0) if self.mean is None else self.mean
            return (step.fake_output.features - mean.detach()).square()
        self.mean = step.real_output.features.mean(0)
        return self.mean.square().mean() + step.fake_output.logits


class WaitsForTheOther(RemembersABatch):
    def play(self, step):
        if step.player is Player.GENERATOR:
            return (step.fake_output.features - self.mean.detach()).square()
        return super().play(step)


class NoisyTargets(NonSaturatingLoss):
    def discriminator(self, real_logits, fake_logits):
        noise = torch.rand_like(real_logits)
        return super().discriminator(real_logits, fake_logits) * (0.9 + 0.2 * noise)


class InfiniteSlope(NonSaturatingLoss):
    def generator(self, fake_logits, real_logits=None):
        return super().generator(fake_logits) + (fake_logits - fake_logits).sqrt()


class Lazily(Augmented):
    """Makes the buffer when it is first needed, which no fresh object can load."""

    def bind(self, generator, discriminator):
        pass

    def prepare(self, step):
        self.pool = step.fake.detach()


class Shrinks(NonSaturatingLoss):
    def prepare(self, step):
        step.fake = step.fake[:2]


class Relativistic(AdversarialLoss):
    couples_samples = needs_real_logits_for_generator = True

    def discriminator(self, real_logits, fake_logits):
        gap = (real_logits - fake_logits.mean(0), fake_logits - real_logits.mean(0))
        return nn.functional.softplus(-gap[0]) + nn.functional.softplus(gap[1])

    def generator(self, fake_logits, real_logits=None):
        return self.discriminator(fake_logits, real_logits)


class PlaysText(Stub):
    def play(self, step):
        return "fake"


class PlaysHalf(Stub):
    def play(self, step):
        return step.fake_output.logits[:2]


class PlaysDetached(Stub):
    def play(self, step):
        return step.fake_output.logits.detach()


class PlaysBackward(Stub):
    def play(self, step):
        step.fake_output.logits.sum().backward(retain_graph=True)
        return step.fake_output.logits


class PlaysOnCPU(Stub):
    def play(self, step):
        return step.fake_output.logits * torch.ones(4)


class Refers(Stub):
    def bind(self, generator, discriminator):
        self.teacher = discriminator


class ReadsOneHead(NonSaturatingLoss):
    def prepare(self, step):
        step.report("mean", step.fake_output.logits.mean())


class Raises(NonSaturatingLoss):
    def generator(self, fake_logits, real_logits=None):
        return {}[fake_logits.dim()]


class NeedsSlices(FeatureLoss):
    requires = frozenset({"slices"})


class NeedsAWord(FeatureLoss):
    requires = "features"


RIGHT_LOSSES = [
    (KernelLoss, {}),
    (KernelLoss, {"logit_shapes": [(16,)]}),
    (OfFiveClasses, {"logit_shapes": [(5,)]}),
    (FeatureLoss, {}),
    (FeatureLoss, pair()),
    (NoLogits, {}),
    (Bidirectional, {}),
    (Frozen, {}),
    (WithScale, {}),
    (Masked, {"extra": {"mask": torch.ones(4)}}),
    (Masked, {**pair(), "extra": {"mask": torch.ones(4)}}),
    (Augmented, {}),
    (Relativistic, {}),
    (NoisyTargets, {}),
    (RemembersABatch, {}),
    (NonSaturatingLoss, pair()),
]

WRONG_LOSSES = [
    (
        Directionless,
        {"logit_shapes": [(16,)]},
        "the discriminator's half must fall .* slope is .*set directed to False",
    ),
    (DirectedByWord, {}, "must have directed, a bool, got 'yes'"),
    (OfFiveClasses, {}, "the generator's half failed on logits, .*AssertionError"),
    (TrustsReports, {}, "observe must accept statistics that are None, .*reports that are missing"),
    (SpareEncoder, {}, "must use every parameter that trained_by says the generator trains, but"),
    (TrainedByName, {}, "must have trained_by None or a Player, got 'generator'"),
    (Lazy, {}, "must have all its weights when it is built, but encoder.weight waits for its"),
    (Unowned, {}, "must have no parameters that nobody trains, but has encoder.weight"),
    (Masked, {}, "play, in an update of the generator, failed: KeyError: 'mask'"),
    (Masked, {"extra": {"mask": torch.ones(3)}}, "extra must hold tensors of 4 samples"),
    (Lazily, {}, "must be copied by deepcopy, and rebuilt .*make buffers in the constructor or in"),
    (Shrinks, {}, r"prepare must put .* got real \(4, 1, 8, 8\) and fake \(2, 1, 8, 8\)"),
    (PlainPool, {}, "must go on after a resume .* has another term for the discriminator: keep"),
    (WaitsForTheOther, {}, "play, in an update of the generator, failed: AttributeError"),
    (PlainNumber, {}, "must go on after a resume .* has another term for the discriminator: keep"),
    (InfiniteSlope, {}, "the generator's half must have finite gradients for logits up to 1, got"),
    (PlaysText, {}, "play must return a tensor, or a list of tensors, .*, got str"),
    (
        PlaysHalf,
        {},
        r"play, in an update of the generator, must be .* \(4, \.\.\.\), got .*\(2,\)",
    ),
    (PlaysDetached, {}, "play, in an update of the generator, must be differentiable with"),
    (PlaysBackward, {}, "must leave gradients to the game, but the networks have some after it"),
    (PlaysOnCPU, {}, "must work on any device it is moved to: RuntimeError: .*device"),
    (Refers, {}, "must keep a network out of its own modules, but teacher.look.weight is a"),
    (ReadsOneHead, {}, "prepare failed in an update of the generator: AttributeError: 'list'"),
    (Raises, {}, "the generator's half failed on logits, .*KeyError: 1"),
    (NeedsSlices, {}, "requires 'slices', which the tiny networks do not provide: pass networks="),
    (NeedsSlices, pair(), "requires 'slices', which the given networks do not provide"),
    (NeedsAWord, {}, "must have requires, a frozenset of names, got 'features'"),
    (KernelLoss, {**pair(), "latent_dim": 3}, "is checked on networks or on tiny ones of a shape"),
    (KernelLoss, {"networks": "five!"}, r"is checked on networks=\(generator, discriminator\)"),
]


class Five(Discriminator):
    sample_shape = (2,)

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 5)

    def forward(self, x, y=None):
        return self.layer(x)


class OfTwo(Generator):
    latent_dim, sample_shape = 3, (2,)

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, z, y=None):
        return self.layer(z)


def named(value):
    return getattr(value, "__name__", "")


@pytest.mark.parametrize(("component", "keywords"), RIGHT_LOSSES, ids=named)
def test_a_loss_that_the_contract_allows_conforms(component, keywords):
    check_component("loss", component, **keywords)


@pytest.mark.parametrize(("component", "keywords", "text"), WRONG_LOSSES, ids=named)
def test_a_loss_that_breaks_the_contract_is_told(component, keywords, text):
    with pytest.raises(ConformanceError, match=f"^{component.__name__}: .*{text}") as caught:
        check_component("loss", component, **keywords)
    assert "\n" not in str(caught.value)


# Regularizers ------------------------------------------------------------------------------


class Several(Regularizer):
    """Terms by name, of by-products and of heads in extra."""

    requires = frozenset({"kl", "codes"})

    def generator(self, step):
        made, said = step.generator_output.extra, step.fake_output.extra
        return {"kl": made["kl"], "codes": said["codes"].square(), "size": step.fake.mean((1, 2))}

    def discriminator(self, step):
        step.report("size", step.real.mean())
        return {"codes": step.real_output.extra["codes"].square().mean()}


class Numbered(Regularizer):
    def generator(self, step):
        return {0: step.fake.mean()}


class InfoGAN(Regularizer):
    """Q is the generator's, and the codes are the prior's."""

    trained_by = Player.GENERATOR

    def __init__(self):
        super().__init__()
        self.q = nn.Linear(64, 3)

    def generator(self, step):
        codes = self.q(step.fake.flatten(1))
        return nn.functional.cross_entropy(codes, step.z[:, :3], reduction="none")


class OfNobodysTerm(InfoGAN):
    trained_by = Player.DISCRIMINATOR


class DetachedQ(InfoGAN):
    def generator(self, step):
        return super().generator(step).detach() + step.fake.mean()


class Estimator(Regularizer):
    """A network of its own, which its term alone trains, in D's update."""

    trained_by = Player.DISCRIMINATOR

    def __init__(self):
        super().__init__()
        self.network = nn.Linear(64, 1)

    def discriminator(self, step):
        return self.network(step.real.flatten(1)) - self.network(step.fake.flatten(1))


class Pseudo(Regularizer):
    """Changes updates and has no term."""

    def prepare(self, step):
        if step.player is Player.DISCRIMINATOR:
            step.replace(real=(step.real + step.fake) / 2)


class Reshapes(Pseudo):
    def prepare(self, step):
        step.replace(real=step.real.flatten(1))


class PathLength(Regularizer):
    """Runs the generator on latents of its own, in full precision, and keeps a mean."""

    requires = frozenset({"mapping"})
    full_precision = frozenset({Player.GENERATOR})

    def __init__(self):
        super().__init__(2.0, 4)
        self.register_buffer("mean", torch.zeros(()))

    def generator(self, step):
        z = step.latents(4).requires_grad_()
        x = step.generate(z, step.fake_y)
        (gradient,) = torch.autograd.grad((x * torch.randn_like(x)).sum(), z, create_graph=True)
        lengths = gradient.square().sum(1).sqrt()
        self.mean.lerp_(lengths.detach().mean(), 0.01)
        return (lengths - self.mean).square()


class FullOfWords(PathLength):
    full_precision = frozenset({"critic"})


class Fresh(Regularizer):
    """New fakes in D's update."""

    def discriminator(self, step):
        return step.discriminate(step.generate(step.latents(4), step.fake_y)).logits


class Teacher(Regularizer):
    """A copy of the discriminator, and the generator as it was at first, by reference."""

    def bind(self, generator, discriminator):
        self.teacher = copy.deepcopy(discriminator).requires_grad_(False)
        self.__dict__["other"] = generator
        self.register_buffer("center", torch.zeros(generator.sample_shape))

    def generator(self, step):
        near = (step.fake - self.center).square().flatten(1).mean(1)
        return near - self.teacher(step.fake, step.fake_y).logits


class Trainee(Teacher):
    """Its copy is trained by nobody."""

    def bind(self, generator, discriminator):
        super().bind(generator, discriminator)
        self.teacher.requires_grad_(True)


class Unbound(Teacher):
    def bind(self, generator, discriminator):
        self.teacher = copy.deepcopy(generator.unknown)


class LeCam(Regularizer):
    """Follows the logits that it observes."""

    observes = True

    def __init__(self):
        super().__init__()
        self.register_buffer("fake", torch.zeros(()))

    def observe(self, feedback):
        if feedback.fake_logits is not None:
            self.fake.lerp_(feedback.fake_logits, 0.1)

    def discriminator(self, step):
        return (step.real_output.total() / 4 - self.fake).square()


class OfOthers(LeCam):
    """Reads what a loss reports, and trusts it to be there where D stepped."""

    def observe(self, feedback):
        if feedback.reports:
            self.fake.copy_(feedback.reports["loss/balance"])


class Reconstructs(Regularizer):
    """Logarithms of samples that are not negative, masked."""

    def generator(self, step):
        gap = (step.fake + 0.1).log() - (step.real + 0.1).log()
        return (gap * step.extra["mask"][:, None]).abs()


class Sharpness(Regularizer):
    """Of sound: samples (N, 1, T)."""

    def generator(self, step):
        return step.fake.diff(dim=2).square().mean((1, 2))


class Perceptual(Regularizer):
    """Around a bare network, which is passed again when a checkpoint is loaded."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network.requires_grad_(False)

    def generator(self, step):
        return self.network(step.fake.flatten(1)) - self.network(step.real.flatten(1))


class PenaltyOfScales(Regularizer):
    differentiates = frozenset({"real"})

    def discriminator(self, step):
        (g,) = torch.autograd.grad(step.real_output.total(), step.real, create_graph=True)
        return g.square().flatten(1).sum(1)


class StartsLate(Regularizer):
    """Zero until a thousand images were seen."""

    def generator(self, step):
        if step.images_seen < 1000:
            return step.fake.new_zeros(())
        return step.fake.square().mean((1, 2, 3))


class StartsDetached(StartsLate):
    def generator(self, step):
        return super().generator(step).detach()


class ThawsAll(Regularizer):
    def after_update(self, player, network):
        network.requires_grad_(True)


class KeepsFrozen(ThawsAll):
    def after_update(self, player, network):
        for parameter in network.parameters():
            parameter.mul_(0.9)


class Breaks(ThawsAll):
    def after_update(self, player, network):
        network.unknown()


class Weightless(Sharpness):
    def __init__(self):
        super().__init__()
        self.weight = None


class QueueInGraph(Regularizer):
    """Changes its queue before the gradient of what it was used for."""

    def __init__(self):
        super().__init__()
        self.register_buffer("queue", torch.ones(64, 4))

    def discriminator(self, step):
        logits = step.real_output.logits * (self.queue * step.real_output.logits).sum()
        self.queue.add_(1)
        return logits


class Homeless(Sharpness):
    """A tensor that is not saved, made when it is bound."""

    def bind(self, generator, discriminator):
        self.center = torch.zeros(generator.sample_shape)


class Global(Sharpness):
    def generator(self, step):
        torch.manual_seed(1)
        return super().generator(step)


def half_frozen():
    networks = OfTwo(), Five()
    networks[0].layer.bias.requires_grad_(False)
    return {"networks": networks}


RIGHT_REGULARIZERS = [
    (Several, pair()),
    (InfoGAN, {"prior": Codes(), "latent_dim": 5}),
    (Estimator, {}),
    (Pseudo, {}),
    (PathLength, {}),
    (Fresh, {}),
    (Teacher, {}),
    (LeCam, {}),
    (LeCam, pair()),
    (OfOthers, {"reports": {"loss/balance": 0.3}}),
    (Reconstructs, {**pair(), "extra": {"mask": torch.ones(4, 6)}}),
    (Reconstructs, {"sample_range": "unit", "extra": {"mask": torch.ones(4, 1, 8)}}),
    (Sharpness, {"sample_shape": (1, 30)}),
    (PenaltyOfScales, pair()),
    (StartsLate, {}),
    (KeepsFrozen, half_frozen()),
]

WRONG_REGULARIZERS = [
    (Several, {}, "requires 'codes', which the tiny networks do not provide"),
    (Numbered, {}, "the generator's term must have names of its parts, got 0"),
    (InfoGAN, {"latent_dim": 2}, "the generator's term failed, with gradients .*RuntimeError"),
    (InfoGAN, {"prior": Codes(), "latent_dim": 2}, "must generate from 4 latents .*RuntimeError"),
    (OfNobodysTerm, {}, "has parameters that the discriminator trains, and no term in its"),
    (DetachedQ, {}, "trained_by says the generator trains, but q.weight, q.bias gets no gradient"),
    (Reshapes, {}, r"prepare must put samples of the same shape .* got real \(4, 64\)"),
    (FullOfWords, {}, r"must have full_precision None or a frozenset of Player, got .*'critic'"),
    (Trainee, {}, "must have no parameters that nobody trains, but has teacher.look.weight"),
    (Unbound, {}, r"must be bound to the networks, but bind\(generator, .* fails: AttributeError"),
    (OfOthers, {"reports": {"x": 0}}, "observe must accept .*reports were x: KeyError: 'loss/bal"),
    (Reconstructs, {}, "the generator's term failed, .*KeyError: 'mask'"),
    (StartsDetached, {}, "the generator's term must be differentiable with respect to the gener"),
    (ThawsAll, half_frozen(), "after_update must leave the parameters finite and trainable as"),
    (Breaks, {}, "after_update failed for the generator: AttributeError"),
    (Weightless, {"sample_shape": (1, 30)}, "must have a weight, a number, got None: call super"),
    (QueueInGraph, {}, "the discriminator's term must be differentiable: RuntimeError: .*inplace"),
    (Homeless, {}, "must keep tensors in buffers or parameters, .* but center is a plain"),
    (Global, {"sample_shape": (1, 30)}, "must leave the seed of torch's global generator alone"),
]


@pytest.mark.parametrize(("component", "keywords"), RIGHT_REGULARIZERS, ids=named)
def test_a_regularizer_that_the_contract_allows_conforms(component, keywords):
    check_component("regularizer", component, **keywords)


@pytest.mark.parametrize(("component", "keywords", "text"), WRONG_REGULARIZERS, ids=named)
def test_a_regularizer_that_breaks_the_contract_is_told(component, keywords, text):
    told = component.__name__ if "must generate" not in text else "TinyGenerator"
    with pytest.raises(ConformanceError, match=f"^{told}: .*{text}") as caught:
        check_component("regularizer", component, **keywords)
    assert "\n" not in str(caught.value)


def test_a_term_around_a_bare_module():
    ready = Perceptual(nn.Linear(64, 3))
    check_regularizer(ready, portable=False)
    with pytest.raises(ConformanceError, match="pass portable=False to this check and network=..."):
        check_regularizer(ready)


def test_given_networks_stay_as_they_were():
    networks = OfTwo().eval(), Five()
    before = copy.deepcopy(networks)
    check_regularizer(KeepsFrozen(), networks=networks)
    check_loss(NonSaturatingLoss(), networks=networks)
    for network, then in zip(networks, before, strict=True):
        assert network.training == then.training
        for ours, theirs in zip(network.parameters(), then.parameters(), strict=True):
            assert ours.grad is None
            assert torch.equal(ours, theirs)


def test_networks_that_cannot_be_copied():
    networks = OfTwo(), Five()
    networks[0].scaled = 2 * networks[0].layer.weight
    with pytest.raises(ConformanceError, match="LeCam: is checked on networks that can be copied"):
        check_regularizer(LeCam(), networks=networks)


def test_a_term_of_a_network_that_fails_is_the_networks_fault():
    with pytest.raises(ConformanceError, match="^Five: must judge samples with no condition, but"):
        check_regularizer(LeCam(), networks=(MLPGenerator((3,), hidden=(4,)), Five()))
    with pytest.raises(ConformanceError, match="^Coder: must generate from 4 latents and no cond"):
        check_regularizer(LeCam(), networks=(Coder(), Scales()))
