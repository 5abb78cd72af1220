"""Averages, schedules and balances that break their contract are told, in words."""

import math

import pytest
import torch
from torch import nn

from lightning_gan.averages.base import Average
from lightning_gan.averages.ema import EMA
from lightning_gan.balances.base import Balance
from lightning_gan.schedules.base import Schedule
from lightning_gan.testing import (
    ConformanceError,
    check_component,
)


class ReplacesParameters(Average):
    def update(self, averaged, source, images, batch):
        for name, parameter in source.named_parameters():
            owner = averaged.get_submodule(name.rpartition(".")[0])
            owner.register_parameter(name.rpartition(".")[2], nn.Parameter(parameter.detach()))


class MovesBoth(Average):
    @torch.no_grad()
    def update(self, averaged, source, images, batch):
        for ours, theirs in zip(averaged.parameters(), source.parameters(), strict=True):
            theirs.copy_(ours)


class Overshoots(EMA):
    @torch.no_grad()
    def update(self, averaged, source, images, batch):
        super().update(averaged, source, images, batch)
        for parameter in averaged.parameters():
            parameter.mul_(1.1)


class TensorSchedule(Schedule):
    def at(self, images):
        return torch.tensor(1.0)


class EndsAtInfinity(Schedule):
    def at(self, images):
        return math.inf if images == 10**9 else 1.0


class CountsImages(Schedule):
    calls = 0

    def at(self, images):
        self.calls += 1
        return float(self.calls)


class Quotient(Balance):
    def weights(self, player, terms, step):
        total = sum(term.item() for term in terms.values())
        return {name: term.item() / total if total else 1.0 for name, term in terms.items()}


class InGraph(Balance):
    def weights(self, player, terms, step):
        return {name: term * 0 + 1 for name, term in terms.items()}


class Stranger(Balance):
    def weights(self, player, terms, step):
        return {"stranger": 1.0}


class Backward(Balance):
    def weights(self, player, terms, step):
        for term in terms.values():
            term.backward(retain_graph=True)
        return {}


class FreesGraph(Balance):
    def weights(self, player, terms, step):
        if step.fake.requires_grad:
            torch.autograd.grad(next(iter(terms.values())), step.fake, allow_unused=True)
        return {}


class NewBuffer(Balance):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def weights(self, player, terms, step):
        self.seen = self.seen + 1
        return {}


class Reestimates(MovesBoth):
    reestimates = "yes"


class Explodes(Average):
    @torch.no_grad()
    def update(self, averaged, source, images, batch):
        for ours, theirs in zip(averaged.parameters(), source.parameters(), strict=True):
            ours.lerp_(theirs, math.inf if images > 40 else 0.5)


class DividesByBatch(Average):
    @torch.no_grad()
    def update(self, averaged, source, images, batch):
        for ours, theirs in zip(averaged.parameters(), source.parameters(), strict=True):
            ours.lerp_(theirs, 1.0 / (images // batch - 7) if images > 4 else 1.0)


class WithGraph(Average):
    def update(self, averaged, source, images, batch):
        for parameter in averaged.parameters():
            parameter.requires_grad_(True)


class CountsUpdates(Average):
    calls = 0

    @torch.no_grad()
    def update(self, averaged, source, images, batch):
        self.calls += 1
        for ours, theirs in zip(averaged.parameters(), source.parameters(), strict=True):
            ours.lerp_(theirs, 1 / self.calls)


class Unknown(Average):
    def update(self, averaged, source, images, batch):
        averaged.unknown()


class DividesByImages(Schedule):
    def at(self, images):
        return 1 / images


class Poisoned(Balance):
    """Follows terms, whatever they are."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def weights(self, player, terms, step):
        self.seen.lerp_(next(iter(terms.values())).detach(), 0.5)
        return {}


class CountsPlainly(Balance):
    calls = 0

    def weights(self, player, terms, step):
        self.calls += 1
        return dict.fromkeys(terms, 1 / self.calls)


class InWords(Balance):
    def weights(self, player, terms, step):
        return dict.fromkeys(terms, "much")


class Fails(Balance):
    def weights(self, player, terms, step):
        return {"adversarial": 1 / len(terms["codes"])}


@pytest.mark.parametrize(
    ("kind", "component", "text"),
    [
        ("average", ReplacesParameters, "update must change parameters and buffers in place"),
        ("average", MovesBoth, "update must not change the trained network"),
        ("average", Overshoots, "must leave an averaged network alone that is equal"),
        ("average", Reestimates, "must have a bool reestimates, got 'yes'"),
        ("average", Explodes, "update must leave the averaged network finite, but leaves NaN"),
        ("average", DividesByBatch, "update failed after 28 images: ZeroDivisionError"),
        ("average", WithGraph, "update must work without gradient, but leaves one: decorate it"),
        ("average", CountsUpdates, "must go on after a resume .* averages otherwise: keep what it"),
        ("average", Unknown, "update failed after 4 images: AttributeError"),
        ("schedule", TensorSchedule, r"at\(0\) must return a finite number, got tensor"),
        ("schedule", EndsAtInfinity, r"at\(1000000000\) must return a finite number, got inf"),
        ("schedule", CountsImages, "at must depend on the images alone, and change nothing"),
        ("schedule", DividesByImages, r"at\(0\) must return a finite number, but fails: ZeroDiv"),
        ("balance", Quotient, "the factor of 'adversarial' must be finite, .* got nan"),
        ("balance", InGraph, "the factor of 'adversarial' must be .* a scalar without graph"),
        ("balance", Stranger, "weights must return factors of the terms adversarial, recon"),
        ("balance", Backward, "weights must leave the gradients of the networks alone"),
        ("balance", FreesGraph, "weights must retain the graph of the terms"),
        ("balance", NewBuffer, "must change its buffers in place"),
        ("balance", Poisoned, "must keep its state finite, whatever the terms are, but keeps NaN"),
        ("balance", CountsPlainly, "must go on after a resume .* has other factors: keep what it"),
        ("balance", InWords, "weights must return tensors or numbers, got a dict of adversarial"),
        ("balance", Fails, "weights failed on the discriminator's terms adversarial, .*KeyError"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_guides_training_is_told_what_is_wrong(kind, component, text):
    with pytest.raises(ConformanceError, match=f"^{component.__name__}: .*{text}"):
        check_component(kind, component)


class BoundBalance(Balance):
    """Knows the shape of samples from bind, and averages the gradient of its terms there."""

    def bind(self, generator, discriminator):
        self.register_buffer("slope", torch.zeros(generator.sample_shape))

    def weights(self, player, terms, step):
        total = sum(terms.values())
        if not (step.fake.requires_grad and total.isfinite()):
            return {}
        (slope,) = torch.autograd.grad(total, step.fake, retain_graph=True, allow_unused=True)
        if slope is not None and slope.isfinite().all():
            self.slope.lerp_(slope.mean(0), 0.1)
        return dict.fromkeys(terms, 1 / (1 + self.slope.norm()))


def test_a_balance_with_buffers_of_the_networks_shapes():
    check_component("balance", BoundBalance)
    check_component("balance", BoundBalance(), terms=["mel"])
