from __future__ import annotations

import csv
import functools
import json
import math

import pytest
import torch
import toys
from pytorch_lightning.loggers import CSVLogger
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import LambdaLR

from lightning_gan.alternations.base import Alternation
from lightning_gan.callbacks.health import rules
from lightning_gan.callbacks.health.measures import compare_with_real, contest, measure_health
from lightning_gan.callbacks.health.monitor import HealthMonitor
from lightning_gan.cli.settings import compose
from lightning_gan.cli.settings.resolve import resolve
from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.losses.minimax import MinimaxLoss
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.r1 import R1Regularizer


class Wasserstein(AdversarialLoss):
    def discriminator(self, real_logits, fake_logits):
        return fake_logits - real_logits

    def generator(self, fake_logits, real_logits=None):
        return -fake_logits


class OneImageAClass(toys.MLPGenerator):
    """What it makes depends on the class alone."""

    def forward(self, z, y=None):
        return super().forward(z * 0, y)


class Fixed(toys.MLPGenerator):
    """Makes noise, as well spread as could be, and hardly learns."""

    def __init__(self):
        super().__init__(sample_shape=toys.SHAPE, latent_dim=16, hidden=(8,))

    def forward(self, z, y=None):
        return 0.9 * z.tanh().view(-1, *toys.SHAPE) + 0.1 * super().forward(z, y)


class Broken(NonSaturatingLoss):
    def generator(self, fake_logits, real_logits=None):
        return super().generator(fake_logits) * math.nan


def adam(lr):
    return functools.partial(Adam, lr=lr, betas=(0.0, 0.99))


def late(step):
    """A learning rate of 0 up to a step."""
    return functools.partial(LambdaLR, lr_lambda=lambda now: float(now > step))


def blobs(n=64, classes=4, noise=0.3):
    """Noise around one image a class, and the classes."""
    centers = torch.randn(classes, *toys.SHAPE)
    y = torch.arange(n) % classes
    return (centers[y] + noise * torch.randn(n, *toys.SHAPE)).tanh(), y


def train(tmp_path, capsys, steps=200, data=None, monitor=None, logger=False, **parts):
    """Train, and return what was found: names, the lines of the file, and what was printed."""
    monitor = monitor or HealthMonitor(every_n_steps=20, n=32, patience=3)
    gan = toys.gan(**parts)
    run = toys.fit(tmp_path, gan, steps, data, callbacks=[monitor], logger=logger)
    file = tmp_path / "health.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    found = [json.loads(line) for line in lines]
    printed = [line for line in capsys.readouterr().out.splitlines() if "health:" in line]
    assert len(printed) == len(found)
    return {each["finding"]: each for each in found}, printed, run


# Whole runs that fail -------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [None, 4])
def test_a_healthy_run_has_no_findings(tmp_path, capsys, classes):
    x, y = blobs(noise=0.3 if classes is None else 0.6)
    sizes = {"num_classes": classes, "hidden": (32, 32)}
    found, _, _ = train(
        tmp_path,
        capsys,
        steps=400,
        data=toys.loader(x, y, batch_size=16),
        generator=toys.generator(latent_dim=8, **sizes),
        discriminator=toys.discriminator(**sizes),
        generator_optimizer=adam(5e-3),
        discriminator_optimizer=adam(5e-3 if classes is None else 2e-2),
        regularizers={"r1": R1Regularizer(weight=0.3)},
    )
    assert found == {}


def test_nan_is_found_at_once(tmp_path, capsys):
    found, (line,), run = train(tmp_path, capsys, steps=60, loss=Broken(), max_skipped=None)
    assert list(found) == ["left_out"]
    finding = found["left_out"]
    assert (finding["step"], finding["since_step"]) == (20, 20)
    assert finding["message"] == "NaN or infinite values in grad_norm/generator, loss/generator"
    assert finding["numbers"]["loss/generator"] is None
    assert line == (
        f"health: left out at step 20, since step 20: {finding['message']}. Try "
        "generator_optimizer.lr=5e-05 discriminator_optimizer.lr=5e-05, or "
        "generator_clip_norm=1 discriminator_clip_norm=1."
    )
    assert run.global_step == 60  # on_finding is "warn"


