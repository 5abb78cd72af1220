from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
import toys
from PIL import Image
from scipy.stats import norm

from lightning_gan.callbacks import LatentManifold
from lightning_gan.callbacks.pictures.latent_manifold import plane
from lightning_gan.errors import InputError


def gan(classes=None, latent_dim=2, **options):
    generator = toys.generator(num_classes=classes, latent_dim=latent_dim, **options)
    discriminator = toys.discriminator(num_classes=classes, **options)
    return toys.gan(generator=generator, discriminator=discriminator)


def names(folder):
    return sorted(path.name for path in (folder / "samples").iterdir())


def test_nodes_are_quantiles_of_the_normal_distribution():
    z = plane(15)
    axis = norm.ppf(np.linspace(0.05, 0.95, 15))
    assert z.shape == (225, 2)
    assert z.dtype == torch.float32
    np.testing.assert_allclose(z[:15, 0], axis, atol=1e-6)  # to the right
    np.testing.assert_allclose(z[:15, 1], axis[0], atol=1e-6)
    np.testing.assert_allclose(z[::15, 1], axis, atol=1e-6)  # downwards


def test_one_picture_of_an_unconditional_generator(tmp_path):
    module = gan()
    toys.fit(tmp_path, module, steps=3, callbacks=[LatentManifold(size=4, every_n_steps=2)])
    assert names(tmp_path) == [f"manifold-{step:08d}.png" for step in (0, 2, 3)]
    picture = np.asarray(Image.open(tmp_path / "samples" / names(tmp_path)[-1]))
    cell = 4 * 19 + 2  # 4 pixels, enlarged 19-fold, padding of 2
    assert picture.shape == (4 * cell + 2, 4 * cell + 2, 3)
    row, column = 1, 3
    drawn = picture[row * cell + 2 :, column * cell + 2 :][9:76:19, 9:76:19, 0]
    z = plane(4)[row * 4 + column].view(1, 2)
    expected = module.sample(1, z=z)[0, 0].add(1).mul(127.5).clamp(0, 255)
    np.testing.assert_allclose(drawn, expected.numpy(), atol=0.51)


def test_one_picture_for_each_class(tmp_path):
    module, y = gan(classes=2), torch.arange(32) % 2
    manifold = LatentManifold(size=3, every_n_steps=None)
    toys.fit(tmp_path, module, steps=2, data=toys.loader(y=y), callbacks=[manifold])
    assert names(tmp_path) == [
        f"manifold-class{k}-{step:08d}.png" for k in (0, 1) for step in (0, 2)
    ]
    zero, one = (
        np.asarray(Image.open(tmp_path / "samples" / f"manifold-class{k}-00000002.png"))
        for k in (0, 1)
    )
    assert not np.array_equal(zero, one)


def test_other_than_two_latents_are_refused(tmp_path):
    message = (
        "^LatentManifold expects a generator with two latents, got 3; set "
        "generator.latent_dim=2 or leave the manifold out$"
    )
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan(latent_dim=3), callbacks=[LatentManifold()])


@pytest.mark.parametrize("name", ["size", "every_n_steps", "every_n_rounds"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"LatentManifold: {name} must be at least 1, got 0"):
        LatentManifold(**{name: 0})


def test_samples_that_are_no_images_draw_nothing_and_say_so(tmp_path, caplog):
    module, data = gan(sample_shape=(4,)), toys.loader(toys.images(8, (4,)))
    with caplog.at_level(logging.INFO):
        toys.fit(tmp_path, module, steps=2, data=data, callbacks=[LatentManifold()])
    assert not (tmp_path / "samples").exists()
    lines = [r.getMessage() for r in caplog.records if "LatentManifold" in r.getMessage()]
    assert lines == ["LatentManifold draws nothing: samples of shape (4,) are not images"]


def test_training_is_the_same_with_and_without(tmp_path):
    def train(*callbacks):
        torch.manual_seed(0)
        module = gan()
        toys.fit(tmp_path, module, steps=3, callbacks=list(callbacks))
        return toys.weights(module.generator)

    assert toys.same(train(), train(LatentManifold(size=3, every_n_steps=1)))
