"""2-D mixtures: their points, their density, and runs that go on where they stopped."""

from __future__ import annotations

import math

import pytest
import torch
from toys import fit, gan, same, trainer, weights

from lightning_gan.data import Mixture, MixtureGrid, MixtureRing
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.mlp import MLPGenerator


def grid(cells=400, reach=1.0):
    """Centers (cells, cells, 2) of square cells, and the area of one."""
    edges = torch.linspace(-reach, reach, cells + 1, dtype=torch.float64)
    centers = (edges[1:] + edges[:-1]) / 2
    points = torch.stack(torch.meshgrid(centers, centers, indexing="xy"), dim=2)
    return edges, points, (2 * reach / cells) ** 2


def test_eight_modes_on_a_ring():
    modes = MixtureRing(radius=0.6).modes
    assert modes.shape == (8, 2)
    assert torch.allclose(modes.norm(dim=1), torch.full((8,), 0.6))
    assert torch.allclose(modes[:2], torch.tensor([[0.6, 0.0], [0.6, 0.6]]) / _diagonal())
    neighbors = (modes - modes.roll(1, 0)).norm(dim=1)
    assert torch.allclose(neighbors, torch.full((8,), 1.2 * math.sin(math.pi / 8)))


def _diagonal():
    return torch.tensor([[1.0, 1.0], [math.sqrt(2), math.sqrt(2)]])


def test_twenty_five_modes_on_a_grid():
    modes = MixtureGrid(spacing=0.3).modes
    assert torch.allclose(modes[:2], torch.tensor([[-0.6, -0.6], [-0.3, -0.6]]))
    places = {tuple(round(v, 4) for v in mode) for mode in modes.tolist()}
    axis = (-0.6, -0.3, 0.0, 0.3, 0.6)
    assert places == {(x, y) for x in axis for y in axis}


@pytest.mark.parametrize("make", [MixtureRing, MixtureGrid])
def test_known_before_setup(make):
    data = make()
    assert data.sample_shape == (2,)
    assert data.num_classes is None
    assert make(labels=True).num_classes == len(data.modes)


@pytest.mark.parametrize("make", [MixtureRing, MixtureGrid])
def test_density_integrates_to_one(make):
    data = make()
    _, points, area = grid()
    assert data.density(points).sum() * area == pytest.approx(1, abs=1e-4)


def test_density_is_the_formula():
    data = Mixture([[0.0, 0.0], [0.3, 0.4]], std=0.1)
    x = torch.tensor([[0.1, 0.0], [0.3, 0.4]], dtype=torch.float64)
    squares = torch.tensor([[0.01, 0.04 + 0.16], [0.25, 0.0]], dtype=torch.float64)
    expected = (-squares / 0.02).exp().sum(1) / (2 * 2 * math.pi * 0.01)
    assert torch.allclose(data.density(x), expected, rtol=1e-5)
    assert torch.allclose(data.log_density(x), expected.log(), rtol=1e-5)
    assert data.log_density(x).dtype == torch.float64


def test_density_far_away_is_zero_and_its_logarithm_finite():
    data, far = MixtureRing(), torch.tensor([50.0, 50.0])
    assert data.density(far) == 0
    assert data.log_density(far).isfinite()


@pytest.mark.parametrize("std", [0.002, 0.05])
def test_masses_of_cells_are_the_integral_of_the_density(std):
    data = Mixture([[0.11, -0.2], [0.5, 0.5]], std=std)
    edges, _, _ = grid(cells=20)
    # 1,000 midpoints on either axis of each mode's square are far below either std.
    masses = data.cell_masses(edges)
    assert masses.shape == (20, 20)
    assert masses.sum() == pytest.approx(1, abs=1e-4)
    near = torch.linspace(0.0, 0.2, 1001, dtype=torch.float64)
    middle = (near[1:] + near[:-1]) / 2
    points = torch.stack(torch.meshgrid(middle, middle - 0.3, indexing="xy"), dim=2)
    blocks = (data.density(points) * 0.0002**2).view(2, 500, 2, 500).sum((1, 3))
    assert torch.allclose(masses[7:9, 10:12], blocks, atol=1e-6)  # rows are the second coordinate


