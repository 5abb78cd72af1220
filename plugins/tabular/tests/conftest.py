"""A small mixed table, and a GAN that was trained on it for a few steps."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pandas as pd
import pytest
import torch
from lightning_gan_tabular import Table


@pytest.fixture(autouse=True)
def _known_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def make_frame(n=120):
    """Two kinds of rows, a gap in every kind of column that may have one."""
    rng = np.random.default_rng(0)
    kind = rng.random(n) < 0.25
    frame = pd.DataFrame(
        {
            "income": np.round(np.where(kind, 500, 100) + rng.normal(0, 10, n), 2),
            "city": np.where(kind, "Oslo", "Bergen"),
            "age": rng.integers(18, 80, n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 90, n), "D"),
            "member": rng.random(n) < 0.5,
        }
    )
    frame["height"] = np.where(rng.random(n) < 0.2, np.nan, rng.normal(170, 10, n))
    frame["visits"] = pd.Series(rng.integers(0, 60, n)).astype("Int64")
    frame.loc[3, ["visits", "city"]] = None
    return frame


@pytest.fixture(scope="session")
def frame():
    return make_frame()


@pytest.fixture(scope="session")
def table(frame):
    return Table.of(frame, modes=3)


@pytest.fixture(scope="session")
def csv(frame, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "people.csv"
    frame.to_csv(path, index=False)
    return path
