"""Super resolution in a plain loop, with a discriminator."""

from __future__ import annotations

import torch
from task import Critic, Upscaler, pairs
from torch.nn.functional import l1_loss
from torch.utils.data import DataLoader

from lightning_gan import Adversary, create_loss, create_regularizer


def main(folder, samples=32, epochs=2, batch_size=8, weight=0.1):
    torch.manual_seed(0)
    generator = Upscaler()
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    adversary = Adversary(
        Critic(),
        create_loss("non_saturating"),
        {"r1": create_regularizer("r1", weight=0.1)},
        generator_weight=weight,
    )
    loader = DataLoader(pairs(samples), batch_size)
    for _ in range(epochs):
        for small, large in loader:
            made = generator(small)
            adversary.step(large, made)
            loss = l1_loss(made, large) + adversary.generator_loss(made, large)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        state = {
            "generator": generator.state_dict(),
            "optimizer": optimizer.state_dict(),
            "adversary": adversary.state_dict(),
        }
        torch.save(state, folder / "last.pt")
    return generator
