"""Short names of averages, schedules, balances, optimizers and learning-rate schedulers."""

import pytest
import yaml

TOOLS = """\
import torch
from lightning_gan.averages.ema import EMA


class Slow(torch.optim.SGD):
    pass


class Decay(torch.optim.lr_scheduler.ExponentialLR):
    pass


class Latest(EMA):
    def __init__(self, share: float = 0.5) -> None:
        super().__init__()
        self.share = share
"""
POINTS = {
    "lightning_gan.optimizers": ["slow = their_tools:Slow"],
    "lightning_gan.lr_schedulers": ["decay = their_tools:Decay"],
    "lightning_gan.averages": ["latest = their_tools:Latest"],
}
INVERSE = "lightning_gan.lr_schedulers.inverse_time_decay.InverseTimeDecay"


def model(command, words):
    result = command(f"fit {words} --print_config")
    assert result.code == 0, result.err
    return yaml.safe_load(result.out)["model"]["init_args"]


@pytest.mark.parametrize(
    "words",
    [
        "model.generator_lr_scheduler={class_path:inverse_time_decay,decay:5.0e-4}",
        "model.generator_lr_scheduler=inverse_time_decay model.generator_lr_scheduler.decay=5.0e-4",
        f"model.generator_lr_scheduler={INVERSE} model.generator_lr_scheduler.decay=5.0e-4",
        "--model.generator_lr_scheduler inverse_time_decay --model.generator_lr_scheduler.decay "
        "5.0e-4",
    ],
)
def test_a_scheduler_of_ours(words, command):
    made = model(command, words)["generator_lr_scheduler"]
    assert made["class_path"] == INVERSE
    assert made["init_args"]["decay"] == 5e-4


def test_an_average_is_ours_where_only_its_arguments_are_said(command):
    for words in ("model.ema.half_life_kimg=3", "model.ema=ema model.ema.half_life_kimg=3"):
        made = model(command, words)["ema"]
        assert made["class_path"] == "lightning_gan.averages.ema.EMA"
        assert made["init_args"]["half_life_kimg"] == 3.0


def test_schedules_and_balances(command, tmp_path):
    (tmp_path / "more.yaml").write_text(
        "model:\n"
        "  schedules:\n"
        "    prior.std: {class_path: cosine, start: 1.0, end: 0.5, kimg: 2}\n"
        "  balance:\n"
        "    class_path: gradient_balance\n"
        "    shares: {adversarial: 3.0, l1: 1.0}\n"
    )
    made = model(command, "--config more.yaml")
    assert made["schedules"]["prior.std"]["class_path"] == "lightning_gan.schedules.cosine.Cosine"
    assert made["balance"]["init_args"]["shares"] == {"adversarial": 3.0, "l1": 1.0}
    made = model(command, "balance=gradnorm model.balance.terms=[adversarial,l1]")["balance"]
    assert made["class_path"] == "lightning_gan.balances.gradnorm.GradNorm"
    assert model(command, "balance=null")["balance"] is None
    assert "model.balance.alpha: float = 1.5" in command("fit --help balance=gradnorm").out


def test_those_of_a_plugin(command, install):
    install("gan-tools", POINTS, {"their_tools.py": TOOLS})
    made = model(
        command,
        "model.generator_optimizer=slow model.generator_optimizer.lr=0.5 model.ema=latest "
        "model.discriminator_optimizer=gan-tools:slow model.discriminator_optimizer.lr=0.25 "
        "model.generator_lr_scheduler={class_path:decay,gamma:0.9}",
    )
    assert made["generator_optimizer"]["class_path"] == "their_tools.Slow"
    assert made["discriminator_optimizer"]["init_args"]["lr"] == 0.25
    assert made["generator_lr_scheduler"]["class_path"] == "their_tools.Decay"
    assert made["ema"] == {"class_path": "their_tools.Latest", "init_args": {"share": 0.5}}
    rows = [line.split()[:3] for line in command("plugins list").out.splitlines()]
    assert ["lr_scheduler", "decay", "gan-tools"] in rows
    assert ["optimizer", "slow", "gan-tools"] in rows
    assert ["balance", "gradnorm", "lightning-gan"] in rows


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("model.generator_lr_scheduler=inverse_time", "got 'inverse_time'; expected a LRScheduler, "
         "did you mean 'inverse_time_decay'?"),
        ("model.generator_optimizer=gan-tools:fast", "unknown optimizer 'gan-tools:fast'"),
        ("model.schedules={prior.std:{class_path:cosin}}", "did you mean 'cosine'?"),
        ("model.schedules={prior.std:{start:1}}", "class_path is missing; expected a Schedule "
         "(burn_in, constant, cosine, linear, piecewise, step, or a class path)"),
        ("balance=gradnrm", "unknown balance 'gradnrm', did you mean 'gradnorm'?"),
    ],
)  # fmt: skip
def test_wrong_names(words, message, command):
    assert message in command(f"fit {words} --print_config").error
