from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import toys
from PIL import Image

from lightning_gan.callbacks import Interpolation
from lightning_gan.callbacks.pictures.interpolation import slerp
from lightning_gan.errors import InputError


def white(low, high, value):
    """The code of White (2016) as its formula says it, in NumPy."""
    cosine = np.dot(low / np.linalg.norm(low), high / np.linalg.norm(high))
    omega = np.arccos(np.clip(cosine, -1, 1))
    return (
        np.sin((1 - value) * omega) / np.sin(omega) * low
        + np.sin(value * omega) / np.sin(omega) * high
    )


def test_slerp_is_the_formula_of_the_paper():
    a, b = torch.randn(2, 5, 7, dtype=torch.float64)
    t = torch.linspace(0, 1, 4, dtype=torch.float64)
    way = slerp(a, b, t)
    assert way.shape == (5, 4, 7)
    for row in range(5):
        for place in range(4):
            expected = white(a[row].numpy(), b[row].numpy(), t[place].item())
            np.testing.assert_allclose(way[row, place], expected, atol=1e-12)


def test_both_ends_are_the_latents_and_lengths_lie_between():
    a, b = torch.randn(2, 6, 50)
    way = slerp(a, b, torch.linspace(0, 1, 9))
    torch.testing.assert_close(way[:, 0], a)
    torch.testing.assert_close(way[:, -1], b)
    b = b / b.norm(dim=1, keepdim=True) * a.norm(dim=1, keepdim=True)
    lengths = slerp(a, b, torch.linspace(0, 1, 9)).norm(dim=2)
    torch.testing.assert_close(lengths, a.norm(dim=1, keepdim=True).expand(-1, 9))


def test_parallel_and_zero_vectors_are_joined_by_a_straight_line():
    a = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [0.0, 0.0]])
    b = torch.tensor([[1.0, 2.0], [3.0, 6.0], [-1.0, -2.0], [0.0, 0.0]])
    way = slerp(a, b, torch.tensor([0.0, 0.25, 1.0]))
    torch.testing.assert_close(way, torch.stack([a, a * 0.75 + b * 0.25, b], dim=1))


def test_a_quarter_circle_turns_evenly():
    t = torch.linspace(0, 1, 4)
    way = slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), t)[0]
    angles = torch.atan2(way[:, 1], way[:, 0])
    torch.testing.assert_close(angles, t * math.pi / 2)


def test_rows_are_classes_and_the_ends_are_latents_of_the_prior(tmp_path, monkeypatch):
    module = toys.gan(
        generator=toys.generator(num_classes=2), discriminator=toys.discriminator(num_classes=2)
    )
    given, sample = [], module.sample

    def recording(n, labels=None, seed=None, z=None):
        given.append((labels, z))
        return sample(n, labels=labels, seed=seed, z=z)

    monkeypatch.setattr(module, "sample", recording)
    data = toys.loader(y=torch.arange(32) % 2)
    callback = Interpolation(rows=3, columns=4, seed=1, every_n_steps=None)
    toys.fit(tmp_path, module, steps=1, data=data, callbacks=[callback])
    (labels, z), (_, again) = given
    assert labels.tolist() == [0] * 4 + [1] * 4 + [0] * 4
    latents = torch.randn(256, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(z[0::4], latents[:3])
    torch.testing.assert_close(z[3::4], latents[3:6])
    assert torch.equal(z, again)
    files = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert files == [f"interpolation-{step:08d}.png" for step in (0, 1)]
    picture = np.asarray(Image.open(tmp_path / "samples" / files[0]))
    assert picture.shape == (3 * 78 + 2, 4 * 78 + 2, 3)


def test_unconditional(tmp_path):
    toys.fit(tmp_path, toys.gan(), steps=1, callbacks=[Interpolation()])
    assert (tmp_path / "samples" / "interpolation-00000001.png").exists()


def test_no_latents_are_refused(fake_gan, fit):
    class Determined(fake_gan):
        prior = None

        def sample(self, n, labels=None, seed=None, z=None):
            return super().sample(n, labels, seed)

    gan = Determined()
    gan.generator.latent_dim = 0
    message = "^Interpolation expects a generator with latents, got latent_dim=0; leave this callb"
    with pytest.raises(InputError, match=message):
        fit(gan, Interpolation())


@pytest.mark.parametrize("name", ["rows", "columns", "every_n_epochs"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"Interpolation: {name} must be at least 1, got 0"):
        Interpolation(**{name: 0})
