"""How good a conditional generator of digits is, by a classifier trained on the real ones.

As a script: ``python tests/judge.py CHECKPOINT ...`` prints one line for each checkpoint.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.svm import SVC


def judge(gan, per_class=100, seed=0):
    """Return agreement with the asked label, the worst class's, and the variety inside classes.

    Variety is the standard deviation of each pixel within a class, averaged over pixels, divided by
    that of the real digits: the mean over classes and the smallest.
    """
    x, y = load_digits(return_X_y=True)
    real = x / 8 - 1  # [-1, 1]
    classifier = SVC(gamma=0.001 * 64).fit(real, y)  # the usual gamma, for pixels scaled by 1/8
    labels = np.repeat(np.arange(10), per_class)
    fake = gan.sample(len(labels), labels=labels.tolist(), seed=seed).flatten(1).numpy()
    agree = classifier.predict(fake) == labels
    classes = [agree[labels == k].mean() for k in range(10)]
    variety = [fake[labels == k].std(0).mean() / real[y == k].std(0).mean() for k in range(10)]
    return {
        "agreement": float(agree.mean()),
        "worst class": float(min(classes)),
        "variety": float(np.mean(variety)),
        "least variety": float(min(variety)),
        "most variety": float(max(variety)),
    }


if __name__ == "__main__":
    from lightning_gan import GANModule

    for path in sys.argv[1:]:
        numbers = judge(GANModule.load_from_checkpoint(path, map_location="cpu"))
        print(path, *(f"{name} {value:.3f}" for name, value in numbers.items()), sep="  ")
