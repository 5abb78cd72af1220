"""Mixtures of Gaussians in the plane: data of known density, to check theory by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from lightning_gan.data.base import ImageData, Images, Split
from lightning_gan.data.window import PixelType, Window
from lightning_gan.errors import InputError

WIDTHS_INSIDE = 4  # standard deviations between a mode's center and the border of the square


class Mixture(ImageData):
    r"""Points of :math:`p(x) = \frac{1}{K} \sum_k N(x; \mu_k, \sigma^2 I)` inside [-1, 1]^2.

    The points are drawn once, a function of the seed, and served as images are: shuffled, each at
    most once an epoch, and resumable anywhere. There is a tenth as many test points.

    Args:
        modes: The centers mu, K pairs, at least four standard deviations inside [-1, 1]^2.
        std: sigma, the standard deviation of a mode on either axis.
        n: Number of training points, at least 10.
        batch_size: Points in a batch, on each process.
        labels: Yield the number of each point's mode, 0..K-1; False makes ``num_classes`` None.
        seed: Key of the points and of their order, at least 0.

    Attributes:
        modes: The centers, float32 of shape (K, 2).
        std: sigma.

    Raises:
        InputError: A number is out of range, or a mode reaches beyond [-1, 1]^2.
    """

    sample_range = None  # Gaussians have no bounds: now and then a point lies outside

    def __init__(
        self,
        modes: Sequence[Sequence[float]],
        std: float = 0.05,
        n: int = 50_000,
        batch_size: int = 64,
        labels: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, labels=labels, seed=seed)
        if not modes or any(len(mode) != 2 for mode in modes):
            raise InputError(f"modes must be pairs such as [[0, 0], [0.5, 0]], got {modes}")
        if std <= 0:
            raise InputError(f"std must be positive, got {std}")
        if n < 10:
            raise InputError(f"n must be at least 10, got {n}")
        self.modes = torch.tensor(modes, dtype=torch.float32)
        self.std = std
        self.n = n
        furthest = self.modes.abs().max().item()
        if furthest + WIDTHS_INSIDE * std > 1:
            raise InputError(
                f"a mixture must lie in [-1, 1], with {WIDTHS_INSIDE} std to spare, got modes "
                f"as far out as {furthest:.3g} with std {std:.3g}: make one of them smaller"
            )

    @property
    def native_shape(self) -> tuple[int, ...]:
        """Shape of a point, (2,)."""
        return (2,)

    @property
    def native_classes(self) -> int:
        """Number of modes K."""
        return len(self.modes)

    @property
    def pixel_type(self) -> PixelType:
        """Type of the points."""
        return PixelType.of("float32")

    @property
    def window(self) -> Window:
        """The pixels' scale, beyond which points may lie."""
        return Window(cuts=False)

    @property
    def windowed(self) -> bool:
        """Whether the scale is known, which it is."""
        return True

    def load(self, split: Split) -> Images:
        """Draw the points of one split.

        Returns:
            Points on the pixels' scale, 0..255 for [-1, 1], but float32 of shape (N, 2): the
            loader maps them back. Modes, int64 of shape (N,).
        """
        generator = torch.Generator().manual_seed(2 * self.seed + (split == "test"))
        points, labels = self.sample(self.n // 10 if split == "test" else self.n, generator)
        return (points + 1) * 127.5, labels

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw fresh points, float32 of shape (n, 2), and the modes they belong to, (n,)."""
        labels = torch.randint(len(self.modes), (n,), generator=generator)
        noise = torch.randn(n, 2, generator=generator)
        return self.modes[labels] + self.std * noise, labels

    def log_density(self, x: Tensor) -> Tensor:
        """Return log p of points (..., 2), shape (...), in nats."""
        modes = self.modes.to(x)
        mode = Independent(Normal(modes, torch.full_like(modes, self.std)), 1)
        mixture = MixtureSameFamily(Categorical(torch.ones_like(modes[:, 0])), mode)
        log_density: Tensor = mixture.log_prob(x)  # type: ignore[no-untyped-call]
        return log_density

    def density(self, x: Tensor) -> Tensor:
        """Return p of points (..., 2), shape (...); it integrates to 1 over the plane."""
        return self.log_density(x).exp()

    def cell_masses(self, edges: Tensor) -> Tensor:
        """Return the exact probability of each cell of a square grid.

        Args:
            edges: Ascending borders of the cells, the same on both axes, shape (R + 1,).

        Returns:
            Masses, shape (R, R): rows are the second coordinate, columns the first.
        """
        centers = self.modes.to(edges)
        below = torch.special.ndtr((edges - centers.unsqueeze(2)) / self.std)  # (K, 2, R + 1)
        x, y = below.diff(dim=2).unbind(1)
        return torch.einsum("ky,kx->yx", y, x) / len(centers)


class MixtureRing(Mixture):
    """Gaussians on a ring, the first at angle 0 (Metz et al. 2017, section 3.1).

    Their modes are narrower: their standard deviation is a hundredth of the radius, 0.007 here.

    Args:
        modes: Number of modes K.
        radius: Distance of the modes from the origin.
        std: Standard deviation of a mode on either axis.
        n: Number of training points, at least 10.
        batch_size: Points in a batch, on each process.
        labels: Yield the number of each point's mode, counted with the angle.
        seed: Key of the points and of their order, at least 0.

    Raises:
        InputError: A number is out of range, or a mode reaches beyond [-1, 1]^2.

    Example:
        >>> MixtureRing().sample_shape, MixtureRing().num_classes, len(MixtureRing().modes)
        ((2,), None, 8)
    """

    def __init__(
        self,
        modes: int = 8,
        radius: float = 0.7,
        std: float = 0.05,
        n: int = 50_000,
        batch_size: int = 64,
        labels: bool = False,
        seed: int = 0,
    ) -> None:
        if modes < 1 or radius < 0:
            raise InputError(
                f"modes must be at least 1 and radius not negative, got {modes} and {radius}"
            )
        angles = [2 * math.pi * k / modes for k in range(modes)]
        centers = [(radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]
        super().__init__(centers, std, n, batch_size, labels, seed)


class MixtureGrid(Mixture):
    """Gaussians on a square grid around the origin (Lin et al. 2018).

    Their modes are narrower: their standard deviation is a fortieth of the spacing, 0.01 here.

    Args:
        side: Modes on a side; K is its square.
        spacing: Distance between neighbors.
        std: Standard deviation of a mode on either axis.
        n: Number of training points, at least 10.
        batch_size: Points in a batch, on each process.
        labels: Yield the number of each point's mode, counted row by row from the lower left.
        seed: Key of the points and of their order, at least 0.

    Raises:
        InputError: A number is out of range, or a mode reaches beyond [-1, 1]^2.

    Example:
        >>> MixtureGrid(side=2, spacing=1.0).modes.tolist()
        [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    """

    def __init__(
        self,
        side: int = 5,
        spacing: float = 0.4,
        std: float = 0.03,
        n: int = 50_000,
        batch_size: int = 64,
        labels: bool = False,
        seed: int = 0,
    ) -> None:
        if side < 1 or spacing <= 0:
            raise InputError(
                f"side must be at least 1 and spacing positive, got {side} and {spacing}"
            )
        places = [spacing * (k - (side - 1) / 2) for k in range(side)]
        super().__init__([(x, y) for y in places for x in places], std, n, batch_size, labels, seed)
