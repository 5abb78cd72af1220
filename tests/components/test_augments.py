"""Instance noise, adaptive pseudo augmentation, and several augmentations in a row."""

import pytest
import torch
import toys

from lightning_gan import (
    Augment,
    Feedback,
    Game,
    GANModule,
    InputError,
    Player,
    Progress,
    create_augment,
)
from lightning_gan.augments.apa import APAAugment
from lightning_gan.augments.instance_noise import InstanceNoiseAugment
from lightning_gan.augments.sequence import SequenceAugment
from lightning_gan.components.spec import build
from lightning_gan.schedules import Linear
from lightning_gan.step import AdversarialStep


def test_instance_noise():
    torch.manual_seed(0)
    x = torch.zeros(2000, 7)
    noise = InstanceNoiseAugment(std=0.5)(x)
    assert noise.std() == pytest.approx(0.5, rel=0.02)
    assert noise.mean().abs() < 0.02
    assert InstanceNoiseAugment(std=0.0)(x) is x
    with pytest.raises(InputError, match="std must be 0 or more, got -1"):
        create_augment("instance_noise", std=-1.0)


def test_instance_noise_fades_by_a_schedule():
    noise = InstanceNoiseAugment()
    game = Game(toys.gan(augment=noise, schedules={"augment.std": Linear(0.4, 0.0, kimg=0.016)}))
    seen = []
    for _ in range(3):
        game.play(toys.images(8))
        seen.append(noise.std)
    assert seen == pytest.approx([0.4, 0.2, 0.0])


# Adaptive pseudo augmentation --------------------------------------------------------------------


class Marked(torch.nn.Module):
    """Samples are 100 and the class that was asked for."""

    def forward(self, z, y=None):
        return (100.0 + y.float())[:, None].expand(-1, 3)


def update(player, n=400):
    return AdversarialStep(
        player,
        real=torch.zeros(n, 3),
        y=torch.arange(n) % 2,
        fake=torch.ones(n, 3),
        generator=Marked(),
        discriminator=torch.nn.Linear(3, 1),
        draw_latents=lambda n: torch.randn(n, 2),
    )


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_a_share_of_the_real_samples_is_generated(p):
    torch.manual_seed(0)
    step = update(Player.DISCRIMINATOR)
    APAAugment(p=p).prepare(step)
    replaced = step.real[:, 0] != 0
    assert replaced.float().mean() == pytest.approx(p, abs=0.06)
    # For the conditions of those that they replace, all of a sample, and no fake of this batch.
    assert torch.equal(step.real[replaced], (100.0 + step.y[replaced]).view(-1, 1).expand(-1, 3))
    assert (step.fake == 1).all()
    assert step.reports["p"] == pytest.approx(p)


def test_the_generator_sees_real_samples_as_they_are():
    step = update(Player.GENERATOR)
    APAAugment(p=1.0).prepare(step)
    assert (step.real == 0).all()
    x = torch.randn(2, 3)
    assert APAAugment(p=1.0)(x) is x


def test_its_p_follows_the_signs_in_a_game():
    apa = APAAugment(kimg=0.1, target=-1.0)
    game = Game(toys.gan(augment=apa))
    for _ in range(8):
        readings = game.play(toys.images(8))
    assert apa.p == pytest.approx(0.64)
    assert readings.reports["augment/p"] == pytest.approx(0.32)


# Several -----------------------------------------------------------------------------------------


class Add(Augment):
    observes = True

    def __init__(self, number: float = 1.0, factor: float = 1.0):
        super().__init__()
        self.number, self.factor = number, factor
        self.heard = []

    def bind(self, generator, discriminator):
        self.bound = (type(generator), type(discriminator))

    def prepare(self, step):
        step.report("number", self.number)

    def observe(self, feedback):
        self.heard.append({key: float(value) for key, value in feedback.own.items()})

    def forward(self, x):
        return (x + self.number) * self.factor


def test_in_the_order_given():
    both = SequenceAugment([Add(1.0, 2.0), Add(-3.0)])
    assert both(torch.zeros(1)).item() == -1.0
    again = build(both.spec(), trust=True)
    assert again(torch.zeros(1)).item() == -1.0


def test_each_is_bound_prepared_and_told_its_own():
    first, plain, last = Add(1.0), InstanceNoiseAugment(), Add(2.0)
    several = SequenceAugment([first, plain, last])
    game = Game(toys.gan(augment=several))
    readings = game.play(toys.images(8))
    assert readings.reports == {"augment/0/number": 1.0, "augment/2/number": 2.0}
    assert first.heard == [{"number": 1.0}]
    assert last.heard == [{"number": 2.0}]
    assert first.bound == last.bound
    assert not SequenceAugment([plain]).prepares
    assert not SequenceAugment([plain]).observes


def test_states_and_schedules_of_each(tmp_path):
    def module():
        several = SequenceAugment([APAAugment(kimg=0.1, target=-1.0), InstanceNoiseAugment()])
        schedules = {"augment.augments.1.std": Linear(1.0, 0.0, kimg=0.064)}
        return toys.gan(augment=several, schedules=schedules)

    whole = module()
    toys.fit(tmp_path, whole, steps=8)
    half = toys.fit(tmp_path, module(), steps=4)
    half.save_checkpoint(tmp_path / "half.ckpt")
    resumed = module()
    toys.trainer(tmp_path, max_steps=8).fit(
        resumed, toys.loader(), ckpt_path=tmp_path / "half.ckpt", weights_only=True
    )
    assert resumed.augment.augments[0].p == whole.augment.augments[0].p > 0
    assert resumed.augment.augments[1].std == whole.augment.augments[1].std == pytest.approx(0.125)
    loaded = GANModule.load_from_checkpoint(tmp_path / "half.ckpt")
    assert loaded.augment.augments[1].std == pytest.approx(0.5)


def test_nothing_to_do_is_refused():
    with pytest.raises(InputError, match="augments must be a list of one augmentation or more"):
        SequenceAugment([])
    with pytest.raises(InputError, match="augments must hold augmentations, got 3"):
        SequenceAugment([3])


def test_feedback_without_reports_reaches_the_controller():
    apa = APAAugment(interval=1, kimg=1)
    SequenceAugment([apa]).observe(
        Feedback(Progress(images=100), tuple(Player), real_sign=torch.tensor(1.0))
    )
    assert apa.p == pytest.approx(0.1)
