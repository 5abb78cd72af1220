"""Super resolution with Hugging Face accelerate, with a discriminator."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from task import Critic, Upscaler, pairs
from torch.nn.functional import l1_loss
from torch.utils.data import DataLoader

from lightning_gan import Adversary, Engine, create_loss, create_regularizer


class AccelerateEngine(Engine):
    def __init__(self, accelerator):
        self.accelerator = accelerator

    def backward(self, objective, gradient):
        batches = self.accelerator.gradient_accumulation_steps  # accelerate divides by them
        self.accelerator.backward(objective, gradient=gradient * batches)


def main(
    folder,
    samples=32,
    epochs=2,
    batch_size=8,
    accumulate=1,
    mixed_precision="no",
    weight=0.1,
):
    accelerator = Accelerator(
        cpu=True, gradient_accumulation_steps=accumulate, mixed_precision=mixed_precision
    )
    torch.manual_seed(0)
    generator = Upscaler()
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    adversary = Adversary(
        Critic(),
        create_loss("non_saturating"),
        {"r1": create_regularizer("r1", weight=0.1)},
        generator_weight=weight,
        engine=AccelerateEngine(accelerator),
    ).to(accelerator.device)
    accelerator.register_for_checkpointing(adversary)
    loader = DataLoader(pairs(samples), batch_size)
    generator, optimizer, loader = accelerator.prepare(generator, optimizer, loader)
    for _ in range(epochs):
        for small, large in loader:
            with accelerator.accumulate(generator):
                made = generator(small)
                more = not accelerator.sync_gradients
                with accelerator.autocast():
                    adversary.step(large, made, accumulate=more)
                    adversarial = adversary.generator_loss(made, large, accumulate=more)
                loss = l1_loss(made, large) + adversarial
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
        accelerator.save_state(folder)
    return accelerator.unwrap_model(generator)
