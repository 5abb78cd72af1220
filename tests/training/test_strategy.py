"""Strategies that cannot train two players are refused with the one that can."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.strategies import FSDPStrategy, StrategyRegistry
from torch.nn.parallel import DistributedDataParallel

from lightning_gan import InputError
from lightning_gan.game import ranks
from lightning_gan.training.seams.strategy import GANDDPStrategy, check_trainer


def test_gan_ddp_is_registered():
    assert StrategyRegistry.get("gan_ddp").__class__ is GANDDPStrategy


def wrapped(find_unused):
    model = DistributedDataParallel.__new__(DistributedDataParallel)
    torch.nn.Module.__init__(model)
    model.find_unused_parameters = find_unused
    return model


def test_trainers_that_cannot_are_refused():
    plain = SimpleNamespace(precision="32-true", model=None, strategy=None)
    check_trainer(plain)
    check_trainer(SimpleNamespace(**{**vars(plain), "model": wrapped(True)}))
    for change, message in [
        ({"precision": "16-mixed"}, "use precision=bf16-mixed"),
        ({"model": wrapped(False)}, "strategy=ddp expects .* use strategy=gan_ddp"),
        (
            {"strategy": FSDPStrategy.__new__(FSDPStrategy)},
            "FSDPStrategy is not supported .* use strategy=gan_ddp",
        ),
    ]:
        with pytest.raises(InputError, match=message):
            check_trainer(SimpleNamespace(**{**vars(plain), **change}))


def test_one_process_averages_with_itself():
    tensor = torch.ones(3)
    ranks.average([tensor])
    ranks.broadcast([tensor])
    assert torch.equal(tensor, torch.ones(3))
    assert ranks.gather_objects("x") == ["x"]
    assert (ranks.rank(), ranks.world_size()) == (0, 1)


@pytest.mark.parametrize(("interactive", "method"), [(True, "fork"), (False, "popen")])
def test_processes_begin_as_fits_the_place(monkeypatch, interactive, method):
    if interactive:
        monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    if "fork" in multiprocessing.get_all_start_methods() or not interactive:
        assert GANDDPStrategy()._start_method == method
    assert GANDDPStrategy(start_method="spawn")._start_method == "spawn"
    assert GANDDPStrategy(process_group_backend="gloo").process_group_backend == "gloo"


def test_two_processes_from_a_prompt(tmp_path):
    """Lightning refuses strategies that start scripts where there is none; ours forks there."""
    job = [sys.executable, "-i", Path(__file__).with_name("prompt_job.py"), tmp_path]
    done = subprocess.run(
        job, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("found", "said"))]
    assert lines[:1] == ["found 2 32 True (2, 1, 4, 4)"], done.stderr
    assert lines[1].endswith("never give; use strategy=gan_ddp")
