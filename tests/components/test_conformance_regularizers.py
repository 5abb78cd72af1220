"""Regularizers of every family conform, and those that break the contract are told."""

import copy

import pytest
import torch
from scales import Coder, Codes, Five, OfTwo, Scales, named, pair
from torch import nn

from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.testing import (
    ConformanceError,
    check_component,
    check_loss,
    check_regularizer,
)
from lightning_gan.types import Player


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
