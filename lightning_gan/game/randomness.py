"""Random states of training: seeded by (seed, rank), saved for all ranks, spared by sampling."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from lightning_gan.errors import InputError

LARGEST = 2**64 - 1  # seed of torch
LARGEST_CHOSEN = 2**32 - 1  # of seed_everything, which seeds NumPy as well


def base_seed() -> int:
    """Return the seed of ``seed_everything`` if it was called, else torch's own initial seed."""
    seed = chosen_seed()
    return torch.initial_seed() if seed is None else seed


def chosen_seed() -> int | None:
    """Return the seed of ``seed_everything``, or None if it was not called.

    Raises:
        InputError: The variable in which it stands was set to no such seed.
    """
    text = os.environ.get("PL_GLOBAL_SEED")
    if not text:
        return None
    try:
        seed = int(text)
    except ValueError:
        seed = -1
    if not 0 <= seed <= LARGEST_CHOSEN:
        raise InputError(
            f"the environment variable PL_GLOBAL_SEED is {text!r}; expected a whole number from 0 "
            f"to {LARGEST_CHOSEN}, or unset it"
        )
    return seed


def derive(*parts: int) -> int:
    """Mix numbers such as (seed, rank, purpose) into one seed below 2^63."""
    words = [part & 0xFFFFFFFFFFFFFFFF for part in parts]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1))


def seeded(seed: int, device: torch.device) -> torch.Generator:
    """Return a new generator on a device.

    Raises:
        InputError: The seed is no whole number from 0 to 2^64 - 1.
    """
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= LARGEST:
        raise InputError(f"seed must be a whole number from 0 to {LARGEST}, got {seed!r}")
    return torch.Generator(device).manual_seed(int(seed))


def preserved(device: torch.device) -> AbstractContextManager[None]:
    """Restore torch's global random states afterwards: the CPU's and the device's."""
    if device.type == "cpu":
        return torch.random.fork_rng(devices=[])
    return torch.random.fork_rng(devices=[device], device_type=device.type)


@contextmanager
def all_preserved(device: torch.device, own: torch.Generator | None = None) -> Iterator[None]:
    """Restore Python's, NumPy's and torch's global random states afterwards, and a generator's."""
    python, numpy = random.getstate(), np.random.get_state()
    state = None if own is None else own.get_state()
    try:
        with preserved(device):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if own is not None and state is not None:
            own.set_state(state)


def get_states(device: torch.device, noise: torch.Generator | None = None) -> dict[str, Tensor]:
    """Return torch's global random states, the CPU's and the device's, and a generator's own."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state(device)
    if noise is not None:
        states["noise"] = noise.get_state()
    return states


def set_states(
    states: dict[str, Tensor], device: torch.device, noise: torch.Generator | None = None
) -> None:
    """Put back what :func:`get_states` returned; a state of another kind of device is left out."""
    torch.set_rng_state(states["cpu"].cpu())
    if device.type != "cpu" and device.type in states:
        torch.get_device_module(device).set_rng_state(states[device.type].cpu(), device)
    if noise is not None and states["noise"].numel() == noise.get_state().numel():
        noise.set_state(states["noise"].cpu())
