"""Lists of logits, and lists of lists of features: losses, penalties and terms over them."""

from __future__ import annotations

import pytest
import torch
import toys
from classic_terms import Hinge
from families import FAMILIES
from lists_of_heads import FeatureMatching, Periods, Resolutions, Scales, Several
from torch.nn.functional import l1_loss

from lightning_gan import Alternation, Game, GANModule, InputError, Player
from lightning_gan.regularizers.r1 import R1Regularizer


class DiscriminatorAlone(Alternation):
    """G stays as it is."""

    def phases(self, progress):
        return (Player.DISCRIMINATOR,)


def gan(**options):
    torch.manual_seed(0)
    return GANModule(
        toys.generator(), Scales(), Hinge(), alternation=DiscriminatorAlone(), **options
    ).double()


def played(gan, x):
    """Return the readings of a batch, and the fakes of D's update."""
    made = []
    gan.generator.register_forward_hook(lambda _, given, output: made.append(output.detach()))
    return Game(gan).play(x), made[0]


JOINED = [
    ({}, [0.5, 0.5]),
    ({"heads": "sum"}, [1.0, 1.0]),
    ({"heads": "sum", "head_weights": [1.0, 0.25]}, [1.0, 0.25]),
    ({"head_weights": [1.0, 0.25]}, [0.5, 0.125]),
]


@pytest.mark.parametrize(("options", "weights"), JOINED)
def test_losses_of_heads_are_joined_as_told(options, weights):
    """Value and gradient are those of a sum by hand."""
    module, x = gan(**options), toys.images(4).double()
    twin, found = gan(**options), []
    for parameter in module.discriminator.parameters():
        parameter.register_hook(found.append)
    readings, fake = played(module, x)
    heads = zip(twin.discriminator(x).logits, twin.discriminator(fake).logits, strict=True)
    losses = [Hinge().discriminator(real, fake).mean() for real, fake in heads]
    expected = sum(w * loss for w, loss in zip(weights, losses, strict=True))
    torch.testing.assert_close(readings.discriminator.loss, expected.detach())
    slopes = torch.autograd.grad(expected, list(twin.discriminator.parameters()))
    assert sorted(s.norm().item() for s in slopes) == pytest.approx(
        sorted(s.norm().item() for s in found)
    )


def test_each_head_has_a_weight():
    with pytest.raises(InputError, match="head_weights has 3 numbers, and the .* 2 heads: give"):
        Game(gan(head_weights=[1.0, 1.0, 1.0])).play(toys.images(4).double())
    alone = FAMILIES["hinge"].gan(head_weights=[1.0, 1.0])
    with pytest.raises(InputError, match="head_weights has 2 numbers, and the .* one head: give"):
        Game(alone).play(toys.images(4))


def test_one_head_may_have_a_weight():
    half = Game(FAMILIES["hinge"].gan(head_weights=[0.5]), seed=1).play(toys.images(4))
    whole = Game(FAMILIES["hinge"].gan(), seed=1).play(toys.images(4))
    torch.testing.assert_close(half.discriminator.loss, whole.discriminator.loss / 2)


def test_r1_is_of_the_sum_of_all_logits():
    module, x = gan(regularizers={"r1": R1Regularizer()}), toys.images(4).double()
    twin = gan()
    readings, _ = played(module, x)
    x.requires_grad_()
    total = sum(logits.sum() for logits in twin.discriminator(x).logits)
    (slope,) = torch.autograd.grad(total, x)
    expected = 0.5 * slope.square().flatten(1).sum(1).mean()
    torch.testing.assert_close(readings.discriminator.terms["r1"], expected)


def test_logged_logits_are_the_mean_over_heads(tmp_path):
    family = FAMILIES["scales"]
    module, said = family.gan(), []
    module.discriminator.network.register_forward_hook(lambda *given: said.append(given[2].logits))
    toys.fit(tmp_path, module, steps=1, data=family.data(), limit_val_batches=0)
    means = [sum(head.mean() for head in logits).detach() / 2 for logits in said]
    assert module.latest_metrics["logits/real"].item() == pytest.approx(means[0].item(), rel=1e-5)
    assert module.latest_metrics["logits/fake"].item() == pytest.approx(means[1].item(), rel=1e-5)


def test_features_match_over_all_layers_of_two_lists_of_discriminators():
    """The value by hand, and no gradient for D."""
    torch.manual_seed(0)
    discriminator = Several([Periods((2, 3)), Resolutions((1, 2))])
    module = GANModule(
        toys.generator(sample_shape=(1, 16)),
        discriminator,
        Hinge(),
        {"matching": FeatureMatching()},
        generator_weight=0.0,
        discriminator_weight=0.0,
    )
    made, before = [], toys.weights(module.generator)
    module.generator.register_forward_hook(lambda *given: made.append(given[2].detach()))
    x = toys.images(4, (1, 16))
    readings = Game(module).play(x)
    real, fake = discriminator(x), discriminator(made[0])
    assert [len(head) for head in real.features] == [2, 2, 2, 2]
    layers = [[layer for head in output.features for layer in head] for output in (real, fake)]
    pairs = zip(*layers, strict=True)
    expected = sum(l1_loss(ours, theirs) for ours, theirs in pairs) / 8
    torch.testing.assert_close(readings.generator.terms["matching"], expected.detach())
    assert not toys.same(before, toys.weights(module.generator))
    assert all(parameter.grad is None for parameter in discriminator.parameters())


def test_lists_of_discriminators_are_rebuilt_from_a_file(tmp_path):
    torch.manual_seed(0)
    members = Several([Periods((2, 5)), Resolutions((1, 3))])
    module = GANModule(toys.generator(sample_shape=(1, 16)), members, Hinge())
    run = toys.fit(tmp_path, module, steps=1, data=toys.loader(toys.images(8, (1, 16))))
    run.save_checkpoint(tmp_path / "a.ckpt")
    loaded = GANModule.load_from_checkpoint(tmp_path / "a.ckpt").discriminator
    assert (loaded.members[0].periods, loaded.members[1].strides) == ((2, 5), (1, 3))
    assert toys.same(toys.weights(members), toys.weights(loaded))
