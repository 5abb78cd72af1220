"""Batches, rounds, refusals, the machine and the result of a benchmark."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
import toys
from pytorch_lightning import LightningDataModule

from lightning_gan import GANModule
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.alternations.base import Alternation
from lightning_gan.alternations.loss_threshold import LossThreshold
from lightning_gan.augments.base import Augment
from lightning_gan.balances.base import Balance
from lightning_gan.benchmark import machine
from lightning_gan.benchmark.benchmark_plan import WARMUP, BenchmarkPlan
from lightning_gan.benchmark.feeding import plain_batches, tuned_batches
from lightning_gan.benchmark.imitation import check_imitable, d_steps
from lightning_gan.benchmark.measure import measure
from lightning_gan.benchmark.plain import PlainLoop
from lightning_gan.benchmark.result import PLAIN, TUNED, Result
from lightning_gan.benchmark.rounds import OURS, Rounds
from lightning_gan.benchmark.timers import Cost, Stopwatch
from lightning_gan.data import Digits, MixtureRing, RandomImages
from lightning_gan.errors import InputError
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.priors.normal import NormalPrior
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.schedules import Linear
from lightning_gan.types import DiscriminatorOutput, Player

CPU = torch.device("cpu")


# Batches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("serve", [plain_batches, tuned_batches])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_epoch_serves_every_image_once_with_its_label(serve, channels):
    images = torch.randint(0, 256, (12, channels, 4, 4), dtype=torch.uint8)
    labels = torch.arange(12)
    batches = serve(images, labels, 4, CPU)
    for _ in range(2):
        epoch = list(itertools.islice(batches, 3))
        x, y = (torch.cat(part) for part in zip(*epoch, strict=True))
        assert sorted(y.tolist()) == list(range(12))
        assert x.dtype == torch.float32
        torch.testing.assert_close(x, images[y].float() / 127.5 - 1)


@pytest.mark.parametrize("serve", [plain_batches, tuned_batches])
def test_batches_without_labels_are_whole(serve):
    images = torch.randint(0, 256, (10, 1, 4, 4), dtype=torch.uint8)
    found = list(itertools.islice(serve(images, None, 4, CPU), 5))
    assert {(tuple(x.shape), y) for x, y in found} == {((4, 1, 4, 4), None)}


# What cannot be imitated ------------------------------------------------------------------------


class Watching(Augment):
    observes = True


class Replacing(Augment):
    def prepare(self, step):
        step.replace(fake=step.fake)


class SeesTheStep(NonSaturatingLoss):
    def play(self, step):
        return super().play(step)


class OwnsWeights(NormalPrior):
    trained_by = Player.GENERATOR

    def __init__(self):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(()))


class LossWithWeights(NonSaturatingLoss):
    trained_by = Player.DISCRIMINATOR

    def __init__(self):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(()))


class Together(Alternation):
    simultaneous = True


@pytest.mark.parametrize(
    ("parts", "change"),
    [
        ({"regularizers": {"r1": R1Regularizer()}}, "regularizers=[]"),
        ({"alternation": LossThreshold()}, "alternation='alternating'"),
        ({"alternation": Alternating(g_steps=2)}, "alternation='alternating'"),
        ({"alternation": Together()}, "alternation='alternating'"),
        ({"augment": Watching()}, "augment='identity'"),
        ({"micro_batches": 2}, "micro_batches=1"),
        ({"generator_batch": 2}, "generator_batch=1"),
        ({"prepare_batch": tuple}, "prepare_batch=None"),
        ({"head_weights": [0.5]}, "head_weights=None"),
        ({"freeze": ["generator"]}, "freeze=None"),
        ({"augment": Replacing()}, "augment='identity'"),
        ({"loss": SeesTheStep()}, "loss='non_saturating'"),
        ({"loss": LossWithWeights()}, "loss='non_saturating'"),
        ({"prior": OwnsWeights()}, "prior='normal'"),
        ({"balance": Balance()}, "balance=None"),
        ({"generator_weight": 0.5}, "generator_weight=1.0"),
        ({"generator_clip_norm": 1.0}, "generator_clip_norm=None"),
        ({"discriminator_clip_value": 1.0}, "discriminator_clip_value=None"),
        (
            {"micro_batches": 2, "generator_clip_value": 1.0},
            "micro_batches=1, generator_clip_value=None",
        ),
    ],
)
def test_what_the_loops_cannot_do_is_named(parts, change):
    with pytest.raises(InputError) as error:
        check_imitable(toys.gan(**parts), "32-true")
    assert str(error.value) == (
        "benchmark compares with short hand-written loops, which cannot do all that this module "
        f"does: leave it out with {change}"
    )


class TwoHeads(toys.MLPDiscriminator):
    def forward(self, x, y=None):
        logits = super().forward(x, y)
        return DiscriminatorOutput([logits, logits])


def test_several_heads_are_refused():
    gan = toys.gan(discriminator=TwoHeads(sample_shape=toys.SHAPE, hidden=(8,)))
    loop = PlainLoop(gan, iter([(toys.images(8), None)]), CPU)
    with pytest.raises(InputError) as error:
        loop.step()
    assert str(error.value) == (
        "benchmark compares with loops that know one head, and TwoHeads has 2: measure with a "
        "discriminator that has one, such as DCGANDiscriminator"
    )


class ScaledPrior(toys.CountingPrior):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale


def test_schedules_paired_losses_and_drawn_labels_are_named():
    gan = toys.gan(
        generator=toys.generator(num_classes=2),
        fake_labels="uniform",
        schedules={"prior.scale": Linear(1.0, 2.0, kimg=1)},
        prior=ScaledPrior(),
    )
    gan.loss.needs_real_logits_for_generator = True
    with pytest.raises(InputError) as error:
        check_imitable(gan, "32-true")
    assert str(error.value).endswith(
        "leave it out with loss='non_saturating', fake_labels='real', schedules=None"
    )


def test_other_precisions_are_refused():
    with pytest.raises(InputError) as error:
        check_imitable(toys.gan(), "16-mixed")
    assert str(error.value) == (
        "benchmark: the Trainer's precision must be one of 32-true, bf16-mixed, 64-true, "
        "got 16-mixed"
    )


@pytest.mark.parametrize(
    ("alternation", "steps"),
    [
        (Alternation(), 1),
        (Alternating(d_steps=5), 5),
        (Alternating(d_steps=0), None),
        (Alternating(g_steps=0), None),
    ],
)
def test_the_batches_of_a_round_are_found(alternation, steps):
    assert d_steps(alternation) == steps


# Rounds -----------------------------------------------------------------------------------------


class Diary:
    """A loop that writes down when it ran."""

    def __init__(self, diary, name):
        self.diary = diary
        self.name = name

    def run(self, steps):
        self.diary.append((self.name, steps))


class Writing(GANModule):
    def training_step(self, batch, batch_idx):
        super().training_step(batch, batch_idx)
        self.diary.append(("ours", 1))


def test_rounds_take_turns(tmp_path):
    plan, diary = BenchmarkPlan(rounds=2, steps=3), []
    gan = toys.gan()
    gan.__class__ = Writing
    gan.diary = diary
    loops = {name: Diary(diary, name) for name in ("a", "b")}
    rounds = Rounds(plan, loops, CPU)
    toys.fit(tmp_path, gan, plan.batches, callbacks=[rounds])
    turns = [(name, len(list(group))) for name, group in itertools.groupby(diary)]
    both = [(("a", 3), 1), (("b", 3), 1)]
    assert turns == [
        (("ours", 1), WARMUP),
        (("a", WARMUP), 1),
        (("b", WARMUP), 1),
        *((("ours", 1), 3), *both) * 2,
        (("ours", 1), 1),
    ]
    assert {name: len(costs) for name, costs in rounds.costs.items()} == {OURS: 2, "a": 2, "b": 2}


def test_a_lap_is_the_time_since_the_start():
    stopwatch = Stopwatch(CPU)
    first = stopwatch.lap()
    sum(range(100_000))
    second = stopwatch.lap()
    assert 0 <= first.cpu < second.cpu
    assert 0 < first.wall < second.wall
    stopwatch.start()
    assert stopwatch.lap().wall < second.wall


@pytest.mark.parametrize("name", ["rounds", "steps"])
@pytest.mark.parametrize("value", [0, 1.5, True])
def test_a_plan_checks_its_numbers(name, value):
    with pytest.raises(InputError) as error:
        BenchmarkPlan(**{name: value})
    assert str(error.value) == f"{name} must be a whole number from 1, got {value!r}"


# The whole --------------------------------------------------------------------------------------


def run(tmp_path, data, **options):
    plan = BenchmarkPlan(rounds=2, steps=1)
    trainer = toys.trainer(
        tmp_path, **{"max_steps": plan.batches, "limit_val_batches": 0, **options}
    )
    gan = toys.gan(
        generator=toys.generator(sample_shape=data.sample_shape),
        discriminator=toys.discriminator(sample_shape=data.sample_shape),
    )
    return gan, measure(trainer, gan, data, plan)


def test_a_benchmark_measures_all_three_loops(tmp_path):
    gan, result = run(tmp_path, Digits(batch_size=8))
    assert gan.progress.batches == WARMUP + 2 + 1
    assert {name: len(costs) for name, costs in result.costs.items()} == {
        OURS: 2,
        TUNED: 2,
        PLAIN: 2,
    }
    assert all(cost.cpu > 0 and cost.wall > 0 for costs in result.costs.values() for cost in costs)
    assert (result.clock, result.batch_size, result.steps) == ("cpu", 8, 1)
    assert result.setting == {
        "generator": "MLPGenerator",
        "discriminator": "MLPDiscriminator",
        "data": "Digits 1x8x8",
        "precision": "32-true",
    }


def test_an_early_end_before_the_first_round_is_an_error(tmp_path):
    with pytest.raises(InputError) as error:
        run(tmp_path, Digits(batch_size=8), max_steps=2)
    assert str(error.value) == (
        "the benchmark ended before its first round: leave out what ends training early, such as "
        "trainer.max_time, or give fewer steps"
    )


class Foreign(LightningDataModule):
    sample_shape = (1, 4, 4)


@pytest.mark.parametrize("data", [MixtureRing(), RandomImages(shape=(5,)), Foreign()])
def test_data_without_images_are_refused(tmp_path, data):
    with pytest.raises(InputError) as error:
        run(tmp_path, data)
    assert str(error.value) == (
        "benchmark expects images [C, H, W] of a class of lightning_gan.data, got "
        f"{type(data).__name__}: take MNIST or RandomImages"
    )


# What is said -----------------------------------------------------------------------------------

MACHINE = {"name": "A CPU", "bf16": True, "threads": 1, "torch": "2.0"}
SETTING = {"generator": "G", "discriminator": "D", "data": "X 1x8x8", "precision": "32-true"}


def costs(*seconds):
    return [Cost(cpu, 2 * cpu) for cpu in seconds]


def result(**changes):
    given = {
        "costs": {OURS: costs(1, 2, 4), TUNED: costs(0.5, 1, 4), PLAIN: costs(2, 2, 2)},
        "steps": 10,
        "batch_size": 100,
        "clock": "cpu",
        "setting": SETTING,
        "machine": MACHINE,
        "memory": {"resident": 1234.0},
    }
    return Result(**{**given, **changes})


def test_ratios_are_taken_round_by_round():
    found = result()
    ratio = found.ratio(OURS, PLAIN)
    assert (ratio.median, ratio.min, ratio.max) == (1.0, 0.5, 2.0)
    ratio = found.ratio(OURS, TUNED)
    assert (ratio.median, ratio.min, ratio.max) == (0.5, 0.5, 1.0)
    cost = found.framework()
    assert (cost.median, cost.min, cost.max) == (50.0, 0.0, 100.0)
    assert found.speed(OURS) == {
        "images_per_second": 500.0,
        "seconds_per_kimg": 2.0,
        "ms_per_step": 200.0,
    }
    assert found.speed(OURS, "wall")["images_per_second"] == 250.0


def test_on_a_gpu_the_wall_decides():
    found = result(clock="wall")
    assert found.speed(OURS)["images_per_second"] == 250.0
    assert found.framework().median == 100.0
    assert "speed by wall time" in found.table()


def test_the_table():
    assert result().table() == (
        "G and D on X 1x8x8, batch 100, 32-true\n"
        "A CPU with bf16 instructions, 1 thread, torch 2.0\n"
        "3 rounds, 10 steps of each loop in a round\n"
        "\n"
        "speed by CPU time                   images/s    s/kimg   ms/step  images/s by wall\n"
        "lightning-gan                            500     2.000    200.00               250\n"
        "hand-tuned loop                        1,000     1.000    100.00               500\n"
        "plain loop                               500     2.000    200.00               250\n"
        "\n"
        "ratio by CPU time                     median       min       max    median by wall\n"
        "lightning-gan / hand-tuned loop        0.500     0.500     1.000             0.500\n"
        "lightning-gan / plain loop             1.000     0.500     2.000             1.000\n"
        "hand-tuned loop / plain loop           2.000     0.500     4.000             2.000\n"
        "\n"
        "framework: 50.00 ms a step over the hand-tuned loop (0.00 to 100.00)\n"
        "peak memory, resident: 1,234 MB, all three loops together"
    )


def test_the_file_holds_every_round(tmp_path):
    path = tmp_path / "new" / "file.json"
    result().save(path)
    content = json.loads(path.read_text())
    assert content["loops"][OURS]["rounds"][1] == {"cpu": 2, "wall": 4}
    assert content["loops"][OURS]["wall"]["ms_per_step"] == 400.0
    assert list(content["ratios"]) == [
        f"{OURS} / {TUNED}",
        f"{OURS} / {PLAIN}",
        f"{TUNED} / {PLAIN}",
    ]
    assert content["ratios"][f"{OURS} / {PLAIN}"]["max"] == 2.0
    assert content["framework_ms_per_step"] == {"median": 50.0, "min": 0.0, "max": 100.0}
    assert content["peak_memory_mb"] == {"resident": 1234.0}
    assert content["machine"] == MACHINE
    assert content["setting"] == SETTING


# The machine ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model name\t: X 9\nflags\t\t: fpu avx512_bf16\n\nmodel name\t: Y\n", ("X 9", True)),
        ("model name : X\nflags : fpu avx512f\n", ("X", False)),
        ("model name : X\n", ("X", None)),
    ],
)
def test_the_processor_is_read(text, expected):
    assert machine.read_cpu(text) == expected


def test_an_arm_processor_and_another_system_have_names():
    name, bf16 = machine.read_cpu("processor : 0\nFeatures : fp asimd bf16\n")
    assert name
    assert bf16 is True
    assert machine.read_cpu("")[1] is None


def test_this_machine_is_described():
    found = machine.describe_machine(CPU)
    assert found["threads"] == torch.get_num_threads()
    assert found["torch"] == torch.__version__
    assert machine.peak_memory(CPU)["resident"] > 50