def test_samples_have_the_moments_of_the_mixture():
    data = MixtureGrid(std=0.03)
    points, labels = data.sample(50_000, torch.Generator().manual_seed(0))
    assert labels.bincount().tolist() == pytest.approx([2000] * 25, rel=0.1)
    noise = points - data.modes[labels]
    assert noise.mean(0).tolist() == pytest.approx([0, 0], abs=1e-3)
    assert noise.std(0).tolist() == pytest.approx([0.03, 0.03], rel=0.02)


@pytest.mark.parametrize("split", ["train", "test"])
def test_batches_are_the_points_as_they_were_drawn(split):
    data = MixtureRing(n=200, batch_size=20, labels=True, seed=3)
    data.setup()
    loader = data.train_dataloader() if split == "train" else data.test_dataloader()
    x, y = (torch.cat(parts) for parts in zip(*loader, strict=True))
    assert x.dtype == torch.float32
    generator = torch.Generator().manual_seed(2 * 3 + (split == "test"))
    points, labels = data.sample(200 if split == "train" else 20, generator)
    order = torch.cdist(x, points).argmin(dim=1)
    assert order.unique().numel() == len(points)
    assert torch.allclose(x, points[order], atol=1e-6)
    assert torch.equal(y, labels[order])


def test_points_are_a_function_of_the_seed():
    before = torch.get_rng_state()
    first, again, other = (MixtureRing(n=64, seed=seed) for seed in (0, 0, 1))
    x = [next(iter(data.train_dataloader())) for data in (first, again, other)]
    assert torch.equal(x[0], x[1])
    assert not torch.equal(x[0], x[2])
    assert torch.equal(torch.get_rng_state(), before)


def model():
    torch.manual_seed(0)  # of the networks, and of the noise where training starts with it
    return gan(
        generator=MLPGenerator((2,), latent_dim=2, hidden=(8,)),
        discriminator=MLPDiscriminator((2,), hidden=(8,), dropout=0.0),
    )


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    def data():
        return MixtureGrid(n=40, batch_size=8)

    whole = model()
    fit(tmp_path, whole, steps=8, data=data())
    cut = model()
    fit(tmp_path, cut, steps=3, data=data()).save_checkpoint(tmp_path / "a.ckpt")
    resumed = model()
    torch.manual_seed(1)
    trainer(tmp_path, max_steps=8).fit(resumed, data(), ckpt_path=tmp_path / "a.ckpt")
    for name in ("generator", "discriminator"):
        ours, theirs = (weights(getattr(module, name)) for module in (resumed, whole))
        assert same(ours, theirs)
        assert not same(ours, weights(getattr(cut, name)))


@pytest.mark.parametrize(
    ("make", "options", "said"),
    [
        (Mixture, {"modes": []}, r"modes must be pairs such as \[\[0, 0\], .*, got \[\]"),
        (Mixture, {"modes": [[1.0]]}, r"modes must be pairs .*, got \[\[1.0\]\]"),
        (MixtureRing, {"modes": 0}, "modes must be at least 1 .*, got 0 and 0.7"),
        (MixtureRing, {"radius": -0.1}, "radius not negative, got 8 and -0.1"),
        (MixtureRing, {"std": 0.0}, "std must be positive, got 0.0"),
        (MixtureRing, {"n": 9}, "n must be at least 10, got 9"),
        (MixtureRing, {"batch_size": 0}, "batch_size must be at least 1, got 0"),
        (MixtureRing, {"seed": -1}, "seed must be at least 0, got -1"),
        (MixtureGrid, {"side": 0}, "side must be at least 1 .*, got 0 and 0.4"),
        (MixtureGrid, {"spacing": 0.0}, "spacing positive, got 5 and 0.0"),
        (
            MixtureRing,
            {"radius": 0.9},
            r"a mixture must lie in \[-1, 1\], with 4 std to spare, got modes as far out as "
            r"0.9 with std 0.05: make one of them smaller",
        ),
        (MixtureGrid, {"std": 0.1}, "as far out as 0.8 with std 0.1"),
    ],
)
def test_wrong_arguments(make, options, said):
    with pytest.raises(InputError, match=said):
        make(**options)
