"""Super resolution with PyTorch Ignite."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver
from task import Upscaler, pairs
from torch.nn.functional import l1_loss
from torch.utils.data import DataLoader


def main(folder, samples=32, epochs=2, batch_size=8):
    torch.manual_seed(0)
    generator = Upscaler()
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)

    def update(trainer, batch):
        small, large = batch
        made = generator(small)
        loss = l1_loss(made, large)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item()}

    trainer = Engine(update)
    saved = {"trainer": trainer, "generator": generator, "optimizer": optimizer}
    saver = Checkpoint(saved, DiskSaver(folder, require_empty=False), filename_pattern="last.pt")
    trainer.add_event_handler(Events.EPOCH_COMPLETED, saver)
    trainer.run(DataLoader(pairs(samples), batch_size), epochs)
    return generator
