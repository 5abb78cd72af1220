"""The distance of samples of two latents against numbers by hand, and that samples move apart."""

import numpy as np
import pytest
import torch
import toys
from torch import nn
from updates import tensor, update

from lightning_gan.errors import InputError
from lightning_gan.regularizers.diversity_sensitive import DiversitySensitiveRegularizer
from lightning_gan.types import Player

Z, OTHER = tensor([0.0, 2.0], [1.0, 1.0]), tensor([1.0, 0.0], [1.0, 2.0])
LATENTS = np.array([1.5, 0.5])  # mean absolute differences


class Scaled(nn.Module):
    """G(z, y) = (y + 1) z, three times side by side."""

    def forward(self, z, y=None):
        return ((y[:, None] + 1) * z).repeat(1, 3)


def term(**options):
    y = torch.tensor([0, 3])
    fake = Scaled()(Z, y).requires_grad_()
    step = update(
        Player.GENERATOR,
        fake.detach(),
        fake,
        fake_y=y,
        z=Z,
        generator=Scaled(),
        draw_latents=lambda n: OTHER[:n],
    )
    return DiversitySensitiveRegularizer(**options).generator(step)


def test_ratios_of_each_pair_up_to_the_bound():
    torch.testing.assert_close(term(), torch.tensor([-1.0, -4.0]))
    torch.testing.assert_close(term(bound=2.5), torch.tensor([-1.0, -2.5]))


def test_the_inverse_of_the_batch():
    samples = np.array([1.0, 4.0]) * LATENTS
    expected = 1 / (samples.mean() / LATENTS.mean() + 0.5)
    assert term(form="inverse", epsilon=0.5).item() == pytest.approx(expected)
    assert DiversitySensitiveRegularizer(form="inverse").couples_samples


def test_equal_latents_make_no_nan():
    step = update(
        Player.GENERATOR, Z, Z.clone(), z=Z, generator=nn.Identity(), draw_latents=lambda n: Z
    )
    assert DiversitySensitiveRegularizer().generator(step).abs().sum() == 0


@pytest.mark.parametrize("form", ["clipped", "inverse"])
def test_training_moves_samples_apart(tmp_path, form):
    torch.manual_seed(0)
    module = toys.gan(
        regularizers={"diverse": DiversitySensitiveRegularizer(form=form)},
        generator_weight=0.0,
        generator_optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    )

    def spread():
        return module.sample(64, seed=0).std(0).mean().item()

    before = spread()
    toys.fit(tmp_path, module, steps=30)
    assert spread() > 1.5 * before


def test_errors():
    with pytest.raises(InputError, match="form must be 'clipped' or 'inverse', got 'log'"):
        DiversitySensitiveRegularizer(form="log")
    with pytest.raises(InputError, match="bound and epsilon must be positive, got 0 and 1e-05"):
        DiversitySensitiveRegularizer(bound=0)
    generator = toys.generator(latent_dim=0, num_classes=3)
    with pytest.raises(InputError, match="two latents, and the generator has latent_dim 0"):
        toys.gan(generator=generator, regularizers={"d": DiversitySensitiveRegularizer()})
