"""Path lengths of linear generators, which are known, and their running mean."""

import math

import pytest
import torch
import toys
from torch import nn
from updates import update

from lightning_gan.errors import InputError
from lightning_gan.game.game import Game
from lightning_gan.generators.stylegan2 import StyleGAN2Generator
from lightning_gan.regularizers.path_length import PathLengthRegularizer
from lightning_gan.testing.tiny import TinyGenerator
from lightning_gan.types import Feedback, Player, Progress


class Stretched(nn.Module):
    """g(w) = s w, as an image; w has a vector for each of three layers, where there are layers."""

    def __init__(self, layers=None, scale=3.0):
        super().__init__()
        self.layers, self.scale = layers, nn.Parameter(torch.tensor(scale))

    def mapping(self, z, y=None):
        self.asked = z, y
        w = z.clone().requires_grad_()
        return w if self.layers is None else w[:, None].expand(-1, self.layers, -1)

    def synthesis(self, w):
        self.made = self.scale * (w if self.layers is None else w.sum(1))
        return self.made.reshape(-1, 1, 2, 2)


def step(network, n=6):
    samples = torch.zeros(n, 1, 2, 2)
    y, z = torch.arange(n), torch.randn(n, 4)
    return update(Player.GENERATOR, samples, samples, fake_y=y, z=z, generator=network)


@pytest.mark.parametrize("layers", [None, 3])
def test_lengths_of_a_stretch(layers):
    """The gradient is s y for each layer, and y has as many pixels as w has entries."""
    network, regularizer = Stretched(layers), PathLengthRegularizer(batch_shrink=2, decay=0.25)
    update_ = step(network)
    torch.manual_seed(1)
    found = regularizer.generator(update_)
    torch.manual_seed(1)
    y = torch.randn(3, 1, 2, 2).double() / 2  # four pixels
    lengths = 3 * y.flatten(1).norm(dim=1)
    expected = (lengths - 0.25 * lengths.mean()).square().mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert update_.reports["length"].item() == pytest.approx(lengths.mean().item(), rel=1e-5)
    assert torch.equal(network.asked[0], update_.z[:3])
    assert network.asked[1].tolist() == [0, 1, 2]
    # d/ds of (s r - a)^2 with a constant: 2 (s r - a) r.
    found.backward()
    r, a = lengths / 3, 0.25 * lengths.mean()
    slope = (2 * (lengths - a) * r).mean()
    assert network.scale.grad.item() == pytest.approx(slope.item(), rel=1e-5)


def test_the_expected_square_is_that_of_the_paper():
    """E |J^T y|^2 = s^2 E |y|^2, and |y|^2 has the mean 1: the pixels' number cancels."""
    network = Stretched()
    lengths = PathLengthRegularizer(batch_shrink=1)._lengths(step(network, n=4000))
    assert lengths.square().mean().item() == pytest.approx(9.0, rel=0.05)


def test_the_layers_of_stylegan2_are_averaged():
    """By its synthesis of a vector for each layer, whose gradients are taken one by one."""
    network = StyleGAN2Generator((1, 8, 8), latent_dim=4, style_dim=5, channel_max=4).eval()
    update_ = step(network)
    torch.manual_seed(1)
    found = PathLengthRegularizer(batch_shrink=1)._lengths(update_)
    torch.manual_seed(1)
    y = torch.randn(6, 1, 8, 8) / 8
    w = network.mapping(update_.z).detach()
    each = [w.clone().requires_grad_() for _ in range(4)]
    gradients = torch.autograd.grad((network.synthesis(torch.stack(each, 1)) * y).sum(), each)
    squares = torch.stack([gradient.square().sum(1) for gradient in gradients])
    torch.testing.assert_close(found, squares.mean(0).sqrt())


def test_the_running_mean_follows_what_is_reported():
    regularizer = PathLengthRegularizer(decay=0.5)
    for length in (2.0, 3.0):
        regularizer.observe(Feedback(Progress(), (), own={"length": torch.tensor(length)}))
    assert regularizer.mean.item() == 2.0
    regularizer.observe(Feedback(Progress(), ()))  # not due
    assert regularizer.mean.item() == 2.0


def test_a_game_tells_it_the_mean_length_of_a_batch():
    regularizer = PathLengthRegularizer(interval=2, decay=1.0)
    gan = toys.gan(generator=TinyGenerator(toys.SHAPE, 3), regularizers={"path": regularizer})
    game = Game(gan)
    seen = []
    for _ in range(3):
        readings = game.play(toys.images(4), torch.tensor([0, 1, 2, 0]))
        seen.append(regularizer.mean.item())
        length = readings.reports.get("regularizer/path/length")
        if length is not None:
            assert length.item() == pytest.approx(seen[-1])
    assert seen[0] > 0
    assert seen[0] == seen[1] != seen[2]


def test_a_frozen_mapping_leaves_the_synthesis_to_be_trained():
    network = TinyGenerator((1, 2, 2), 4)
    network.map.requires_grad_(False)
    PathLengthRegularizer().generator(step(network)).backward()
    assert network.draw.weight.grad.abs().sum() > 0


def test_a_synthesis_that_ignores_w_has_finite_gradients():
    network = TinyGenerator((1, 2, 2), 4)
    nn.init.zeros_(network.draw.weight)
    PathLengthRegularizer().generator(step(network)).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_pieces_have_means_of_their_own():
    with pytest.warns(UserWarning, match="PathLengthRegularizer couples the samples of a batch"):
        toys.gan(
            generator=TinyGenerator(toys.SHAPE, 3),
            regularizers={"path": PathLengthRegularizer()},
            micro_batches=2,
        )


def test_it_runs_without_autocast():
    network = Stretched()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lengths = PathLengthRegularizer().generator(step(network))
    assert network.made.dtype == lengths.dtype == torch.float32


def test_errors():
    with pytest.raises(InputError, match="batch_shrink must be a whole number from 1, got 0"):
        PathLengthRegularizer(batch_shrink=0)
    with pytest.raises(InputError, match=r"decay must lie in \(0, 1\], got 0"):
        PathLengthRegularizer(decay=0.0)
    with pytest.raises(InputError, match="needs 'mapping', which neither MLPGenerator nor"):
        toys.gan(regularizers={"path": PathLengthRegularizer()})


@pytest.mark.slow
def test_lengths_become_equal():
    """A stretch that differs with the direction evens out, where the length is to be one."""

    class Uneven(Stretched):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([5.0, 1.0, 1.0, 0.2]))

    torch.manual_seed(0)
    network, regularizer = Uneven(), PathLengthRegularizer(batch_shrink=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)

    def spread():
        with torch.enable_grad():
            lengths = regularizer._lengths(step(network, n=2000)).detach()
        return (lengths.std() / lengths.mean()).item()

    before = spread()
    for _ in range(300):
        optimizer.zero_grad()
        update_ = step(network, n=64)
        regularizer.generator(update_).backward()
        optimizer.step()
        regularizer.observe(Feedback(Progress(), (), own=dict(update_.reports)))
    # Of equal stretches what is left is the spread of |y| in four dimensions: the mean of its
    # square is 4, and the square of its mean 9 pi / 8.
    assert before > 0.6
    assert spread() == pytest.approx(math.sqrt(4 / (9 * math.pi / 8) - 1), abs=0.06)
