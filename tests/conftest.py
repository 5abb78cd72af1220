"""Shared set-up: one thread each, a known seed, and the real data where they are at hand."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest

from lightning_gan.components import installed, registry

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.pop("PL_GLOBAL_SEED", None)
# Plugins that are installed here change no test: all but ours are switched off.
others = {point.distribution for point in installed.points()} - {registry.DISTRIBUTION}
os.environ.setdefault("LIGHTNING_GAN_DISABLE", " ".join(sorted(others)))
registry.clear_cache()


# The longest first: two workers that take file after file leave together.
LONGEST = (
    *("cli/test_kill.py", "cli/test_stop.py", "test_main_job.py", "test_docs.py"),
    *("cli/test_processes.py", "training/test_resume_matrix.py", "test_installation.py"),
    *("training/test_distributed.py", "cli/test_errors.py", "components/test_pairs.py"),
)


def pytest_configure(config):
    if hasattr(config.option, "loadscopereorder"):  # by their numbers of tests
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    def place(item):
        file = item.path.relative_to(Path(__file__).parent).as_posix()
        return LONGEST.index(file) if file in LONGEST else len(LONGEST)

    items.sort(key=place)


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


@pytest.fixture(scope="module")
def composed_once():
    """Hydra takes a quarter of a second for what it has composed before."""
    from lightning_gan.cli.settings import compose

    real, kept = compose._compose, {}

    def compose_once(overrides):
        key = tuple(overrides)
        if key not in kept:
            kept[key] = real(overrides)
        return copy.deepcopy(kept[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "_compose", compose_once)
        yield


@pytest.fixture(scope="session")
def real_data():
    """Folder with MNIST, given by LIGHTNING_GAN_DATA or standing beside the project."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LIGHTNING_GAN_DATA", beside))
    if not (folder / "MNIST").is_dir():
        pytest.skip("no MNIST: set LIGHTNING_GAN_DATA to the folder that holds MNIST/raw")
    return folder
