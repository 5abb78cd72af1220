"""What losses that see the step do with it."""

from __future__ import annotations

from functools import partial

import pytest
import tiny_networks as tiny
import torch
import toys
from families import FAMILIES
from stepping_losses import Masked, Unrolled, margin
from torch.nn.functional import leaky_relu, linear, softplus

from lightning_gan import Alternation, Feedback, Game, GANModule, Player, Progress


class Alone(Alternation):
    """One player steps."""

    def __init__(self, player):
        super().__init__()
        self.player = player

    def phases(self, progress):
        return (Player(self.player),)


def seen_by_discriminator(gan):
    """A list that grows by every pair of samples and condition that D judges."""
    seen = []
    gan.discriminator.network.register_forward_pre_hook(lambda _, given: seen.append(given))
    return seen


def in_some(row, batches):
    return any(torch.equal(row, known) for batch in batches for known in batch)


def test_the_pool_shows_fakes_of_earlier_batches():
    family = FAMILIES["image_pool"]
    gan = family.gan()
    game, seen, shown = Game(gan), seen_by_discriminator(gan), []
    made = []
    gan.generator.register_forward_hook(lambda *arguments: made.append(arguments[2].detach()))
    for seed in range(8):
        seen.clear()
        game.play(family.batch(seed=seed))
        _, of_discriminator, of_generator = (x.detach() for x, _ in seen)
        assert torch.equal(of_generator, made[-1])
        assert all(in_some(row, made) for row in of_discriminator)
        shown.append(sum(not in_some(row, made[-1:]) for row in of_discriminator))
    assert shown[:2] == [0, 0]  # while it fills
    assert 0 < sum(shown) < 4 * 6
    assert not gan.loss.pool.requires_grad


def test_measuring_and_validation_leave_the_pool_alone(tmp_path):
    family = FAMILIES["image_pool"]
    gan = family.gan()
    run = toys.fit(tmp_path, gan, steps=3, data=family.data())
    pool = gan.loss.pool.clone()
    run.validate(gan, family.data(), verbose=False)
    gan.alternation = Alone(Player.GENERATOR)
    gan.alternation.observes, gan.alternation.measures = True, frozenset({Player.DISCRIMINATOR})
    assert Game(gan).play(family.batch()).discriminator is not None
    assert torch.equal(gan.loss.pool, pool)


def told(**seen):
    return Feedback(Progress(batches=1, images=4), (Player.DISCRIMINATOR,), **seen)


def test_apa_shows_fakes_as_real_samples():
    family = FAMILIES["apa"]
    gan = family.gan()
    seen, game = seen_by_discriminator(gan), Game(gan)
    batch = family.batch()
    game.play(batch)
    assert torch.equal(seen[0][0], batch)
    gan.loss.p.fill_(1.0)
    game.play(batch)
    assert not any(in_some(row, [batch]) for row in seen[3][0].detach())


def test_apa_follows_the_sign_of_the_logits():
    loss = FAMILIES["apa"].gan().loss
    loss.observe(told(real_sign=torch.tensor(0.9)))
    assert loss.p == pytest.approx(4 / 100)
    loss.observe(told(real_sign=torch.tensor(0.5)))
    loss.observe(told(real_sign=torch.tensor(0.5)))
    loss.observe(told())
    assert loss.p == 0


def test_bigan_judges_pairs_and_trains_the_encoder_with_the_generator():
    family = FAMILIES["bigan"]
    for player, moves in ((Player.DISCRIMINATOR, False), (Player.GENERATOR, True)):
        gan = family.gan(alternation=Alone(player))
        seen, before = seen_by_discriminator(gan), toys.weights(gan.loss.encoder)
        encoded = gan.loss.encoder(family.batch())
        Game(gan).play(family.batch())
        assert toys.same(before, toys.weights(gan.loss.encoder)) != moves
        pairs = {tuple(y.shape): y for _, y in seen}
        assert len(seen) == 2
        assert pairs.keys() == {(4, tiny.LATENT)}
        assert any(torch.equal(y, encoded) for _, y in seen)
        assert all(parameter.grad is None for parameter in gan.generator_ema.parameters())


def test_the_encoder_gets_the_gradient_of_both_halves():
    family = FAMILIES["bigan"]
    gan = family.gan(alternation=Alone(Player.GENERATOR)).double()
    x, d = family.batch().double(), gan.discriminator.network
    expected = softplus(d(x, gan.loss.encoder(x))).mean()
    slopes = torch.autograd.grad(expected, list(gan.loss.encoder.parameters()))
    found = []
    gan.loss.encoder[1].weight.register_hook(found.append)
    Game(gan).play(x)
    torch.testing.assert_close(found[0], slopes[0])


