"""InfoGAN's term against likelihoods in SciPy, and that Q learns to read the codes."""

import numpy as np
import pytest
import torch
import toys
from scipy.stats import norm
from torch import nn
from updates import Repeats, update

from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.game.game import Game
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.priors.codes import CodesPrior
from lightning_gan.regularizers.mutual_information import MutualInformationRegularizer
from lightning_gan.types import Player

N = 5


def step(said, z, player=Player.GENERATOR):
    return update(player, said, said, z=z, discriminator=Repeats("codes"))


def latents(discrete, continuous, size):
    prior = CodesPrior(discrete, continuous)
    return prior.sample(N, size, generator=torch.Generator().manual_seed(0), device="cpu")


@pytest.mark.parametrize("learned", [False, True])
def test_the_log_likelihood_of_the_codes(learned):
    z, said = latents([3, 2], 2, 11), torch.randn(N, 9 if learned else 7)
    regularizer = MutualInformationRegularizer(
        discrete=[3, 2], continuous=2, continuous_weight=0.5, learned_std=learned
    )
    found = regularizer.generator(step(said, z))
    q, c = said.double().numpy(), z.double().numpy()[:, 4:]
    surprise = 0
    for start, end in ((0, 3), (3, 5)):
        p = np.exp(q[:, start:end]) / np.exp(q[:, start:end]).sum(1, keepdims=True)
        surprise -= np.log((p * c[:, start:end]).sum(1))
    np.testing.assert_allclose(found["discrete"].numpy(), surprise, rtol=1e-5)
    std = np.exp(q[:, 7:9]) if learned else 1.0
    surprise = -0.5 * norm.logpdf(c[:, 5:7], q[:, 5:7], std).sum(1)
    np.testing.assert_allclose(found["continuous"].numpy(), surprise, rtol=1e-5)
    again = regularizer.discriminator(step(said, z, Player.DISCRIMINATOR))
    assert torch.equal(again["discrete"], found["discrete"])


def test_codes_of_one_kind():
    only = MutualInformationRegularizer(discrete=[], continuous=3)
    assert only.generator(step(torch.randn(N, 3), latents([], 3, 3))).keys() == {"continuous"}
    only = MutualInformationRegularizer(discrete=[4], continuous=0)
    assert only.generator(step(torch.randn(N, 4), latents([4], 0, 6))).keys() == {"discrete"}


@pytest.mark.slow
def test_q_recovers_a_code_that_chooses_the_mode():
    """Four modes, one code of four values: each value ends with a mode, and Q knows which."""
    torch.manual_seed(1)
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) * 0.7
    adam = lambda parameters: torch.optim.Adam(parameters, lr=2e-3, betas=(0.5, 0.99))  # noqa: E731
    gan = toys.gan(
        generator=MLPGenerator((2,), 6, hidden=(32, 32)),
        discriminator=MLPDiscriminator((2,), hidden=(32, 32), dropout=0.0, heads={"codes": 4}),
        prior=CodesPrior([4], 0),
        regularizers={"codes": MutualInformationRegularizer(discrete=[4], continuous=0)},
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    )
    game = Game(gan)
    for _ in range(300):
        modes = torch.randint(4, (64,))
        readings = game.play(corners[modes] + 0.05 * torch.randn(64, 2))
    assert set(readings.generator.terms) == {"codes/generator/discrete"}
    z = gan.prior.sample(400, 6, generator=None, device="cpu")
    with torch.no_grad():
        fake = gan.generator(z)
        read = gan.discriminator(fake).extra["codes"].argmax(1)
    code = z[:, 2:].argmax(1)
    assert (read == code).float().mean() > 0.95
    nearest = torch.cdist(fake, corners).argmin(1)
    table = torch.zeros(4, 4).index_put_((code, nearest), torch.ones(400), accumulate=True)
    assert set(table.argmax(1).tolist()) == {0, 1, 2, 3}
    assert table.max(1).values.sum() > 0.95 * 400


def test_latents_without_codes_are_found_at_the_first_update():
    regularizer = MutualInformationRegularizer(discrete=[3], continuous=0)
    text = "finds others there: choose prior=codes, with the same discrete and continuous"
    for z in (torch.randn(N, 5), torch.zeros(N, 5), torch.ones(N, 5)):
        with pytest.raises(InputError, match=text):
            regularizer.generator(step(torch.randn(N, 3), z))


def test_errors():
    with pytest.raises(InputError, match=r"discrete must be whole numbers from 2, got \[1\]"):
        MutualInformationRegularizer(discrete=[1])
    with pytest.raises(InputError, match="continuous must be a whole number from 0, got -1"):
        MutualInformationRegularizer(continuous=-1)
    with pytest.raises(InputError, match="needs codes: set discrete, continuous or both"):
        MutualInformationRegularizer(discrete=[], continuous=0)
    text = r"codes of the discriminator must have shape \(N, 12\) .*here \(5, 12\), got \(5, 3\)"
    with pytest.raises(InputError, match=text):
        MutualInformationRegularizer().generator(step(torch.randn(N, 3), latents([10], 2, 14)))
    with pytest.raises(InputError, match="reads 12 numbers .* the generator has latent_dim 3"):
        MutualInformationRegularizer().bind(toys.generator(), nn.Identity())
    with pytest.raises(InputError, match="needs 'codes', which neither .* provides"):
        toys.gan(regularizers={"info": MutualInformationRegularizer()})