def test_one_image_a_class_is_a_collapse(tmp_path, capsys):
    x, y = blobs()
    found, (line,), _ = train(
        tmp_path,
        capsys,
        steps=120,
        data=toys.loader(x, y),
        generator=OneImageAClass(sample_shape=toys.SHAPE, latent_dim=3, num_classes=4),
        discriminator=toys.discriminator(num_classes=4),
        regularizers={"r1": R1Regularizer(weight=0.01)},
    )
    finding = found["mode_collapse"]
    assert (finding["step"], finding["since_step"]) == (60, 20)
    assert finding["message"] == (
        "samples differ 0.00 times as much as real ones; 100% of the samples are near copies of "
        "another"
    )
    assert finding["numbers"]["duplicates"] == 1.0
    assert "Try regularizers.r1.weight=0.1, or generator_optimizer.lr=5e-05." in line


def test_a_generator_that_never_has_a_chance(tmp_path, capsys):
    x, _ = blobs(noise=0.05)
    found, _, _ = train(
        tmp_path,
        capsys,
        data=toys.loader(x),
        generator=Fixed(),
        discriminator=toys.discriminator(hidden=(64,)),
        discriminator_optimizer=adam(1e-1),
    )
    assert list(found) == ["no_start"]
    finding = found["no_start"]
    assert finding["message"].startswith("G was never up to D: it puts 100.0% of the pairs in ord")
    assert finding["advice"] == (
        "discriminator_optimizer.lr=0.025, or regularizers.r1.weight=1, or another seed_everything"
    )


def test_a_discriminator_that_gets_too_strong(tmp_path, capsys):
    x, _ = blobs(noise=0.05)
    found, _, _ = train(
        tmp_path,
        capsys,
        steps=300,
        data=toys.loader(x),
        generator=Fixed(),
        discriminator=toys.discriminator(hidden=(64,)),
        discriminator_optimizer=adam(1e-1),
        discriminator_lr_scheduler=late(120),
    )
    assert list(found) == ["overpowering"]
    finding = found["overpowering"]
    assert finding["since_step"] > 120
    assert finding["message"].startswith("D overpowers G: it puts 100.0% of the pairs in order and")


def test_a_loss_that_saturates(tmp_path, capsys):
    x, _ = blobs(noise=0.05)
    found, _, _ = train(
        tmp_path,
        capsys,
        data=toys.loader(x),
        loss=MinimaxLoss(),
        generator=Fixed(),
        discriminator=toys.discriminator(hidden=(64,)),
        discriminator_optimizer=adam(1e-1),
    )
    finding = found["vanishing_gradient"]
    assert finding["message"].startswith("G's loss has ")
    assert finding["message"].endswith(" of the gradient it has at logits of 0")
    assert finding["numbers"]["g_signal"] < 0.05
    assert finding["advice"] == "loss=non_saturating"


def test_players_that_chase_each_other(tmp_path, capsys):
    x, _ = blobs()
    found, _, _ = train(
        tmp_path,
        capsys,
        data=toys.loader(x),
        generator_optimizer=functools.partial(SGD, lr=0.3, momentum=0.9),
        discriminator_optimizer=functools.partial(SGD, lr=0.3, momentum=0.9),
    )
    finding = found["oscillation"]
    assert " swings by " in finding["message"]
    assert finding["advice"].startswith(
        "generator_optimizer.lr=0.075 discriminator_optimizer.lr=0.075, or "
    )


# What comes of a finding ----------------------------------------------------------------------


@pytest.mark.parametrize("action", ["stop", "restart"])
def test_a_finding_ends_training(tmp_path, capsys, action):
    monitor = HealthMonitor(every_n_steps=5, patience=2, on_finding=action)
    generator = OneImageAClass(sample_shape=toys.SHAPE, latent_dim=3)
    _, (line,), run = train(tmp_path, capsys, monitor=monitor, generator=generator)
    assert run.global_step == 10
    assert monitor.ended_by == "mode_collapse"
    assert line.endswith(" Training ends here.")


def test_not_every_finding_ends_training(tmp_path, capsys):
    """A discriminator that wins for a while may lose again, and players calm down."""
    x, _ = blobs()
    monitor = HealthMonitor(every_n_steps=20, n=32, patience=3, on_finding="stop")
    found, _, run = train(
        tmp_path,
        capsys,
        steps=300,
        data=toys.loader(x),
        monitor=monitor,
        generator=Fixed(),
        discriminator_optimizer=adam(1e-1),
        discriminator_lr_scheduler=late(120),
    )
    assert list(found) == ["overpowering"]
    assert run.global_step == 300
    assert monitor.ended_by is None
    endless = [rule.name for rule in rules.RULES if not rule.ends]
    assert endless == ["left_out", "overpowering", "oscillation"]


