"""ReACGAN's cross-entropy against sums in NumPy, who trains the proxies, and what is masked."""

import numpy as np
import pytest
import torch
import toys
from torch import nn
from updates import Repeats, tensor, update

from lightning_gan.errors import InputError
from lightning_gan.regularizers.data_to_data_cross_entropy import (
    DataToDataCrossEntropyRegularizer,
)
from lightning_gan.types import Player


def bound(classes=3, dim=4, **options):
    regularizer = DataToDataCrossEntropyRegularizer(dim=dim, classes=classes, **options)
    regularizer.bind(nn.Identity(), nn.Identity())
    return regularizer


def step(player, embedding, y):
    judge = Repeats("embedding")
    return update(player, embedding, embedding, y=y, fake_y=y, discriminator=judge)


def by_loops(embedding, proxies, y, m_p, m_n, tau):
    f = embedding.double().numpy()
    f /= np.linalg.norm(f, axis=1, keepdims=True)
    v = proxies.detach().double().numpy()
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    found = []
    for i in range(len(f)):
        own = np.exp(min(f[i] @ v[y[i]] - m_p, 0) / tau)
        others = [np.exp(max(f[i] @ f[j] - m_n, 0) / tau) for j in range(len(f)) if y[j] != y[i]]
        found.append(-np.log(own / (own + sum(others))))
    return found


@pytest.mark.parametrize(("m_p", "m_n", "tau"), [(0.98, 0.02, 0.5), (0.3, -0.4, 0.25)])
def test_against_loops(m_p, m_n, tau):
    regularizer = bound(positive_margin=m_p, negative_margin=m_n, temperature=tau)
    embedding, y = torch.randn(7, 4), torch.tensor([0, 1, 2, 0, 0, 1, 0])
    expected = by_loops(embedding, regularizer.proxies, y, m_p, m_n, tau)
    for player in Player:
        found = regularizer.term(step(player, embedding.clone(), y))
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-5)


def test_samples_of_one_class_are_no_negatives():
    regularizer, y = bound(), torch.tensor([0, 0, 0])
    near = torch.randn(3, 4)
    assert regularizer.generator(step(Player.GENERATOR, near, y)).abs().max() < 1e-6


def test_samples_without_a_label_have_no_term_and_are_no_negatives():
    regularizer, y = bound(), torch.tensor([0, 1, -1, 2, -1])
    embedding, labeled = torch.randn(5, 4), y >= 0
    found = regularizer.discriminator(step(Player.DISCRIMINATOR, embedding, y))
    alone = step(Player.DISCRIMINATOR, embedding[labeled], y[labeled])
    assert torch.allclose(found[labeled], regularizer.discriminator(alone))
    assert not found[~labeled].any()


def test_margins_are_not_rounded_under_autocast():
    regularizer, y = bound(), torch.tensor([0, 1, 2, 0])
    made = step(Player.GENERATOR, torch.randn(4, 4), y)
    expected = regularizer.generator(made)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(regularizer.generator(made), expected)


def test_pairs_beyond_the_margins_get_no_gradient():
    regularizer = bound(classes=2, dim=2, positive_margin=0.9, negative_margin=0.1)
    regularizer.proxies.data = tensor([1.0, 0.0], [0.0, 1.0])
    embedding = tensor([1.0, 0.1], [-0.1, 1.0]).requires_grad_()
    judge = Repeats("embedding")
    y = torch.tensor([0, 1])
    made = update(Player.GENERATOR, embedding, embedding, fake_y=y, discriminator=judge)
    (gradient,) = torch.autograd.grad(regularizer.generator(made).sum(), embedding)
    assert gradient.abs().max() < 1e-7


def conditional(**options):
    return toys.gan(
        generator=toys.generator(num_classes=3),
        discriminator=toys.discriminator(num_classes=3, heads={"embedding": 4}),
        regularizers={"d2d": DataToDataCrossEntropyRegularizer(dim=4, **options)},
    )


def test_the_discriminator_trains_a_proxy_for_each_class_of_the_networks(tmp_path):
    module = conditional()
    proxies = module.regularizers["d2d"].proxies
    assert proxies.shape == (3, 4)
    before = proxies.detach().clone()
    toys.fit(tmp_path, module, steps=2, data=toys.loader(y=torch.arange(32) % 3))
    assert not torch.equal(before, proxies)
    for player in Player:
        assert module.latest_metrics[f"regularizer/d2d/{player.value}"] > 0


def test_micro_batches_cut_the_negatives():
    with pytest.warns(UserWarning, match="CrossEntropyRegularizer couples the samples of a batch"):
        toys.gan(
            generator=toys.generator(num_classes=3),
            discriminator=toys.discriminator(num_classes=3, heads={"embedding": 4}),
            regularizers={"d2d": DataToDataCrossEntropyRegularizer(dim=4)},
            micro_batches=2,
        )


@pytest.mark.slow
def test_embeddings_gather_around_the_proxies_of_their_class():
    torch.manual_seed(0)
    regularizer, y = bound(), torch.arange(30) % 3
    embedding = nn.Parameter(torch.randn(30, 4))
    optimizer = torch.optim.Adam([embedding, *regularizer.parameters()], lr=0.05)
    for _ in range(200):
        made = step(Player.GENERATOR, embedding, y)
        optimizer.zero_grad()
        regularizer.generator(made).mean().backward()
        optimizer.step()
    similar = nn.functional.normalize(embedding) @ nn.functional.normalize(regularizer.proxies).T
    assert (similar.argmax(1) == y).all()
    assert similar.gather(1, y[:, None]).min() > 0.9


def test_errors():
    with pytest.raises(InputError, match="dim and classes must be whole numbers from 1, got 0 and"):
        DataToDataCrossEntropyRegularizer(dim=0)
    with pytest.raises(InputError, match=r"must lie in \[-1, 1\], got 1.5 and 0.02"):
        DataToDataCrossEntropyRegularizer(positive_margin=1.5)
    with pytest.raises(InputError, match="temperature must be positive, got 0"):
        DataToDataCrossEntropyRegularizer(temperature=0)
    with pytest.raises(InputError, match="neither network has num_classes: set its classes"):
        bound(classes=None)
    with pytest.raises(InputError, match=r"must have shape \(N, 4\), got \(2, 3\): set dim of"):
        bound().generator(step(Player.GENERATOR, torch.randn(2, 3), torch.tensor([0, 1])))
    with pytest.raises(InputError, match=r"needs class labels, int64 of shape \(N,\), got none"):
        bound().generator(step(Player.GENERATOR, torch.randn(2, 4), None))
