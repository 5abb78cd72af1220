"""Super resolution in a plain loop."""

from __future__ import annotations

import torch
from task import Upscaler, pairs
from torch.nn.functional import l1_loss
from torch.utils.data import DataLoader


def main(folder, samples=32, epochs=2, batch_size=8):
    torch.manual_seed(0)
    generator = Upscaler()
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    loader = DataLoader(pairs(samples), batch_size)
    for _ in range(epochs):
        for small, large in loader:
            made = generator(small)
            loss = l1_loss(made, large)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        state = {
            "generator": generator.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        torch.save(state, folder / "last.pt")
    return generator
