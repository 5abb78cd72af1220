"""The head of a run: five lines about what is trained, on what, where and how long."""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from lightning_gan.callbacks.sink import shown_path


def head(trainer: pl.Trainer, module: Any, folder: Path) -> list[str]:
    """Return what is known when training starts, a line each.

    Args:
        trainer: About to train.
        module: What is trained.
        folder: The folder of the run.
    """
    rows = {
        "networks": _networks(module),
        "data": _data(trainer, module),
        "device": _device(trainer, module),
        "run folder": str(shown_path(folder)),
        "length": _length(trainer),
    }
    return [row(name, text) for name, text in rows.items() if text]


def row(name: str, text: str) -> str:
    """Return a line of the head."""
    return f"{name:<10}  {text}"


def _networks(module: Any) -> str:
    players = [getattr(module, name, None) for name in ("generator", "discriminator")]
    found = [player for player in players if isinstance(player, nn.Module)] or [module]
    return ", ".join(f"{type(each).__name__} with {_parameters(each)}" for each in found)


def _parameters(network: nn.Module) -> str:
    count = sum(parameter.numel() for parameter in network.parameters())
    return f"{count:,} parameters"


def _data(trainer: pl.Trainer, module: Any) -> str:
    data: Any = getattr(trainer, "datamodule", None)
    loader = trainer.train_dataloader
    if data is None and loader is None:
        return ""
    name = type(data or getattr(loader, "dataset", loader)).__name__
    parts = [name]
    samples = _samples(loader)
    if samples is not None:
        parts.append(f"{samples:,} samples")
    shape = getattr(data, "sample_shape", None)
    if shape is not None:
        low_high = getattr(module, "sample_range", None) or "symmetric"
        words = {"symmetric": "[-1, 1]", "unit": "[0, 1]", "free": "any range"}
        try:
            span = words.get(low_high, str(low_high))
        except TypeError:  # a range of one's own that is no key
            span = str(low_high)
        parts.append(f"{'x'.join(map(str, shape))} in {span}")
    classes = getattr(data, "num_classes", None)
    if classes is not None:
        clustered = getattr(data, "clusters", None) is not None
        parts.append(f"{classes} {'clusters' if clustered else 'classes'}")
    size = getattr(data, "batch_size", None) or getattr(loader, "batch_size", None)
    if size is not None:
        each = " on each process" if trainer.world_size > 1 else ""
        parts.append(f"batches of {size}{each}")
    return ", ".join(parts)


def _samples(loader: Any) -> int | None:
    dataset = getattr(loader, "dataset", None)
    for each in (getattr(loader, "samples", None), getattr(loader, "source", None), dataset):
        if isinstance(each, Sized):
            return len(each)
    return None


def _device(trainer: pl.Trainer, module: pl.LightningModule) -> str:
    device = module.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    many = f", {trainer.world_size} processes" if trainer.world_size > 1 else ""
    number = torch.get_num_threads()
    threads = f", {number} thread{'s' * (number > 1)}" if device.type == "cpu" else ""
    return f"{name}, precision {trainer.precision}{threads}{many}"


def _length(trainer: pl.Trainer) -> str:
    batches = trainer.num_training_batches
    steps = trainer.max_steps
    parts = []
    if steps >= 0:
        epochs = f" ({steps / batches:.3g} epochs)" if 0 < batches < float("inf") else ""
        parts.append(f"{steps:,} steps{epochs}")
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        parts.append(f"{trainer.max_epochs:,} epochs")
    if trainer.global_step:
        parts.append(f"going on from step {trainer.global_step:,}")
    return ", ".join(parts) or "until it is stopped"
