"""LearningRateMonitor calls the rates by their players; Lightning's name for it may go."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

import pytest
import torch
import toys
from pytorch_lightning.callbacks import LearningRateMonitor
from pytorch_lightning.loggers import CSVLogger

from lightning_gan import GANModule
from lightning_gan.types import ParameterGroup

STEPS = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)


def rates(tmp_path, gan):
    monitor = LearningRateMonitor(logging_interval="step")
    logger = CSVLogger(tmp_path, name="", version="run")
    toys.fit(tmp_path, gan, steps=2, callbacks=[monitor], logger=logger)
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert set(monitor.lrs) <= set(header.split(","))
    return monitor.lrs


def test_lightning_by_itself_counts_optimizers():
    monitor = LearningRateMonitor()
    optimizers = [torch.optim.Adam([torch.zeros(1, requires_grad=True)]) for _ in range(2)]
    names, _ = monitor._find_names_from_optimizers(optimizers, [], defaultdict(int))
    assert names == [["lr-Adam"], ["lr-Adam-1"]]


@pytest.mark.parametrize("scheduled", [(), ("generator",), ("generator", "discriminator")])
def test_names_are_the_players(tmp_path, scheduled):
    gan = toys.gan(**{f"{player}_lr_scheduler": STEPS for player in scheduled})
    found = rates(tmp_path, gan)
    for player in ("generator", "discriminator"):
        halves = 0.5 if player in scheduled else 1.0
        assert found[f"lr-{player}"] == pytest.approx([2e-4, 2e-4 * halves])
    assert len(found) == 2


def test_groups_are_named_below_their_player(tmp_path):
    generator = toys.generator()
    first, *_ = generator.parameters()
    generator.parameter_groups = lambda: [ParameterGroup("first", [first], 0.5)]
    found = rates(tmp_path, toys.gan(generator=generator))
    assert found["lr-generator/first"] == pytest.approx([1e-4] * 2)
    assert found["lr-generator/generator"] == pytest.approx([2e-4] * 2)
    assert found["lr-discriminator"] == pytest.approx([2e-4] * 2)


class Own(GANModule):
    def configure_optimizers(self):
        made = [
            torch.optim.SGD(net.parameters(), 0.1) for net in (self.generator, self.discriminator)
        ]
        scheduler = {"scheduler": STEPS(made[0]), "interval": "step", "name": "mine"}
        return [{"optimizer": made[0], "lr_scheduler": scheduler}, {"optimizer": made[1]}]


def test_a_name_of_somebodys_own_stays(tmp_path):
    parts = toys.gan().arguments()
    gan = Own(**{name: parts[name] for name in ("generator", "discriminator", "loss")})
    assert set(rates(tmp_path, gan)) == {"mine", "lr-discriminator"}
