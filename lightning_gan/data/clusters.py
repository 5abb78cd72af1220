"""Groups of images that look alike, all equally large: classes for data without labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from lightning_gan.errors import InputError
from lightning_gan.tracking import tracked

Split = Literal["train", "test"]

FINEST = 16  # pixels a side that are compared
LEARNED_FROM = 60_000  # images at most
AT_ONCE = 1024  # images; bounds the memory of their conversion

_ROUNDS, _PRICES, _LAST_PRICES = 20, 6, 30  # rounds, changes of the prices in each, after them
_FIRST = 0.05  # change of a price, in multiples of the variance
_ON, _BACK = 1.2, 0.5  # factors of the change where it goes on, and where it turns


class Clusters(NamedTuple):
    r"""Where groups lie, and what it costs an image to belong to them.

    Image x belongs to group :math:`\arg\min_k \lVert x - c_k \rVert^2 + b_k`: the cells of a power
    diagram, which can have any sizes that are asked for (Aurenhammer, Hoffmann & Aronov 1998).

    Attributes:
        centers: c, float32 of shape (K, D).
        prices: b, float32 of shape (K,).
    """

    centers: Tensor
    prices: Tensor

    def nearest(self, features: Tensor) -> Tensor:
        """Return the group of each row of features (N, D), int64 in 0..K-1 of shape (N,)."""
        return (_distances(features, self.centers) + self.prices).argmin(1)


def find_clusters(features: Tensor, k: int, seed: int = 0) -> Clusters:
    """Divide rows into k groups of alike ones, as nearly equal in number as prices can make them.

    These are the rounds of k-means (Lloyd 1982) from the centers of k-means++ (Arthur &
    Vassilvitskii 2007). In each, the price of a group that has more than its share rises and that
    of one that has less falls, in steps that grow while they go on and shrink when they turn
    (Rprop, Riedmiller & Braun 1993), before its center moves to the mean of its rows. No random
    state is changed.

    Args:
        features: float32, shape (N, D).
        k: Number of groups K, at most N.
        seed: Of the first centers.
    """
    from sklearn.cluster import kmeans_plusplus

    centers = torch.from_numpy(kmeans_plusplus(features.numpy(), k, random_state=seed)[0])
    prices, before = torch.zeros(k), torch.zeros(k)
    steps = _FIRST * features.var(0, correction=0).sum().expand(k)
    for changes in (*[_PRICES] * _ROUNDS, _LAST_PRICES):
        distances = _distances(features, centers)
        for _ in range(changes):
            groups = (distances + prices).argmin(1)
            sizes = torch.bincount(groups, minlength=k)
            wanted = (sizes * k - len(features)).sign().float()
            steps = steps * torch.where(wanted == before, _ON, _BACK)
            prices, before = prices + steps * wanted, wanted
        if changes == _PRICES:
            sums = torch.zeros_like(centers).index_add_(0, groups, features)
            centers = torch.where(sizes[:, None] > 0, sums / sizes.clamp_min(1)[:, None], centers)
    return Clusters(centers, prices)


class Pictures(Protocol):
    """The part of a data module that is looked at."""

    def count(self, split: Split) -> int:
        """Return the number of images of a split."""

    def images(
        self, split: Split, labels: bool | None = None, indices: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return images, uint8, shape (n, *sample_shape), and labels."""


class Clustering:
    """The groups of a data module's images, found when they are first asked for.

    They are learned from 60,000 training images at most; held-out images belong to them, too.

    Args:
        number: How many groups K.
        data: Whose images; they are asked for when they are needed.

    Raises:
        InputError: ``number`` is no whole number from 2.
    """

    def __init__(self, number: int, data: Pictures) -> None:
        if type(number) is not int or number < 2:
            raise InputError(f"clusters must be a whole number from 2, or null, got {number!r}")
        self._number = number
        self._data = data
        self._found: Clusters | None = None
        self._labels: dict[str, Tensor] = {}

    def labels(self, split: Split) -> Tensor:
        """Return the group of each image of a split, int64 in 0..K-1 of shape (N,).

        Raises:
            InputError: There are fewer training images than groups.
        """
        if self._found is None:
            self._found = self._find()
        if split not in self._labels:
            parts = self._looks(split, torch.arange(self._data.count(split)))
            self._labels[split] = torch.cat([self._found.nearest(part) for part in parts])
        return self._labels[split]

    def state_dict(self) -> dict[str, Any]:
        """Return where the groups lie: other machines round otherwise, and may find others."""
        return {} if self._found is None else {"clusters": self._found._asdict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the groups of an earlier run.

        Raises:
            InputError: There are more or fewer of them.
        """
        if "clusters" not in state:
            return
        found = Clusters(**state["clusters"])
        if len(found.prices) != self._number:
            raise InputError(
                f"the checkpoint has {len(found.prices)} clusters, got clusters={self._number}"
            )
        self._found, self._labels = found, {}

    def _find(self) -> Clusters:
        n = self._data.count("train")
        if n < self._number:
            raise InputError(
                f"{n} training images are too few for clusters={self._number}: "
                f"set clusters to {n} or less"
            )
        chosen = torch.from_numpy(np.random.default_rng(0).permutation(n)[:LEARNED_FROM])
        looks = self._looks("train", chosen.sort().values)
        return find_clusters(torch.cat(list(looks)), self._number)

    def _looks(self, split: Split, index: Tensor) -> Iterator[Tensor]:
        """Yield what is compared: pixels, of at most 16 a side, float32 (n, D)."""
        pieces = torch.split(index, AT_ONCE)
        for part in tracked(pieces, "comparing images", len(pieces)):
            x = self._data.images(split, labels=False, indices=part)[0].float() / 255
            if x.dim() == 4:
                height, width = (-(-side // -(-side // FINEST)) for side in x.shape[2:])
                x = adaptive_avg_pool2d(x, (height, width))
            yield x.flatten(1)


def _distances(features: Tensor, centers: Tensor) -> Tensor:
    """Return squared distances but for the squared length of the features, shape (N, K)."""
    return torch.addmm(centers.square().sum(1), features, centers.T, alpha=-2)
