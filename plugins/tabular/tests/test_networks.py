"""The networks and the terms, against closed forms and the checks of lightning-gan."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.nn.functional import cross_entropy, one_hot

from lightning_gan import (
    DiscriminatorOutput,
    InputError,
    create_discriminator,
    create_generator,
    create_regularizer,
)
from lightning_gan.testing import check_component

SMALL = {"noise_dim": 4, "hidden": [8]}


@pytest.fixture(scope="module")
def networks(table):
    return (
        create_generator("tabular", table=table.description, **SMALL),
        create_discriminator("tabular", table=table.description, packing=2, hidden=[8]),
    )


@pytest.fixture(scope="module")
def y(table):
    return one_hot(torch.tensor([0, 1, 3, 4]), table.layout.condition).float()


def test_they_keep_their_contracts(table, networks, y):
    arguments = {"table": table.description, **SMALL}
    check_component("generator", "tabular", arguments=arguments, y=y)
    arguments = {"table": table.description, "packing": 2, "hidden": [8]}
    check_component("discriminator", "tabular", arguments=arguments, y=y)
    for name in ("pack_gradient_penalty", "condition_cross_entropy"):
        check_component("regularizer", name, networks=networks, y=y)


def test_a_table_without_categories_has_no_conditions(frame):
    from lightning_gan_tabular import Table

    description = Table.of(frame[["income", "height"]], modes=2).description
    generator = create_generator("tabular", table=description, **SMALL)
    discriminator = create_discriminator("tabular", table=description, packing=2, hidden=[8])
    assert generator.latent_dim == 4 + sum(generator.layout.blocks)
    output = generator(torch.randn(4, generator.latent_dim))
    assert discriminator(output.samples).shape == (2,)
    for name in ("pack_gradient_penalty", "condition_cross_entropy"):
        check_component("regularizer", name, networks=(generator, discriminator))


def test_rows_are_scalars_and_shares(networks, y):
    generator = networks[0].eval()
    layout = generator.layout
    rows = generator(torch.randn(4, generator.latent_dim), y).samples
    scalars, *blocks = rows.split([layout.scalars, *layout.blocks], dim=1)
    assert scalars.abs().max() <= 1
    for block in blocks:
        torch.testing.assert_close(block.sum(1), torch.ones(4))


def test_gumbel_noise_is_a_function_of_the_latent():
    """The same as by its quantile function; and of the known mean, Euler's constant."""
    from lightning_gan_tabular.networks import gumbel

    z = torch.linspace(-5, 5, 11, dtype=torch.float64)
    expected = -np.log(-norm.logcdf(z.numpy()))
    np.testing.assert_allclose(gumbel(z).numpy(), expected, rtol=1e-9)
    drawn = gumbel(torch.randn(20_000))
    assert drawn.isfinite().all()
    assert drawn.mean().item() == pytest.approx(0.5772, abs=0.03)


def test_the_latent_chooses_conditions_as_often_as_the_table_has_them(networks):
    generator = networks[0]
    chosen = generator._chosen(torch.randn(20_000)).float().mean(0)
    expected = torch.tensor(generator.layout.shares) / len(generator.layout.categories)
    torch.testing.assert_close(chosen, expected, atol=0.015, rtol=0)
    z = torch.randn(4, generator.latent_dim)
    y = generator._chosen(z[:, generator.noise_dim]).float()
    torch.testing.assert_close(generator.eval()(z).samples, generator(z, y).samples)


def test_packs_are_neighbors(networks, y):
    discriminator = networks[1].eval()
    x = torch.randn(4, discriminator.layout.size)
    logits = discriminator(x, y)
    assert logits.shape == (2,)
    swapped = [2, 3, 0, 1]
    torch.testing.assert_close(discriminator(x[swapped], y[swapped]), logits.flip(0))
    # A pack that is not full is filled with the first rows.
    filled = [0, 1, 2, 0]
    torch.testing.assert_close(discriminator(x[:3], y[:3]), discriminator(x[filled], y[filled]))


def test_networks_say_what_they_lack(table, networks):
    for create in (create_generator, create_discriminator):
        with pytest.raises(InputError, match="built from the description of a table"):
            create("tabular")
        with pytest.raises(InputError, match="no description of a table"):
            create("tabular", table={"columns": [{"kind": "number"}]})
    z = torch.randn(4, networks[0].latent_dim)
    with pytest.raises(InputError, match=r"conditions of shape \(N, 5\)"):
        networks[0](z, torch.zeros(4, 2))
    with pytest.raises(InputError, match="got None"):
        networks[1](torch.zeros(4, table.layout.size))


class Linear(torch.nn.Module):
    """D(pack) = w . rows: its slope is known."""

    packing = 2

    def __init__(self, slope):
        super().__init__()
        self.slope = slope


class Step:
    """What the penalty asks of an update."""

    def __init__(self, real, fake, slope):
        self.real, self.fake, self.y = real, fake, None
        self.discriminator = Linear(slope)

    def discriminate(self, x, y):
        packs = (x * self.discriminator.slope).sum(1).reshape(-1, 2).sum(1)
        return DiscriminatorOutput(packs)


def test_the_penalty_takes_the_norm_of_a_pack():
    penalty = create_regularizer("pack_gradient_penalty")
    slope = torch.tensor([3.0, 4.0])
    term = penalty.discriminator(Step(torch.randn(4, 2), torch.randn(4, 2), slope))
    expected = (2**0.5 * 5 - 1) ** 2  # two rows, a slope of 5 each
    torch.testing.assert_close(term, torch.tensor(expected))


def test_the_cross_entropy_is_that_of_the_conditioned_column(networks, y):
    term = create_regularizer("condition_cross_entropy")
    term.bind(*networks)
    logits = torch.randn(4, 5)

    output = SimpleNamespace(extra={"condition_logits": logits})
    found = term.generator(SimpleNamespace(generator_output=output, fake_y=y))
    city, member = logits[:, :3], logits[:, 3:]
    for row, (part, value) in enumerate([(city, 0), (city, 1), (member, 0), (member, 1)]):
        expected = cross_entropy(part[row], torch.tensor(value))
        torch.testing.assert_close(found[row], expected)
    with pytest.raises(InputError, match="needs the generator 'tabular'"):
        term.bind(torch.nn.Linear(1, 1), networks[1])
