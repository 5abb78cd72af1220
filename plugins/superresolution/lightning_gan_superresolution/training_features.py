"""A small network of features is trained on images, to tell turns or classes."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lightning_gan import InputError
from lightning_gan.data import ImageFolder
from lightning_gan_superresolution.features import WIDTHS, FeatureNetwork

TURNS = 4


class Classifier(nn.Module):
    """A network of features, and a linear layer on the means of its last maps.

    Args:
        answers: How many there are.
    """

    def __init__(self, answers: int) -> None:
        super().__init__()
        self.features = FeatureNetwork()
        self.head = nn.Linear(WIDTHS[-1], answers)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (N, answers)."""
        found: Tensor = self.head(self.features(images)[-1].mean((2, 3)))
        return found


def turned(images: Tensor, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return square images, each turned by a drawn number of right angles, and the numbers."""
    turns = torch.randint(TURNS, (len(images),), generator=source)
    made = [
        torch.rot90(image, int(turn), (1, 2)) for image, turn in zip(images, turns, strict=True)
    ]
    return torch.stack(made), turns


def train(
    data: ImageFolder, epochs: float = 4, classes: bool = False, seed: int = 0
) -> tuple[FeatureNetwork, float]:
    """Train a network of features.

    Args:
        data: Square images.
        epochs: How often all images are seen, about.
        classes: Tell classes rather than turns.
        seed: Of first weights and turns.

    Returns:
        The network, and the share of right answers on held-out images.

    Raises:
        InputError: Images are not square, or have no classes where these are to be told.
    """
    _, height, width = data.sample_shape
    if height != width:
        raise InputError(f"images must be square, got {height}x{width}: set a side with --size")
    if classes and data.num_classes is None:
        raise InputError("there are no class folders to tell: leave out --classes")
    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(seed)
    network = Classifier((data.num_classes or 0) if classes else TURNS)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    data.setup("fit")
    loader = data.train_dataloader()
    steps = max(1, round(epochs * len(loader)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)

    def asked(batch: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        images, labels = (batch, None) if isinstance(batch, Tensor) else batch
        if classes:
            assert labels is not None
            return images, labels
        return turned(images, source)

    done = 0
    while done < steps:
        for batch in loader:
            if done == steps:
                break
            images, answers = asked(batch)
            loss = cross_entropy(network(images), answers)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            done += 1
    right, seen = 0, 0
    with torch.inference_mode():
        for batch in data.val_dataloader():
            images, answers = asked(batch)
            right += int((network(images).argmax(1) == answers).sum())
            seen += len(images)
    return network.features, right / seen


def save_network(network: FeatureNetwork, out: Path, said: dict[str, str]) -> None:
    """Write a network's weights in half precision, with what is said of them.

    Args:
        network: The network.
        out: The file, which is whole or not there.
        said: Notes beside the weights.
    """
    weights = {key: x.half().contiguous() for key, x in network.state_dict().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.{os.getpid()}.unfinished")
    try:
        save_file(weights, beside, said)
        beside.rename(out)
    finally:
        beside.unlink(missing_ok=True)
