"""The Wasserstein loss, by hand."""

import torch

from lightning_gan.losses.wasserstein import WassersteinLoss

REAL = torch.tensor([[3.0, -1.0], [0.0, 2.0]])
FAKE = torch.tensor([[1.0, 1.0], [-2.0, 0.5]])


def test_both_halves():
    loss = WassersteinLoss()
    expected = torch.tensor([[-2.0, 2.0], [-2.0, -1.5]])
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), expected)
    torch.testing.assert_close(loss.generator(FAKE), -FAKE)


def test_the_mean_is_minus_the_difference_of_the_means():
    mean = WassersteinLoss().discriminator(REAL, FAKE).mean()
    torch.testing.assert_close(-mean, REAL.mean() - FAKE.mean())


def test_the_slope_never_vanishes():
    """What sets it apart from cross-entropy, whose slope does at logits such as these."""
    real, fake = (torch.tensor([x], requires_grad=True) for x in (50.0, -50.0))
    WassersteinLoss().discriminator(real, fake).sum().backward()
    assert (real.grad.item(), fake.grad.item()) == (-1.0, 1.0)