def test_loggers_get_findings_and_numbers(tmp_path, capsys):
    logger = CSVLogger(tmp_path, name="", version=0)
    generator = OneImageAClass(sample_shape=toys.SHAPE, latent_dim=3)
    monitor = HealthMonitor(every_n_steps=2, patience=2)
    gan = toys.gan(generator=generator)
    toys.fit(tmp_path, gan, 4, callbacks=[monitor], logger=logger)
    with (tmp_path / "version_0" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["health/spread"]]
    found = [(row["step"], row["health/mode_collapse"]) for row in rows]
    assert found == [("1", "0.0"), ("3", "1.0")]
    assert {key for key, value in rows[0].items() if key.startswith("health/") and value} == {
        *(f"health/{name}" for name in ("spread", "duplicates", "d_accuracy")),
        *(f"health/{rule.name}" for rule in rules.RULES),
    }
    assert (tmp_path / "version_0" / "health.jsonl").exists()


def test_checks_do_not_change_training(tmp_path):
    weights = []
    for callbacks in ([], [HealthMonitor(every_n_steps=1)]):
        torch.manual_seed(0)
        gan = toys.gan(discriminator=toys.discriminator(dropout=0.5))
        toys.fit(tmp_path, gan, steps=5, callbacks=callbacks)
        weights.append({**toys.weights(gan.generator), **toys.weights(gan.discriminator)})
    assert toys.same(*weights)


def test_a_resumed_run_goes_on_counting():
    monitor, other = HealthMonitor(patience=3), HealthMonitor(patience=3)
    monitor._window.append({"loss/generator": 1.0})
    monitor._pending.append({"loss/generator": torch.tensor(2.0)})
    monitor._spreads.extend([0.1, 0.2])
    monitor._streaks["oscillation"].note(200, True, 3)
    monitor._contested, monitor._largest_gradient = 4, 5.0
    other.load_state_dict(json.loads(json.dumps(monitor.state_dict())))
    monitor._pending = []
    assert list(other._window) == [{"loss/generator": 1.0}, {"loss/generator": 2.0}]
    assert other._streaks["oscillation"] == rules.Streak(since=200, seen=1)
    assert {**other.state_dict(), "window": []} == {**monitor.state_dict(), "window": []}


def test_another_fit_of_the_same_object_starts_anew(tmp_path, capsys):
    monitor = HealthMonitor(every_n_steps=5, patience=2, on_finding="stop")
    generator = OneImageAClass(sample_shape=toys.SHAPE, latent_dim=3)
    for folder in ("a", "b"):
        _, _, run = train(tmp_path / folder, capsys, monitor=monitor, generator=generator)
        assert run.global_step == 10


def test_a_fast_dev_run_leaves_nothing(tmp_path):
    monitor = HealthMonitor(every_n_steps=1, patience=1)
    generator = OneImageAClass(sample_shape=toys.SHAPE, latent_dim=3)
    gan = toys.gan(generator=generator)
    toys.fit(tmp_path, gan, steps=-1, fast_dev_run=2, callbacks=[monitor])
    assert not (tmp_path / "health.jsonl").exists()


def test_wrong_arguments():
    with pytest.raises(InputError, match="HealthMonitor: every_n_steps must be at least 1, got 0"):
        HealthMonitor(every_n_steps=0)
    with pytest.raises(InputError, match="HealthMonitor: patience must be at least 1, got 0"):
        HealthMonitor(patience=0)
    message = "HealthMonitor: on_finding must be one of warn, stop, restart, got 'die'"
    with pytest.raises(InputError, match=message):
        HealthMonitor(on_finding="die")


def test_another_module_is_refused(fake_gan, fit):
    message = "HealthMonitor expects a GANModule, got FakeGAN; leave this callback out"
    with pytest.raises(InputError, match=message):
        fit(fake_gan(), HealthMonitor())


# Measures -------------------------------------------------------------------------------------


def test_spread_is_that_of_the_real_samples_inside_a_class():
    x, y = blobs(256, classes=8)
    x, other = x.flatten(1)[:128], x.flatten(1)[128:]
    classes = (y[128:], y[:128])
    alike = compare_with_real(other, x, *classes)
    assert alike["spread"].item() == pytest.approx(1.0, abs=0.1)
    assert alike["duplicates"] == 0
    narrow = compare_with_real(torch.zeros(8, 16)[y[:128]] + 0.3 * x, x, *classes)
    assert narrow["spread"].item() == pytest.approx(0.3, abs=0.03)
    one_each = compare_with_real(torch.randn(8, 16)[y[:128]], x, y[:128], y[:128])
    assert one_each["spread"] == 0
    assert one_each["duplicates"] == 1
    assert compare_with_real(torch.randn(8, 16)[y[:128]], x, None, None)["spread"] > 0.5


