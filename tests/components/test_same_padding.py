"""Keras's "same" padding against its definition, written out in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from lightning_gan.layers.same_padding import SameConv2d, SameConvTranspose2d


def same(x, kernel, stride):
    """Cross-correlate one channel: output i looks at inputs i * stride - before, and on."""
    size = len(kernel)
    out = [-(-n // stride) for n in x.shape]
    total = [max((o - 1) * stride + size - n, 0) for o, n in zip(out, x.shape, strict=True)]
    before = [t // 2 for t in total]
    result = np.zeros(out)
    for i, j in np.ndindex(*out):
        for a, b in np.ndindex(size, size):
            row, column = i * stride + a - before[0], j * stride + b - before[1]
            if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]:
                result[i, j] += kernel[a, b] * x[row, column]
    return result


@pytest.mark.parametrize("shape", [(4, 4), (5, 6), (28, 12), (1, 2)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (7, 2), (5, 2), (1, 2), (2, 1)])
def test_convolution(shape, kernel, stride):
    x, layer = torch.randn(1, 1, *shape), SameConv2d(1, 1, kernel, stride)
    expected = same(x[0, 0].numpy(), layer.weight[0, 0].detach().numpy(), stride)
    found = (layer(x) - layer.bias)[0, 0].detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_odd_row_and_column_are_at_the_bottom_and_on_the_right():
    layer = SameConv2d(1, 1, 3, stride=2)
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    # Windows begin at 0 and 2; the second reaches one beyond the image, as in Keras.
    found = layer(torch.ones(1, 1, 4, 4))[0, 0]
    assert torch.equal(found, torch.tensor([[9.0, 6.0], [6.0, 4.0]]))


@pytest.mark.parametrize("shape", [(3, 3), (7, 2)])
@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (3, 2), (4, 2), (2, 2), (5, 1), (5, 3)])
def test_a_transposed_convolution_is_the_transpose_of_the_convolution(shape, kernel, stride):
    """<conv x, y> = <x, transposed y>: that is how Keras computes the one on the right."""
    down, up = SameConv2d(2, 3, kernel, stride), SameConvTranspose2d(3, 2, kernel, stride)
    with torch.no_grad():
        up.weight.copy_(down.weight)
        down.bias.zero_()
        up.bias.zero_()
        y = torch.randn(1, 3, *shape)
        x = torch.randn(1, 2, *(stride * n for n in shape))
        assert up(y).shape == x.shape
        torch.testing.assert_close((down(x) * y).sum(), (x * up(y)).sum())
