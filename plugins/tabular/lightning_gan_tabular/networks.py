"""The two networks of CTGAN."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan import Discriminator, Generator, GeneratorOutput, InputError
from lightning_gan_tabular.layout import Layout


class TabularGenerator(Generator):
    r"""Residual layers with batch norm, tanh for scalars, Gumbel-softmax for one-hot parts.

    The generator of Xu et al. 2019, section 4.4: every hidden layer, batch norm and ReLU, is put
    beside what it was computed from. It gets noise beside the condition, a one-hot category of one
    column. The Gumbel noise of the softmax, of temperature 0.2, is a function of further
    coordinates of the latent, :math:`g = -\log(-\log \Phi(z))`, so that samples are a function of
    latent and condition alone; it takes a standard normal prior. Where no condition is given, one
    more coordinate of the latent chooses it as the table does: any column of categories, a value by
    its frequency.

    By-products: ``condition_logits``, shape (N, C), what the columns of categories are made from.

    Args:
        table: Description of the table, ``Table.description``; the command has it from the data.
        noise_dim: Size of the noise.
        hidden: Width of each hidden layer.
        temperature: Of the softmax.

    Attributes:
        table: The description, from which rows are decoded.
        layout: Where columns stand in a row.
        latent_dim: noise_dim + 1 + the lengths of all one-hot parts; without the 1 where there is
            no condition.

    Raises:
        InputError: There is no table, a size is below 1, or ``temperature`` is not positive.
    """

    sample_range = "symmetric"

    def __init__(
        self,
        table: dict[str, Any] | None = None,
        noise_dim: int = 128,
        hidden: Sequence[int] = (256, 256),
        temperature: float = 0.2,
    ) -> None:
        super().__init__()
        self.layout = layout = Layout.of(table, "the generator 'tabular'")
        if min(noise_dim, *hidden, 1) < 1 or temperature <= 0:
            raise InputError(
                "noise_dim, hidden and temperature must be positive, got "
                f"{noise_dim}, {tuple(hidden)} and {temperature}"
            )
        self.table = table
        self.noise_dim, self.temperature = noise_dim, temperature
        self.latent_dim = noise_dim + bool(layout.condition) + sum(layout.blocks)
        self.sample_shape = (layout.size,)
        width = noise_dim + layout.condition
        self.layers = nn.ModuleList()
        for following in hidden:
            layer = (nn.Linear(width, following), nn.BatchNorm1d(following), nn.ReLU())
            self.layers.append(nn.Sequential(*layer))
            width += following
        self.head = nn.Linear(width, layout.size)
        shares = torch.tensor(layout.shares, dtype=torch.float64) / max(len(layout.categories), 1)
        self.register_buffer("edges", shares.cumsum(0).float()[:-1], persistent=False)

    def forward(self, z: Tensor, y: Tensor | None = None) -> GeneratorOutput:
        """Generate encoded rows.

        Args:
            z: Latents, shape (N, Z), standard normal.
            y: Conditions, one-hot of shape (N, C), C = layout.condition; None: chosen by z.

        Returns:
            Rows, shape (N, layout.size), each one-hot part adding up to 1, and
            ``condition_logits``.

        Raises:
            InputError: Conditions are of another size.
        """
        blocks, conditional = self.layout.blocks, self.layout.condition
        noise, normal = z[:, : self.noise_dim], z[:, -sum(blocks) :]
        x = noise
        if conditional:
            y = self._chosen(z[:, self.noise_dim]) if y is None else y
            x = torch.cat([noise, checked(y, conditional, self).to(noise)], dim=1)
        for layer in self.layers:
            x = torch.cat([layer(x), x], dim=1)
        scalars, logits = self.head(x).split([self.layout.scalars, sum(blocks)], dim=1)
        noisy = (logits + gumbel(normal)) / self.temperature
        parts = [part.softmax(1) for part in noisy.split(blocks, dim=1)]
        samples = torch.cat([scalars.tanh(), *parts], dim=1)
        return GeneratorOutput(
            samples, {"condition_logits": logits[:, logits.shape[1] - conditional :]}
        )

    def _chosen(self, normal: Tensor) -> Tensor:
        """Return conditions that normal numbers (N,) choose by the frequencies of the table."""
        below = torch.special.ndtr(normal.float()).unsqueeze(1) >= self.edges
        return nn.functional.one_hot(below.sum(1), self.layout.condition)


class TabularDiscriminator(Discriminator):
    """Fully connected layers with LeakyReLU and dropout, on packs of rows with their conditions.

    The critic of Xu et al. 2019, section 4.4, which judges ten rows at once (PacGAN, Lin et al.
    2018). Neighbors in the batch make a pack; where ``packing`` does not divide N, the last pack is
    filled up with the first rows.

    Args:
        table: Description of the table; the command has it from the data.
        packing: Rows of a pack.
        hidden: Width of each hidden layer.
        dropout: Probability of zeroing a hidden value while training.

    Raises:
        InputError: There is no table, a size is below 1, or ``dropout`` lies outside [0, 1).
    """

    couples_samples = True

    def __init__(
        self,
        table: dict[str, Any] | None = None,
        packing: int = 10,
        hidden: Sequence[int] = (256, 256),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.layout = layout = Layout.of(table, "the discriminator 'tabular'")
        if min(packing, *hidden, 1) < 1 or not 0 <= dropout < 1:
            raise InputError(
                "packing and hidden must be positive, and dropout lie in [0, 1), got "
                f"{packing}, {tuple(hidden)} and {dropout}"
            )
        self.packing = packing
        self.sample_shape = (layout.size,)
        widths = [packing * (layout.size + layout.condition), *hidden]
        layers: list[nn.Module] = []
        for width, following in pairwise(widths):
            layers += [nn.Linear(width, following), nn.LeakyReLU(0.2), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Judge packs of rows.

        Args:
            x: Rows, shape (N, layout.size).
            y: Conditions, shape (N, C).

        Returns:
            Logits, shape (N / packing,), rounded up.

        Raises:
            InputError: Conditions are missing or of another size.
        """
        if self.layout.condition:
            x = torch.cat([x, checked(y, self.layout.condition, self).to(x)], dim=1)
        missing = -len(x) % self.packing
        if missing:
            x = torch.cat([x, x[torch.arange(missing, device=x.device) % len(x)]])
        logits: Tensor = self.layers(x.reshape(-1, self.packing * x.shape[1]))
        return logits.squeeze(1)


def gumbel(normal: Tensor) -> Tensor:
    """Return Gumbel noise that is an increasing function of standard normal noise."""
    return -torch.log(-torch.special.log_ndtr(normal))


def checked(y: Any, size: int, network: nn.Module) -> Tensor:
    """Return conditions of the right size.

    Raises:
        InputError: They are none.
    """
    if not isinstance(y, Tensor) or y.dim() != 2 or y.shape[1] != size:
        got = f"a tensor of shape {tuple(y.shape)}" if isinstance(y, Tensor) else repr(y)[:80]
        raise InputError(
            f"{type(network).__name__} takes conditions of shape (N, {size}), one-hot over the "
            f"categories of all columns, got {got}"
        )
    return y