def test_a_batch_of_too_many_classes_is_compared_as_a_whole():
    x = torch.randn(32, 4)
    numbers = compare_with_real(x, x, None, torch.arange(32))
    assert numbers["spread"].item() == pytest.approx(1.0)


def test_data_without_spread_ask_for_none():
    assert compare_with_real(torch.zeros(4, 2), torch.ones(4, 2), None, None)["spread"] == 1


def test_who_is_ahead():
    real, fake = torch.full((4, 2, 2), 9.0), torch.full((4, 2, 2), -9.0)
    won = contest(real, fake, NonSaturatingLoss())
    assert won["d_accuracy"] == 1
    assert won["d_signal"] < 1e-3
    assert won["g_signal"].item() == pytest.approx(2.0, abs=1e-3)
    assert won["chance/discriminator"].item() == pytest.approx(2 * math.log(2))
    assert won["chance/generator"].item() == pytest.approx(math.log(2))
    assert contest(real, fake, MinimaxLoss())["g_signal"] < 1e-3
    assert contest(real, fake, Wasserstein())["d_signal"] == 1
    even = contest(real, real, NonSaturatingLoss())
    assert even["d_accuracy"] == 0.5
    assert contest(fake, real, NonSaturatingLoss())["d_accuracy"] == 0


def test_labels_of_any_kind_and_tiny_batches_are_measured():
    x = toys.images(8)
    gan = toys.gan()
    for y in (None, torch.rand(8, 5), {"a": torch.rand(8), "b": (torch.rand(8),)}):
        assert {"spread", "d_accuracy"} <= measure_health(gan, x, y, 16, seed=0).keys()
    assert "spread" not in measure_health(gan, x[:1], None, 16, seed=0)
    by_class = toys.gan(
        generator=toys.generator(latent_dim=0, num_classes=3),
        discriminator=toys.discriminator(num_classes=3),
    )
    assert "spread" not in measure_health(by_class, x, torch.arange(8) % 3, 16, seed=0)


def test_large_samples_are_compared_on_some_of_their_values():
    shape = (3, 64, 64)
    gan = toys.gan(
        generator=toys.generator(sample_shape=shape),
        discriminator=toys.discriminator(sample_shape=shape),
    )
    x = toys.images(8, shape)
    first, second = (measure_health(gan, x, None, 8, seed=0) for _ in range(2))
    assert first == second
    assert 0 < first["spread"] < 1


# Rules ----------------------------------------------------------------------------------------

WELL = {
    **{"spread": 0.9, "duplicates": 0.0, "d_accuracy": 0.7, "d_signal": 0.9, "g_signal": 0.9},
    **{"chance/discriminator": 1.386, "chance/generator": 0.693},
    **{"loss/discriminator": 1.3, "loss/generator": 0.8, "grad_norm/generator": 0.3},
}
WON = {**WELL, "d_accuracy": 1.0, "d_signal": 0.01, "loss/discriminator": 0.02, "g_signal": 2.0}


def seen(check):
    return [rule.name for rule in rules.RULES if rule.look(check) is not None]


