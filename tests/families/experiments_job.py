"""Run by test_experiments.py in two processes: the translation whole, and stopped and resumed."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch

warnings.simplefilter("ignore")
sys.path.insert(0, str(Path(__file__).parents[1]))

from experiments import EXPERIMENTS, fit  # noqa: E402


def main(name, folder):
    folder, make = Path(folder), EXPERIMENTS[name]
    options = {"devices": 2, "strategy": "gan_ddp"}
    whole, run = fit(make, folder, 10, **options)
    fit(make, folder, 4, **options)[1].save_checkpoint(folder / "stopped.ckpt")
    resumed, rest = fit(make, folder, 10, ckpt_path=folder / "stopped.ckpt", **options)
    found = {
        name: {"state": state(gan), "psnr": trainer.callback_metrics["val/psnr"]}
        for name, gan, trainer in (("whole", whole, run), ("resumed", resumed, rest))
    }
    torch.save(found, folder / f"rank{run.global_rank}.pt")


def state(gan):
    """Weights and buffers of networks, average and parts, as this process has them."""
    return {name: x for name, x in gan.state_dict().items() if isinstance(x, torch.Tensor)}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
