"""Weights that are computed from others: spectral norm, weight norm, equalized learning rate."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.parametrizations import weight_norm as salimans
from torch.nn.utils.parametrize import register_parametrization

from lightning_gan.errors import InputError
from lightning_gan.layers.condition import VectorEmbedding

WeightNorm = Literal["none", "spectral", "weight", "equalized"]

Layer = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
TransposedLayer = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
Table = (nn.Embedding, VectorEmbedding)
FIRST_ITERATIONS = 15  # from a random vector, so that the first estimate is near
EPS = 1e-12


class SpectralNorm(nn.Module):
    r"""A weight divided by an estimate of its largest singular value (Miyato et al. 2018).

    One power iteration whenever the weight is read while training (their algorithm 1), on the
    matrix W of the weight with a row for each output:

    .. math::
        v \leftarrow \frac{W^T u}{\lVert W^T u \rVert}, \quad \sigma = \lVert W v \rVert, \quad
        u \leftarrow \frac{W v}{\sigma}, \quad \bar W = \frac{W}{\sigma}.

    A weight of zeros stays one, and u what it was: it has no singular vector to follow.

    v and u are constants for the gradient. u is the only state: a buffer, saved and put back with
    all others. Every pass in training mode counts as one: of real samples, of fakes, in an update
    of the generator, of each of several micro-batches. In eval mode u stays as it is. The iteration
    runs without autocast.

    Args:
        weight: The weight as it is at first, of two or more dimensions.
        dim: Which of its dimensions counts outputs.
    """

    u: Tensor

    def __init__(self, weight: Tensor, dim: int = 0) -> None:
        super().__init__()
        self.dim = dim
        matrix = self._matrix(weight.detach())
        u = normalize(torch.randn_like(matrix[:, 0]), dim=0, eps=EPS)
        for _ in range(FIRST_ITERATIONS):
            u = _direction(matrix @ (matrix.T @ u), u)
        self.register_buffer("u", u)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight of spectral norm 1."""
        device = weight.device.type
        casts = device != "meta" and torch.is_autocast_enabled(device)
        with torch.autocast(device, enabled=False) if casts else nullcontext():
            matrix = self._matrix(weight)
            with torch.no_grad():
                v = matrix.T @ self.u
                v /= torch.linalg.vector_norm(v).clamp_(min=EPS)
            product = matrix @ v
            length = torch.linalg.vector_norm(product)
            known = length > EPS
            sigma = length.masked_fill(~known, 1.0)
            if self.training:
                with torch.no_grad():
                    self.u.copy_(torch.where(known, product / sigma, self.u))
            normalized: Tensor = weight / sigma
            return normalized

    def _matrix(self, weight: Tensor) -> Tensor:
        return (weight.movedim(self.dim, 0) if self.dim else weight).flatten(1)


def _direction(vector: Tensor, otherwise: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(vector)
    return torch.where(length > EPS, vector / length, otherwise)


class EqualizedRate(nn.Module):
    """A weight times a constant, so that all layers learn at one speed (Karras et al. 2018, 4.1).

    Args:
        scale: The constant of He et al. 2015, sqrt(2 / fan_in).
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight as it is used."""
        return weight * self.scale


def check_weight_norm(weight_norm: Any) -> None:
    """Check the name of a way to compute weights.

    Raises:
        InputError: It is unknown.
    """
    if weight_norm not in get_args(WeightNorm):
        raise InputError(
            f"weight_norm must be 'none', 'spectral', 'weight' or 'equalized', got {weight_norm!r}"
        )


def reparameterize(network: nn.Module, weight_norm: WeightNorm, tables: bool = False) -> None:
    r"""Compute the weights of a network's linear and convolutional layers from others, in place.

    To be called last: after the first weights are drawn. The number of trained parameters is the
    same, but for the weight norm, which adds one for each output.

    - "none" changes nothing.
    - "spectral": :class:`SpectralNorm`.
    - "weight": :math:`w = g\, v / \lVert v \rVert` for each output, v and g trained (Salimans &
      Kingma 2016, equation 2); the first weights stay what they are.
    - "equalized": :class:`EqualizedRate`; the trained weights are drawn anew from N(0, 1), and
      biases begin at 0 (Karras et al. 2018, section 4.1). Of a transposed convolution of stride s,
      fan_in is what reaches one output value, C k^2 / s^2.

    Tables of conditions (:class:`~torch.nn.Embedding` of classes, and the linear map that takes its
    place for vectors and sequences) stay as they are, but where ``tables`` says so: as gains of a
    conditional norm they begin at 0, which has no length to divide by.

    Args:
        network: The network; weights that are not trained are passed over.
        weight_norm: How.
        tables: Whether "spectral" takes tables of conditions as well (Miyato & Koyama 2018).

    Raises:
        InputError: ``weight_norm`` is unknown; or with "weight" an output has weights of 0 alone,
            which have no direction.
    """
    check_weight_norm(weight_norm)
    if weight_norm == "none":
        return
    for layer in list(network.modules()):
        transposed = isinstance(layer, TransposedLayer)
        if isinstance(layer, Table):
            if not (tables and weight_norm == "spectral"):
                continue
        elif not (transposed or isinstance(layer, Layer)):
            continue
        weight: Tensor = layer.weight  # type: ignore[assignment]
        if not weight.requires_grad:
            continue
        dim = 1 if transposed else 0
        if weight_norm == "spectral":
            register_parametrization(layer, "weight", SpectralNorm(weight, dim))
        elif weight_norm == "weight":
            rows = weight.detach().movedim(dim, 0).flatten(1)
            values = type(rows) is Tensor and not rows.is_meta  # and no stand-in of a tensor
            if values and not rows.any(1).all():
                raise InputError(
                    f"weight_norm='weight' needs weights that are not all 0 in any output of "
                    f"{type(layer).__name__}: their direction is not defined; take another one"
                )
            salimans(layer, dim=dim)
        else:
            _equalize(layer, weight, transposed)


def _equalize(layer: nn.Module, weight: Tensor, transposed: bool) -> None:
    strides: tuple[int, ...] = layer.stride if transposed else ()  # type: ignore[assignment]
    fan_in = weight[0].numel() if not transposed else weight[:, 0].numel() / math.prod(strides)
    nn.init.normal_(weight)
    bias = getattr(layer, "bias", None)
    if bias is not None:
        nn.init.zeros_(bias)
    register_parametrization(layer, "weight", EqualizedRate(math.sqrt(2 / fan_in)))
