"""Which phase's logits and losses the log and observers are told."""

from __future__ import annotations

import pytest
import torch
import toys
from torch import nn

from lightning_gan import Alternation, Game, Generator, InputError, Player, Regularizer
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.training.log import named

G, D = Player.GENERATOR, Player.DISCRIMINATOR


class Fixed(Alternation):
    """The same phases on every batch; notes what it is told."""

    observes = True

    def __init__(self, phases, measures=()):
        super().__init__()
        self._phases, self.measures, self.told = phases, frozenset(measures), []

    def phases(self, progress):
        return self._phases

    def observe(self, feedback):
        self.told.append(feedback)


def played(*phases, measures=(), **options):
    """A game of one batch, and copies of the discriminator before it and before the last phase."""
    torch.manual_seed(0)
    gan = toys.gan(alternation=Fixed(phases, measures), **options)
    real, before = toys.images(8), toys.weights(gan.discriminator)
    readings = Game(gan, seed=1).play(real)
    after = toys.weights(gan.discriminator)
    logits = {}
    for name, state in (("before", before), ("after", after)):
        gan.discriminator.load_state_dict(state)
        with torch.no_grad():
            logits[name] = gan.discriminator(real)
    return readings, gan.alternation.told[0], logits


def test_logits_are_those_of_the_discriminators_update_before_its_step():
    readings, told, logits = played(D, G)
    assert torch.equal(told.real_logits, logits["before"].mean())
    assert torch.equal(told.real_sign, logits["before"].sign().mean())
    assert torch.equal(told.fake_logits, readings.discriminator.fake_logits)
    assert not torch.equal(told.fake_logits, readings.generator.fake_logits)
    assert torch.equal(told.discriminator_loss, readings.discriminator.loss)
    assert torch.equal(told.generator_loss, readings.generator.loss)
    assert told.phases == (D, G)
    assert told.progress.images == 8


def test_also_where_the_generator_steps_first():
    readings, told, logits = played(G, D)
    assert torch.equal(told.real_logits, logits["before"].mean())
    assert torch.equal(told.fake_logits, readings.discriminator.fake_logits)


def test_the_first_of_several_updates_is_told():
    readings, told, logits = played(D, D)
    assert torch.equal(told.real_logits, logits["before"].mean())
    assert readings.phases == (D, D)
    assert told.generator_loss is None


def test_a_generator_alone_has_seen_fakes_alone():
    readings, told, _ = played(G)
    assert told.real_logits is None
    assert told.real_sign is None
    assert told.discriminator_loss is None
    assert torch.equal(told.fake_logits, readings.generator.fake_logits)


def test_a_resting_discriminator_is_measured_where_that_is_asked():
    readings, told, logits = played(G, measures=[D])
    assert torch.equal(told.real_logits, logits["before"].mean())
    assert torch.equal(told.discriminator_loss, readings.discriminator.loss)
    assert torch.equal(told.fake_logits, readings.generator.fake_logits)
    assert readings.phases == (G,)


def test_a_resting_generator_is_measured_where_that_is_asked():
    readings, told, _ = played(D, measures=[G])
    fake = readings.discriminator.fake_logits
    assert told.generator_loss == pytest.approx(
        torch.nn.functional.softplus(-fake).item(), rel=0.05
    )
    assert torch.equal(told.fake_logits, fake)


def test_the_log_goes_by_the_same_rule():
    readings, told, _ = played(D, G)
    keys = named(readings)
    assert torch.equal(keys["logits/real"], told.real_logits)
    assert torch.equal(keys["logits/fake"], told.fake_logits)
    assert torch.equal(keys["loss/discriminator"], told.discriminator_loss)
    assert torch.equal(keys["loss/generator"], told.generator_loss)


class Saying(Regularizer):
    """Terms of several names, and a report, for both players."""

    def discriminator(self, step):
        step.report("height", 2.0)
        return {"a": step.real_output.total() * 0 + 1.0, "b": step.real_output.total() * 0 + 2.0}

    def generator(self, step):
        return step.fake_output.total() * 0 + 4.0


def test_terms_and_reports_have_keys_of_their_own():
    readings, told, _ = played(D, G, regularizers={"said": Saying(weight=0.5)})
    keys = named(readings)
    assert keys["regularizer/said/discriminator/a"] == 0.5
    assert keys["regularizer/said/discriminator/b"] == 1.0
    assert keys["regularizer/said/generator"] == 2.0
    assert keys["regularizer/said/height"] == 2.0
    assert told.reports == {"regularizer/said/height": 2.0}


def test_pieces_of_a_batch_are_averaged():
    torch.manual_seed(0)
    whole = toys.gan()
    torch.manual_seed(0)
    pieces = toys.gan(micro_batches=4)
    readings = [Game(each, seed=1).play(toys.images(8)) for each in (whole, pieces)]
    for key, value in named(readings[0]).items():
        if "fake" not in key and "generator" not in key:  # the latents are drawn piece by piece
            continue
        assert value.isfinite()
    real = [r.discriminator.real_logits for r in readings]
    torch.testing.assert_close(*real)


class Telling(Regularizer):
    """A term of both players that reports whose update it is asked for."""

    def __init__(self, name="who", told=None):
        super().__init__(weight=1.0)
        self.name, self.told = name, told

    def generator(self, step):
        step.report(self.name, 1.0)
        return {"part": step.fake.square()} if self.told else step.fake.square()

    def discriminator(self, step):
        step.report(self.name, 2.0)
        return step.real_output.logits


@pytest.mark.parametrize("phases", [(D, G), (G, D), (G,), (D,)])
def test_of_two_updates_that_report_one_name_the_first_counts(phases):
    readings, told, _ = played(*phases, regularizers={"term": Telling()})
    first = 2.0 if phases[0] is D else 1.0
    assert named(readings)["regularizer/term/who"] == first
    assert told.reports["regularizer/term/who"] == first


def test_a_report_with_the_name_of_a_term_is_refused():
    term = Telling("generator/part", told=True)
    sentence = "regularizer/term/generator/part is a term and a report of the generator's update"
    with pytest.raises(InputError, match=sentence):
        played(G, regularizers={"term": term})


class Generating(NonSaturatingLoss):
    """Looks at fakes of its own, which batch norm notices."""

    def play(self, step):
        step.generate(step.latents(4))
        return super().play(step)


def test_a_player_that_is_measured_changes_no_statistics_of_the_generator():
    def after(measures):
        torch.manual_seed(0)
        gan = toys.gan(generator=Normed(), loss=Generating(), alternation=Fixed((D,), measures))
        Game(gan, seed=1).play(toys.images(8))
        return gan.generator.norm.num_batches_tracked

    assert after((G,)) == after(())


class Normed(Generator):
    latent_dim, sample_shape = 3, toys.SHAPE

    def __init__(self):
        super().__init__()
        self.norm, self.last = nn.BatchNorm1d(3), nn.Linear(3, 16)

    def forward(self, z, y=None):
        return self.last(self.norm(z)).view(-1, *toys.SHAPE)


class Own(Telling):
    """Listens to what it said itself."""

    observes = True

    def observe(self, feedback):
        self.heard = feedback.own


def test_a_part_is_told_its_own_reports_by_themselves():
    terms = {"first": Own(), "other": Own("what")}
    _, told, _ = played(D, G, regularizers=terms)
    assert terms["first"].heard == {"who": 2.0}
    assert terms["other"].heard == {"what": 2.0}
    assert set(told.reports) == {"regularizer/first/who", "regularizer/other/what"}
    assert told.own == {}
