"""Shared set-up: one thread each, a known seed, and the real data where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.pop("PL_GLOBAL_SEED", None)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _known_seed():
    """Every test starts from the same random state, and none inherits another's seed.

    Nor does a fixture of a whole module, which is set up before this one.
    """
    import torch

    torch.manual_seed(0)
    yield
    os.environ.pop("PL_GLOBAL_SEED", None)


@pytest.fixture(scope="session")
def real_data():
    """Folder with MNIST, given by LIGHTNING_GAN_DATA or standing beside the project."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LIGHTNING_GAN_DATA", beside))
    if not (folder / "MNIST").is_dir():
        pytest.skip("no MNIST: set LIGHTNING_GAN_DATA to the folder that holds MNIST/raw")
    return folder