def test_began_holds_its_equilibrium():
    family = FAMILIES["began"]
    gan = family.gan()
    gan.loss.k.fill_(0.25)
    readings = Game(gan).play(family.batch())
    real, fake = -readings.discriminator.real_logits, readings.generator.loss
    torch.testing.assert_close(
        readings.discriminator.loss, real + 0.25 * readings.discriminator.fake_logits
    )
    torch.testing.assert_close(gan.loss.k, 0.25 + 0.001 * (0.5 * real - fake))


@pytest.mark.parametrize("steps", [0, 2])
def test_unrolled_generators_look_ahead(steps):
    """The gradient of a loop by hand, in which a copy of D is trained."""
    rate, loss = 0.1, Unrolled(steps, 0.1)
    family = FAMILIES["unrolled"]
    gan = family.gan(loss=loss, alternation=Alone(Player.GENERATOR)).double()
    x, before = family.batch().double(), toys.weights(gan.discriminator)
    made, slopes = [], []

    def note(module, given, output):
        made.append(output.detach().requires_grad_())
        output.register_hook(slopes.append)

    gan.generator.register_forward_hook(note)
    Game(gan).play(x)
    assert toys.same(before, toys.weights(gan.discriminator))

    weights = [w.detach().requires_grad_() for w in gan.discriminator.parameters()]

    def judge(x):
        hidden = leaky_relu(linear(x.flatten(1), *weights[:2]), 0.2)
        return linear(hidden, *weights[2:])

    for _ in range(steps):
        loss = (softplus(-judge(x)) + softplus(judge(made[0]))).mean()
        directions = torch.autograd.grad(loss, weights, create_graph=True)
        weights = [w - rate * g for w, g in zip(weights, directions, strict=True)]
    (expected,) = torch.autograd.grad(softplus(-judge(made[0])).mean(), made[0])
    torch.testing.assert_close(slopes[0], expected)


def test_only_the_logit_of_the_class_counts():
    family = FAMILIES["multi_task"]
    gan = family.gan(alternation=Alone(Player.DISCRIMINATOR))
    found = []
    gan.discriminator.network.head.weight.register_hook(found.append)
    Game(gan).play(family.batch()[0], torch.tensor([0, 2, 0, 2]))
    assert [bool(row.any()) for row in found[0]] == [True, False, True]


def masked_gan(**options):
    torch.manual_seed(0)
    discriminator = tiny.TinyDiscriminator(logits=4)
    return GANModule(toys.generator(), discriminator, Masked(), **options)


def test_what_the_mask_hides_has_no_gradient():
    gan = masked_gan(alternation=Alone(Player.DISCRIMINATOR))
    found, mask = [], torch.tensor([[1.0, 0.0, 1.0, 0.0]]).repeat(4, 1)
    gan.discriminator.head.weight.register_hook(found.append)
    readings = Game(gan).play(toys.images(4), extra={"mask": mask})
    assert [bool(row.any()) for row in found[0]] == [True, False, True, False]
    assert readings.discriminator.reports == {"loss/covered": torch.tensor(0.5)}


def test_masks_are_cut_with_the_batch():
    mask = torch.tensor([[1.0, 0.0, 1.0, 0.0]]).repeat(4, 1)
    weights = []
    for pieces in (1, 2):
        sgd = partial(torch.optim.SGD, lr=0.1)
        gan = masked_gan(micro_batches=pieces, discriminator_optimizer=sgd)
        Game(gan, seed=1).play(toys.images(4), extra={"mask": mask})
        weights.append(toys.weights(gan.discriminator))
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name])


def test_multi_hinge_is_the_hinge_of_margins():
    family = FAMILIES["multi_hinge"]
    gan = family.gan()
    said = []
    gan.discriminator.network.register_forward_hook(lambda *given: said.append(given[2].logits))
    x, y = family.batch()
    readings = Game(gan).play(x, y)
    fake, real, later = (logits.detach() for logits in said)
    others = [
        max(row[c] for c in range(4) if c != label) for row, label in zip(real, y, strict=True)
    ]
    torch.testing.assert_close(margin(real, y), real[range(4), y] - torch.stack(others))
    expected = (1 - margin(real, y)).relu() + (1 - margin(fake, torch.full((4,), 3))).relu()
    torch.testing.assert_close(readings.discriminator.loss, expected.mean())
    torch.testing.assert_close(readings.generator.loss, (1 - margin(later, y)).relu().mean())


def test_a_pretrained_generator_leaves_the_discriminator_alone():
    family = FAMILIES["pretraining"]
    gan = family.gan()
    before = toys.weights(gan.discriminator), toys.weights(gan.generator)
    readings = Game(gan).play(family.batch())
    assert readings.phases == (Player.GENERATOR,)
    assert toys.same(before[0], toys.weights(gan.discriminator))
    assert not toys.same(before[1], toys.weights(gan.generator))
