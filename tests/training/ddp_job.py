"""Run by test_distributed.py in two processes: trains a small GAN and writes what each rank saw."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch

warnings.simplefilter("ignore")
sys.path.insert(0, str(Path(__file__).parents[1]))

import toys  # noqa: E402
from pytorch_lightning import Callback  # noqa: E402

from lightning_gan import EMA, Regularizer  # noqa: E402
from lightning_gan.alternations.alternating import Alternating  # noqa: E402
from lightning_gan.regularizers.r1 import R1Regularizer  # noqa: E402


class Recorder(Regularizer):
    """Notes the latents and the gradients that the optimizer used."""

    def __init__(self):
        super().__init__()
        self.latents, self.gradients = [], []

    def discriminator(self, step):
        self.latents.append(step.z.clone())

    def after_update(self, player, network):
        gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        self.gradients.append(torch.cat(gradients).clone())


class Local(Callback):
    """Notes the local gradients, before they are averaged."""

    def __init__(self):
        self.gradients = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step > 0:
            return
        engine = pl_module.session.game.engine
        average = engine.average

        def noting(gradients):
            self.gradients.append(torch.cat([g.flatten() for g in gradients]))
            average(gradients)

        engine.average = noting


def main(strategy, folder):
    torch.manual_seed(0)
    recorder, local = Recorder(), Local()
    net = toys.generator()
    net.layers.insert(1, torch.nn.BatchNorm1d(8))
    gan = toys.gan(
        generator=net,
        discriminator=toys.discriminator(),
        regularizers={"r1": R1Regularizer(interval=2), "recorder": recorder},
        alternation=Alternating(d_steps=2),
        ema=EMA(),
    )
    run = toys.trainer(folder, max_steps=4, devices=2, strategy=strategy, callbacks=[local])
    run.fit(gan, toys.loader(toys.images(64)))
    result = {
        "state": {k: v for k, v in gan.state_dict().items() if isinstance(v, torch.Tensor)},
        "latents": recorder.latents,
        "used": recorder.gradients,
        "local": local.gradients,
        "images": gan.progress.images,
        "steps": run.global_step,
        "loss": gan.latest_metrics["loss/discriminator"],
    }
    torch.save(result, Path(folder) / f"rank{run.global_rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
