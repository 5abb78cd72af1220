"""Losses of every family conform, and those that break the contract are told."""

import pytest
import torch
from scales import named, pair
from torch import nn

from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.testing import (
    ConformanceError,
    check_component,
)
from lightning_gan.types import Player


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


@pytest.mark.parametrize(("component", "keywords"), RIGHT_LOSSES, ids=named)
def test_a_loss_that_the_contract_allows_conforms(component, keywords):
    check_component("loss", component, **keywords)


@pytest.mark.parametrize(("component", "keywords", "text"), WRONG_LOSSES, ids=named)
def test_a_loss_that_breaks_the_contract_is_told(component, keywords, text):
    with pytest.raises(ConformanceError, match=f"^{component.__name__}: .*{text}") as caught:
        check_component("loss", component, **keywords)
    assert "\n" not in str(caught.value)
