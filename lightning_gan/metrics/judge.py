"""How a judge comes about: trained once on the labeled data, then kept in the cache."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor
from torch.nn import functional as F

from lightning_gan.data.loader import TensorLoader
from lightning_gan.errors import InputError
from lightning_gan.files.fingerprint import fingerprint, fingerprint_of_weights
from lightning_gan.metrics.cache import cache_folder, load_tensors, save_tensors
from lightning_gan.metrics.features import extract
from lightning_gan.metrics.judge_network import Judge
from lightning_gan.tracking import tracked

# Counts up with every change of network or training, so that no old judge is taken for a new one.
_VERSION = 2
_BATCH_SIZE = 128
_LEARNING_RATE = 0.01
_FEWEST_PER_CLASS = 10  # training images of a class, on average
_TIMED_STEPS = 10
_INSTEAD = "choose features=inception"


def judge_for(
    images: Tensor,
    labels: Tensor,
    test_images: Tensor,
    test_labels: Tensor,
    num_classes: int,
    *,
    cache_dir: str | Path | None = None,
    seed: int = 0,
    steps: int | None = None,
) -> Judge:
    """Return the judge of a labeled data set, from the cache or newly trained.

    Training takes batches of 128 images with small random rotations, shears, shifts and
    changes of size (no flips), AdamW and a one-cycle learning rate. It runs on the CPU, wherever a
    GAN is trained meanwhile, and says on the terminal what it does; move the judge with ``.to``.
    The same data and seed give the same weights on the same machine and number of threads; no
    global random state is changed.

    Args:
        images: Training images, uint8, shape (N, C, H, W), N at least 10 K.
        labels: Their classes, int64 in 0..K-1, shape (N,); every class occurs.
        test_images: Images for ``test_accuracy`` alone, uint8, shape (M, C, H, W), M at least 1.
        test_labels: Their classes, int64 in 0..K-1, shape (M,).
        num_classes: Number of classes K, at least 2.
        cache_dir: Folder in which judges are kept; None for that of
            :func:`~lightning_gan.metrics.cache.cache_folder`.
        seed: Seed of the initial weights, the order of the images and their changes, at least 0.
        steps: Number of batches, at least 10; None for 30 times the training images, but from 300
            to 1,000 batches.

    Raises:
        InputError: The images or labels do not fit each other or are too few, or ``seed`` or
            ``steps`` is too small.
    """
    if num_classes < 2:
        raise InputError(f"a judge needs at least 2 classes, got {num_classes}: {_INSTEAD}")
    _check_split("training", images, labels, num_classes)
    _check_split("test", test_images, test_labels, num_classes)
    if images.shape[1:] != test_images.shape[1:]:
        raise InputError(
            "a judge needs training and test images of one shape, "
            f"got {tuple(images.shape[1:])} and {tuple(test_images.shape[1:])}"
        )
    _check_enough(labels, num_classes)
    batch_size = min(_BATCH_SIZE, len(images))
    if steps is None:
        steps = min(max(30 * len(images) // batch_size, 300), 1000)
    if seed < 0 or steps < _TIMED_STEPS:
        raise InputError(
            f"a judge needs a seed of at least 0 and at least {_TIMED_STEPS} steps, "
            f"got seed {seed} and {steps} steps"
        )
    data = fingerprint(images, labels, test_images, test_labels, num_classes)
    recipe = {
        "version": _VERSION,
        "data": data,
        "images": len(images),
        "seed": seed,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": _LEARNING_RATE,
    }
    folder = cache_folder() if cache_dir is None else Path(os.path.expanduser(cache_dir))
    path = folder / f"judge-v{_VERSION}-{data[:16]}-{steps}-{seed}.safetensors"
    judge = _load(path, tuple(images.shape[1:]), num_classes, recipe)
    if judge is None:
        judge = _train(images, labels, num_classes, recipe, path)
        judge.test_accuracy = _accuracy(judge, test_images, test_labels)
        rank_zero_info(
            f"The judge is right on {judge.test_accuracy:.2%} of {len(test_images):,} test images."
        )
        _save(path, judge)
    return judge.requires_grad_(False).eval()


def _train(
    images: Tensor, labels: Tensor, num_classes: int, recipe: dict[str, Any], path: Path
) -> Judge:
    """Train a judge on the CPU, whatever gradient mode the caller is in."""
    steps, seed = recipe["steps"], recipe["seed"]
    loader = TensorLoader(
        images.cpu(), labels.cpu(), recipe["batch_size"], shuffle=True, drop_last=True, seed=seed
    )
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would change GPUs' states too
        judge = Judge(tuple(images.shape[1:]), num_classes)
        judge.recipe = recipe
        optimizer = torch.optim.AdamW(judge.parameters(), _LEARNING_RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, _LEARNING_RATE, total_steps=steps, pct_start=0.2
        )
        began = time.monotonic()
        batches = tracked(islice(_endless(loader), steps), "training the judge", steps)
        for step, (x, y) in enumerate(batches):
            if step == _TIMED_STEPS:
                _announce(path, len(images), steps * (time.monotonic() - began) / step)
            loss = F.cross_entropy(judge.head(judge.body(_distort(x))), y)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return judge


def _endless(loader: TensorLoader) -> Iterator[tuple[Tensor, Tensor]]:
    return chain.from_iterable(repeat(loader))


def _announce(path: Path, n: int, seconds: float) -> None:
    rank_zero_info(
        f"Training a judge on {n:,} labeled images, once: about {max(seconds, 1):.0f} s; "
        f"it is kept as {path}."
    )


def _distort(images: Tensor) -> Tensor:
    """Rotate, shear, scale and shift each image a little, at random."""
    n = len(images)
    angle, scale = _uniform(n, 0.2), 1 + _uniform(n, 0.1)
    cos, sin = angle.cos() / scale, angle.sin() / scale
    first = torch.stack([cos, _uniform(n, 0.15) - sin, _uniform(n, 0.15)], dim=1)
    second = torch.stack([sin, cos, _uniform(n, 0.15)], dim=1)
    maps = torch.stack([first, second], dim=1)  # (N, 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _uniform(n: int, limit: float) -> Tensor:
    return (2 * torch.rand(n) - 1) * limit


def _accuracy(judge: Judge, images: Tensor, labels: Tensor) -> float:
    logits = extract(judge, images).class_logits
    assert logits is not None  # a judge has classes
    return (logits.argmax(dim=1) == labels.cpu()).double().mean().item()


def _save(path: Path, judge: Judge) -> None:
    try:
        save_tensors(
            path,
            judge.state_dict(),
            {
                "sha256": fingerprint_of_weights(judge),
                "accuracy": judge.test_accuracy,
                **judge.recipe,
            },
        )
    except OSError as error:
        rank_zero_warn(
            f"the judge could not be kept in {path.parent} ({error}) and will be trained again "
            "next time: set LIGHTNING_GAN_CACHE to a folder that can be written"
        )


def _load(
    path: Path, sample_shape: tuple[int, ...], num_classes: int, recipe: dict[str, Any]
) -> Judge | None:
    """Return the judge in a file; None where there is none or it is not the one that was saved."""
    if not path.is_file():
        return None
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        judge = Judge(sample_shape, num_classes)
    judge.recipe = recipe
    try:
        tensors, notes = load_tensors(path)
        judge.load_state_dict(tensors)
        judge.test_accuracy = float(notes.pop("accuracy"))
        if notes != {**_identity(judge), **recipe}:
            raise ValueError("other notes")
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RuntimeError):
        rank_zero_warn(f"the judge in {path} is damaged or another's, and is trained anew")
        return None
    return judge


def _check_split(name: str, images: Tensor, labels: Tensor, num_classes: int) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or 0 in images.shape:
        raise InputError(
            f"a judge needs {name} images in uint8 of shape (N, C, H, W), "
            f"got {images.dtype} of shape {tuple(images.shape)}"
        )
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        raise InputError(
            f"a judge needs {name} labels in int64 of shape ({len(images)},), "
            f"got {labels.dtype} of shape {tuple(labels.shape)}"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise InputError(
            f"a judge needs {name} labels in 0..{num_classes - 1}, "
            f"got {labels.min().item()}..{labels.max().item()}"
        )


def _check_enough(labels: Tensor, num_classes: int) -> None:
    needed = _FEWEST_PER_CLASS * num_classes
    if len(labels) < needed:
        raise InputError(
            f"a judge of {num_classes} classes needs at least {needed} training images, "
            f"got {len(labels)}: {_INSTEAD}"
        )
    absent = (torch.bincount(labels, minlength=num_classes) == 0).nonzero().flatten().tolist()
    if absent:
        raise InputError(
            f"a judge needs training images of every class, got none of class "
            f"{', '.join(map(str, absent[:10]))}: {_INSTEAD}"
        )


def _identity(judge: Judge) -> dict[str, str]:
    return {"sha256": fingerprint_of_weights(judge)}