def points(*values):
    return [{"loss/discriminator": value} for value in values]


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (rules.Check(WELL), []),
        (rules.Check({**WELL, "loss/generator": math.nan}), ["left_out"]),
        (rules.Check({**WELL, "weights/generator": math.inf}), ["not_finite"]),
        (rules.Check({**WELL, "spread": 0.3}), ["mode_collapse"]),
        (rules.Check({**WELL, "spread": 0.3}, earlier_spread=0.2), []),  # it is only beginning
        (rules.Check({**WELL, "spread": 0.3}, earlier_spread=0.3), ["mode_collapse"]),
        (rules.Check({**WELL, "duplicates": 0.2}), ["mode_collapse"]),
        (rules.Check({**WELL, "classes": 4.9, "num_classes": 10}), ["mode_collapse"]),
        (rules.Check({**WELL, "classes": 5.1, "num_classes": 10}), []),
        (rules.Check(WON), ["overpowering"]),
        (rules.Check(WON, started=False), ["no_start"]),
        (rules.Check({**WON, "d_accuracy": 0.98}), []),
        (rules.Check({**WON, "d_signal": 1.0}), []),  # a Wasserstein critic
        (rules.Check({**WON, "g_signal": 0.01}), ["vanishing_gradient", "overpowering"]),
        (rules.Check({**WON, "d_signal": 0.3}, largest_gradient=400.0), ["vanishing_gradient"]),
        (rules.Check({**WON, "d_signal": 0.3}, largest_gradient=200.0), []),
        (rules.Check(WELL, points(*[0.1, 3.0] * 10)), ["oscillation"]),
        (rules.Check(WELL, points(*[0.1, 3.0] * 9)), []),  # the window is not full
        (rules.Check(WELL, points(*[1.2, 1.5] * 10)), []),
        (rules.Check(WELL, points(*range(20))), []),  # going up is not swinging
        (rules.Check(WELL, points(*[1.3, 1.5] * 5, *[0.8, 1.9] * 5)), ["oscillation"]),
        (rules.Check({**WELL, "chance/discriminator": 0.0}, points(*[-9.0, 9.0] * 10)), []),
        (
            rules.Check(WELL, [{"logits/real": r, "logits/fake": 0.0} for r in [0.0, 4.0] * 10]),
            ["oscillation"],
        ),
    ],
)
def test_rules(check, expected):
    assert seen(check) == expected


def test_a_threshold_says_when_a_discriminator_wins():
    """Under an alternation by thresholds D stops early, and its loss never gets near 0."""
    numbers = {**WON, "d_signal": 0.4, "loss/discriminator": 0.6}
    settings = rules.Known(g_above=0.8)
    assert seen(rules.Check(numbers, started=False)) == []
    assert seen(rules.Check(numbers, settings=settings, started=False)) == ["no_start"]
    above = {**numbers, "loss/discriminator": 0.9}
    assert seen(rules.Check(above, settings=settings, started=False)) == []


def test_the_threshold_is_read_from_the_alternation(tmp_path, capsys):
    class Thresholds(Alternation):
        g_above = 100.0  # D always wins

    x, _ = blobs()
    options = {"generator_optimizer": adam(1e-9), "discriminator_optimizer": adam(2e-2)}
    monitor = HealthMonitor(every_n_steps=20, n=32, patience=3)
    data = toys.loader(x)
    found, _, _ = train(tmp_path, capsys, 120, data, monitor, alternation=Thresholds(), **options)
    assert "no_start" in found


def test_a_streak_becomes_one_finding_until_it_was_away_for_as_long():
    streak = rules.Streak()
    looks = [1, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1]
    news = [streak.note(10 * i, bool(look), needed=3) for i, look in enumerate(looks)]
    assert [i for i, new in enumerate(news) if new] == [4, 13]
    assert streak.since == 110


def test_the_classes_of_an_evaluation_are_read(tmp_path, capsys):
    class Evaluated(HealthMonitor):
        def on_train_batch_end(self, trainer, pl_module, *rest):
            trainer.callback_metrics["val/class_entropy"] = torch.tensor(math.log(2.0))
            super().on_train_batch_end(trainer, pl_module, *rest)

    x, y = blobs(classes=8)
    found, _, _ = train(
        tmp_path,
        capsys,
        steps=60,
        data=toys.loader(x, y),
        monitor=Evaluated(every_n_steps=20, patience=3),
        generator=toys.generator(hidden=(32,), num_classes=8),
        discriminator=toys.discriminator(num_classes=8),
    )
    assert "samples are of 2.0 of 8 classes" in found["mode_collapse"]["message"]


def test_every_advice_names_settings_that_exist():
    penalties = rules.Known(penalties={"r1": 0.5}, module_key="model.")  # as the command says it
    checks = (
        rules.Check(WELL, settings=penalties),
        rules.Check({**WELL, "g_signal": 0.0}, settings=penalties),
    )
    advice = [rule.advice(check).replace(",", "") for rule in rules.RULES for check in checks]
    words = {word for text in advice for word in text.split()}
    assert {word for word in words if "=" not in word} == {"or", "another", "seed_everything"}
    settings = sorted(word for word in words if "=" in word)
    assert {"loss=non_saturating", "model.regularizers.r1.weight=5"} <= set(settings)
    for word in settings:  # each is refused where it does not exist
        assert resolve(compose.settings([word]))
