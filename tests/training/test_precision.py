"""Updates in bfloat16, against those in float32."""

from __future__ import annotations

import copy

import pytest
import torch
import toys
from stepping import Only, sgd
from torch.nn.functional import softplus

from lightning_gan import (
    InputError,
    Player,
    Regularizer,
)
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.r1 import R1Regularizer

G, D = Player.GENERATOR, Player.DISCRIMINATOR


def test_bf16_with_two_discriminator_steps_uses_fresh_weights(tmp_path):
    """A stale bf16 copy of D's weights would give both steps the same gradient."""

    class Gradients(Regularizer):
        def __init__(self):
            super().__init__()
            self.seen = []

        def after_update(self, player, network):
            self.seen.append(network.head.weight.grad.clone())

    recorder = Gradients()
    gan = toys.gan(
        regularizers={"g": recorder},
        alternation=Only([D, D]),
        discriminator_optimizer=sgd(2.0),
        prior=toys.CountingPrior(),
    )
    d = copy.deepcopy(gan.discriminator)
    toys.fit(tmp_path, gan, steps=1, precision="bf16-mixed")
    real, prior = toys.images()[:8], toys.CountingPrior()
    for gradient in recorder.seen:
        fake = gan.generator(prior.sample(8, 3, generator=None, device="cpu")).detach()
        loss = (softplus(-d(real)) + softplus(d(fake))).mean()
        expected = torch.autograd.grad(loss, list(d.parameters()))
        error = (gradient - expected[-2]).norm() / expected[-2].norm()
        assert error < 0.05
        with torch.no_grad():
            for parameter, step in zip(d.parameters(), expected, strict=True):
                parameter -= 2.0 * step


def test_bf16_generator_is_trained_after_a_discriminator_phase(tmp_path):
    for share_fakes in (True, False):
        gan = toys.gan(share_fakes=share_fakes)
        before = toys.weights(gan.generator)
        toys.fit(tmp_path, gan, steps=1, precision="bf16-mixed")
        after = toys.weights(gan.generator)
        assert all(not torch.equal(before[name], after[name]) for name in before)


def test_bf16_penalties_and_losses_see_float32(tmp_path):
    kinds = []

    class Kinds(R1Regularizer):
        def discriminator(self, step):
            kinds.append((step.real_output.logits.dtype, torch.is_autocast_enabled("cpu")))
            term = super().discriminator(step)
            kinds.append(term.dtype)
            return term

    class LossKinds(NonSaturatingLoss):
        def generator(self, fake_logits, real_logits=None):
            kinds.append(fake_logits.dtype)
            return super().generator(fake_logits, real_logits)

    gan = toys.gan(regularizers={"r1": Kinds()}, loss=LossKinds())
    toys.fit(tmp_path, gan, steps=1, precision="bf16-mixed")
    assert kinds == [(torch.float32, False), torch.float32, torch.float32]


def test_bf16_penalty_is_that_of_float32(tmp_path):
    """R1 and its double backward run in full precision, fakes alone in bf16."""

    class Gradients(R1Regularizer):
        def after_update(self, player, network):
            if player is D:
                gradients.append(torch.cat([p.grad.flatten() for p in network.parameters()]))

    values, gradients = [], []
    for precision in ("32-true", "bf16-mixed"):
        torch.manual_seed(0)
        gan = toys.gan(regularizers={"r1": Gradients(weight=1e4)})
        toys.fit(tmp_path, gan, steps=1, precision=precision)
        values.append(gan.latest_metrics["regularizer/r1"].item())
    assert values[0] == pytest.approx(values[1], rel=1e-6)
    assert (gradients[0] - gradients[1]).norm() < 1e-3 * gradients[0].norm()


def test_bf16_true_trains_with_a_penalty(tmp_path):
    gan = toys.gan(regularizers={"r1": R1Regularizer()})
    toys.fit(
        tmp_path, gan, steps=1, precision="bf16-true", data=toys.loader(toys.images().bfloat16())
    )
    assert torch.isfinite(gan.latest_metrics["regularizer/r1"])


def test_16_mixed_is_refused(tmp_path):
    gan = toys.gan()
    run = toys.trainer(tmp_path, max_steps=1)
    type(run).precision, original = property(lambda _: "16-mixed"), type(run).precision
    try:
        with pytest.raises(InputError, match="use precision=bf16-mixed"):
            run.fit(gan, toys.loader())
    finally:
        type(run).precision = original
