"""Super resolution with Hugging Face accelerate."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from task import Upscaler, pairs
from torch.nn.functional import l1_loss
from torch.utils.data import DataLoader


def main(
    folder,
    samples=32,
    epochs=2,
    batch_size=8,
    accumulate=1,
    mixed_precision="no",
):
    accelerator = Accelerator(
        cpu=True, gradient_accumulation_steps=accumulate, mixed_precision=mixed_precision
    )
    torch.manual_seed(0)
    generator = Upscaler()
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    loader = DataLoader(pairs(samples), batch_size)
    generator, optimizer, loader = accelerator.prepare(generator, optimizer, loader)
    for _ in range(epochs):
        for small, large in loader:
            with accelerator.accumulate(generator):
                made = generator(small)
                loss = l1_loss(made, large)
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
        accelerator.save_state(folder)
    return accelerator.unwrap_model(generator)
