"""The loss of an MMD against double sums, and against its value for Gaussians."""

import math

import numpy as np
import pytest
import torch

from lightning_gan.errors import InputError
from lightning_gan.losses.mmd import MMDLoss

DRAWN = np.random.default_rng(0)
REAL, FAKE = DRAWN.normal(size=(6, 3)), DRAWN.normal(size=(6, 3)) + 0.5


def kernel(name, x, y, scales):
    d2 = ((x - y) ** 2).sum()
    if name == "rbf":
        return sum(math.exp(-d2 / (2 * s**2)) for s in scales)
    return sum((1 + d2 / (2 * s)) ** -s for s in scales)


def means(name, x, y, scales):
    """E k(x, x'), E k(x, y) and E k(y, y'), pairs of one sample with itself left out."""
    n = range(len(x))
    apart = [(i, j) for i in n for j in n if i != j]
    return (
        np.mean([kernel(name, x[i], x[j], scales) for i, j in apart]),
        np.mean([kernel(name, x[i], y[j], scales) for i in n for j in n]),
        np.mean([kernel(name, y[i], y[j], scales) for i, j in apart]),
    )


@pytest.mark.parametrize("shape", [(6, 3), (6, 1, 3), (6, 3, 1, 1)])
@pytest.mark.parametrize(
    ("name", "scales", "known"),
    [
        ("rational_quadratic", None, (0.2, 0.5, 1.0, 2.0, 5.0)),
        ("rbf", None, (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)),
        ("rbf", [0.5, 1.0], (0.5, 1.0)),
        ("rational_quadratic", [3.0], (3.0,)),
    ],
)
def test_against_double_sums(name, scales, known, shape):
    real, fake = (torch.tensor(x).reshape(shape) for x in (REAL, FAKE))
    xx, xy, yy = means(name, REAL, FAKE, known)
    loss = MMDLoss(name, scales)
    assert loss.discriminator(real, fake).shape == (6,)
    assert loss.discriminator(real, fake).mean().item() == pytest.approx(2 * xy - xx - yy)
    assert loss.generator(fake, real).mean().item() == pytest.approx(xx - 2 * xy + yy)
    repulsive = MMDLoss(name, scales, repulsive=True)
    assert repulsive.discriminator(real, fake).mean().item() == pytest.approx(xx - yy)
    assert repulsive.generator(fake, real).mean().item() == pytest.approx(xx - 2 * xy + yy)


def test_one_logit_is_a_vector_of_one():
    real, fake = torch.randn(2, 5, dtype=torch.float64)
    loss = MMDLoss()
    torch.testing.assert_close(
        loss.generator(fake, real), loss.generator(fake[:, None], real[:, None])
    )


def test_the_mean_over_many_batches_is_the_discrepancy_of_gaussians():
    """E k of N(0, s^2) differences is (1 + s^2)^-1/2 exp(-m^2 / (2 (1 + s^2))), sigma = 1."""
    source = torch.Generator().manual_seed(0)
    real = torch.randn(4000, 4, 1, generator=source, dtype=torch.float64)
    fake = torch.randn(4000, 4, 1, generator=source, dtype=torch.float64) + 1
    loss = MMDLoss("rbf", [1.0])
    values = torch.stack([loss.generator(*pair).mean() for pair in zip(fake, real, strict=True)])
    wanted = 2 * 3**-0.5 * (1 - math.exp(-1 / 6))
    error = values.std() / math.sqrt(len(values))
    assert abs(values.mean() - wanted) < 4 * error
    assert error < 0.1 * wanted


def test_repulsion_drives_real_samples_apart_and_fakes_together():
    real = torch.tensor([[0.0], [1.0]], requires_grad=True)
    fake = torch.tensor([[0.0], [1.0]], requires_grad=True)
    value = MMDLoss("rbf", [1.0], repulsive=True).discriminator(real, fake).mean()
    of_real, of_fake = torch.autograd.grad(value, (real, fake))
    slope = math.exp(-0.5)  # of exp(-d^2 / 2) at d = 1
    torch.testing.assert_close(of_real.flatten(), torch.tensor([slope, -slope]))
    torch.testing.assert_close(of_fake.flatten(), torch.tensor([-slope, slope]))


def test_equal_samples_have_finite_gradients():
    real, fake = torch.ones(4, 2), torch.ones(4, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(MMDLoss().generator(fake, real).sum(), fake)
    assert gradient.isfinite().all()


def test_one_sample_leaves_the_middle_term():
    real, fake = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])
    value = MMDLoss("rbf", [5.0]).generator(fake, real)
    assert value.tolist() == pytest.approx([-2 * math.exp(-0.5)])


def test_autocast_does_not_round_distances():
    real, fake = torch.randn(2, 8, 4) + 100
    wanted = MMDLoss().generator(fake, real)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(MMDLoss().generator(fake, real), wanted)


def test_wrong_arguments():
    with pytest.raises(InputError, match="kernel must be 'rational_quadratic' or 'rbf', got 'rq'"):
        MMDLoss("rq")
    for scales in ([], [1.0, 0.0]):
        with pytest.raises(InputError, match="scales must be numbers above 0, got"):
            MMDLoss(scales=scales)
    with pytest.raises(InputError, match="needs real_logits in the generator's half too"):
        MMDLoss().generator(torch.zeros(2, 2))
