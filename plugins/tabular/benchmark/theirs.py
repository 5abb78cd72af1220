"""SDV's package ctgan on the same file, in an environment of its own; it is no dependency of ours.

python benchmark/theirs.py TRAIN.csv OUT.csv SECONDS SEED trains for so many CPU seconds and writes
1,000 rows. Columns of text are its discrete ones, all other settings its defaults.
"""

from __future__ import annotations

import random
import sys
import time

import numpy as np
import pandas as pd
import torch
from ctgan import CTGAN

EPOCHS = 20  # that are timed


def main(train: str, out: str, seconds: float, seed: int) -> None:
    """Train a few epochs to know how long one takes, then as many as there is time for."""
    torch.set_num_threads(1)
    frame = pd.read_csv(train)
    discrete = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    took = []
    for epochs in (1, 1, 1 + EPOCHS):  # the first makes what is made once
        began = time.process_time()
        CTGAN(epochs=epochs).fit(frame, discrete)
        took.append(time.process_time() - began)
    epoch = (took[2] - took[1]) / EPOCHS
    epochs = int((seconds - took[1]) / epoch)
    print(f"an epoch takes {epoch:.3f} CPU seconds, all before the first {took[1] - epoch:.1f}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    model = CTGAN(epochs=epochs)
    began = time.process_time()
    model.fit(frame, discrete)
    print(f"{train}: {epochs} epochs, {time.process_time() - began:.1f} CPU seconds")
    model.sample(1000).to_csv(out, index=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
