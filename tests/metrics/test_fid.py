"""FID against torchmetrics, torch-fidelity, scipy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import _compute_fid

from lightning_gan.errors import InputError
from lightning_gan.metrics.fid import FID, frechet_distance


def features(n, dim, seed, shift=0.0):
    """Correlated features of full spectrum."""
    source = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=source)
    return torch.randn(n, dim, generator=source) @ mixing + shift


def moments(rows):
    rows = rows.double().numpy()
    mean, cov = rows.mean(axis=0), np.cov(rows, rowvar=False)
    return torch.from_numpy(mean), torch.from_numpy(np.atleast_2d(cov))


def score(real, fake):
    fid = FID(real.shape[1])
    fid.update(real, real=True)
    fid.update(fake, real=False)
    return fid.compute()


def by_singular_values(real, fake):
    """From the centered samples: the trace of the root is a nuclear norm."""
    real, fake = real.double().numpy(), fake.double().numpy()
    a = (real - real.mean(0)) / np.sqrt(len(real) - 1)
    b = (fake - fake.mean(0)) / np.sqrt(len(fake) - 1)
    trace = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    shift = ((real.mean(0) - fake.mean(0)) ** 2).sum()
    return shift + (a**2).sum() + (b**2).sum() - 2 * trace


@pytest.mark.parametrize("dim", [1, 7, 40])
def test_agrees_with_other_implementations(dim):
    real, fake = features(500, dim, seed=0), features(300, dim, seed=1, shift=0.5)
    (mean_a, cov_a), (mean_b, cov_b) = moments(real), moments(fake)
    ours = frechet_distance(mean_a, cov_a, mean_b, cov_b).item()
    theirs = _compute_fid(mean_a, cov_a, mean_b, cov_b).item()
    root = scipy.linalg.sqrtm(cov_a.numpy() @ cov_b.numpy())
    shift = (mean_a - mean_b).square().sum().item()
    formula = shift + np.trace(cov_a.numpy() + cov_b.numpy() - 2 * root.real)
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert ours == pytest.approx(formula, rel=1e-6)
    assert ours == pytest.approx(by_singular_values(real, fake), rel=1e-9)
    assert score(real, fake).item() == pytest.approx(ours, rel=1e-9)


def test_agrees_with_torch_fidelity():
    fidelity = pytest.importorskip("torch_fidelity.metric_fid")
    real, fake = features(400, 16, seed=2), features(400, 16, seed=3, shift=1.0)
    statistics = [
        {"mu": mean.numpy(), "sigma": cov.numpy()} for mean, cov in (moments(real), moments(fake))
    ]
    theirs = fidelity.fid_statistics_to_metric(*statistics, verbose=False)
    theirs = theirs["frechet_inception_distance"]
    assert score(real, fake).item() == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize(("n_real", "n_fake"), [(20, 500), (500, 20), (20, 10), (2, 2)])
def test_fewer_samples_than_dimensions(n_real, n_fake):
    real, fake = features(n_real, 60, seed=4), features(n_fake, 60, seed=5, shift=0.3)
    assert score(real, fake).item() == pytest.approx(by_singular_values(real, fake), rel=1e-9)


def test_directions_of_no_variance():
    real, fake = features(200, 6, seed=6), features(200, 6, seed=7)
    real[:, 0] = fake[:, 1] = 0.0
    real[:, 2] = fake[:, 2] = 3.0
    assert score(real, fake).item() == pytest.approx(by_singular_values(real, fake), rel=1e-9)


def test_distance_of_points_and_of_scaled_gaussians():
    zero, eye = torch.zeros(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    assert frechet_distance(zero, 0 * eye, zero + 2, 0 * eye) == 12
    assert frechet_distance(zero, 0 * eye, zero, eye) == 3
    assert frechet_distance(zero, 4 * eye, zero, 9 * eye) == pytest.approx(3)  # 3 (3 - 2)^2
    assert frechet_distance(zero + 1e8, eye, zero + 1e8, eye) == 0


def test_a_set_is_at_distance_zero_from_itself():
    real = features(300, 30, seed=8)
    distance = score(real, real.flip(0)).item()
    assert 0 <= distance < 1e-9 * moments(real)[1].trace()


def test_updates_in_pieces_and_real_statistics_kept_in_a_clone():
    real, fake = features(101, 5, seed=9), features(50, 5, seed=10)
    fid = FID(5)
    for piece in real.split(13):
        fid.update(piece, real=True)
    one, other = fid.clone(), fid.clone()
    one.update(fake[:20], real=False)
    one.update(fake[20:], real=False)
    other.update(real, real=False)
    assert one.compute().dtype == torch.float64
    assert one.compute().item() == pytest.approx(score(real, fake).item(), rel=1e-9)
    assert other.compute().item() == pytest.approx(0, abs=1e-9)


def test_half_precision_features_are_summed_in_float64():
    real, fake = features(200, 4, seed=11).half(), features(200, 4, seed=12).half()
    assert score(real, fake).item() == pytest.approx(by_singular_values(real, fake), rel=1e-9)


def test_errors():
    with pytest.raises(InputError, match="feature_dim must be at least 1, got 0"):
        FID(0)
    fid = FID(3)
    with pytest.raises(
        InputError,
        match=r"FID's real samples must be a floating-point tensor of shape \(N, D\), got "
        r"torch.uint8 of shape \(2, 3\): use .flatten\(1\).float\(\)",
    ):
        fid.update(torch.zeros(2, 3, dtype=torch.uint8), real=True)
    with pytest.raises(
        InputError, match=r"FID's fake samples must have 3 columns, got 4: use FID\(feature_dim=4\)"
    ):
        fid.update(torch.zeros(2, 4), real=False)
    fid.update(torch.randn(5, 3), real=True)
    with pytest.raises(
        InputError,
        match="FID needs at least 2 real and 2 fake samples, got 5 real and 0 fake ones: "
        "give more samples",
    ):
        fid.compute()
    fid.update(torch.tensor([[0.0, torch.nan, 0.0], [1.0, 1.0, 1.0]]), real=False)
    with pytest.raises(InputError, match="FID's fake samples must be finite, got NaN or infinity"):
        fid.compute()
