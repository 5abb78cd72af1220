"""The optimal discriminator beside the trained one, and the divergence that both tell of."""

from __future__ import annotations

import csv
import math
import re

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import toys
from PIL import Image
from pytorch_lightning.loggers import CSVLogger
from torch import nn

from lightning_gan import DiscriminatorOutput
from lightning_gan.callbacks.pictures.mixture import MixturePicture, draw
from lightning_gan.callbacks.pictures.mixture_scores import (
    count_cells,
    coverage,
    jensen_shannon,
    score_mixture,
)
from lightning_gan.data import Digits, Mixture, MixtureGrid, MixtureRing
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.generators.mlp import MLPGenerator


class FromMixture(Generator):
    """Turns normal latents (N, 3) into points of a mixture: its third entry chooses the mode."""

    def __init__(self, modes, std):
        super().__init__()
        self.latent_dim, self.sample_shape, self.num_classes = 3, (2,), None
        self.modes, self.std = torch.tensor(modes), std
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, z, y=None):
        place = torch.special.ndtr(z[:, 2]).mul(len(self.modes)).long()
        return self.modes[place.clamp(max=len(self.modes) - 1)] + self.std * z[:, :2]


class Exact(Discriminator):
    """The logit of D* for two known mixtures, in pairs as a patch discriminator has them."""

    def __init__(self, real, fake):
        super().__init__()
        self.sample_shape, self.num_classes, self.real, self.fake = (2,), None, real, fake
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x, y=None):
        logits = self.real.log_density(x) - self.fake.log_density(x)
        return DiscriminatorOutput(torch.stack([logits - 1, logits + 1], dim=1))


def edges(cells=80):
    return torch.linspace(-1, 1, cells + 1, dtype=torch.float64)


def sample(data, n=50_000, seed=0):
    return data.sample(n, torch.Generator().manual_seed(seed))[0]


def divergence(data, samples, cells=80):
    return jensen_shannon(*count_cells(data, edges(cells), samples))


def exact_divergence(p, q):
    """The integral by midpoints, a twentieth of the default cell apart."""
    fine = edges(1600)
    middle = (fine[1:] + fine[:-1]) / 2
    points = torch.stack(torch.meshgrid(middle, middle, indexing="xy"), dim=2)
    log_p, log_q = p.log_density(points), q.log_density(points)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    integrand = log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)
    return 0.5 * integrand.sum().item() * (2 / 1600) ** 2


@pytest.mark.parametrize("data", [MixtureRing(), MixtureGrid()], ids=["ring", "grid"])
def test_the_divergence_of_the_data_from_themselves_is_near_zero(data):
    found = [divergence(data, sample(data, seed=seed)) for seed in range(3)]
    assert max(found) < 0.002
    without_correction = []
    for seed in range(3):
        masses, counts = count_cells(data, edges(), sample(data, seed=seed))
        q = counts / counts.sum()
        m = (masses + q) / 2
        terms = [x[x > 0] * (x[x > 0] / m[x > 0]).log() for x in (masses, q)]
        without_correction.append(sum(term.sum() for term in terms) / 2)
    assert max(found) < 0.5 * min(without_correction)


def test_the_divergence_of_distributions_without_overlap_is_ln_2():
    left, right = Mixture([[-0.5, 0.0]], std=0.05), Mixture([[0.5, 0.0]], std=0.05)
    assert divergence(left, sample(right)) == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize(
    "fake",
    [
        Mixture([[0.05, 0.0]], std=0.05),  # a shift by one standard deviation
        Mixture([[0.0, 0.0]], std=0.1),  # twice as wide
        Mixture([[0.0, 0.0], [0.4, 0.4]], std=0.05),  # half of it elsewhere
    ],
    ids=["shift", "width", "mode"],
)
def test_the_divergence_of_gaussians_is_its_integral(fake):
    real = Mixture([[0.0, 0.0]], std=0.05)
    expected = exact_divergence(real, fake)
    assert 0.1 < expected < 0.3
    assert divergence(real, sample(fake)) == pytest.approx(expected, abs=0.005)


def test_a_missing_mode_of_two_costs_what_the_formula_says():
    both, one = Mixture([[-0.5, 0.0], [0.5, 0.0]], std=0.05), Mixture([[0.5, 0.0]], std=0.05)
    # p is 1/2 on either mode and q is 1 on the one.
    expected = 0.5 * (0.5 * math.log(2) + 0.5 * math.log(0.5 / 0.75) + math.log(1 / 0.75))
    assert divergence(both, sample(one)) == pytest.approx(expected, abs=0.002)


def test_samples_outside_and_not_finite_count_as_no_data():
    data = MixtureRing()
    points = sample(data, n=4000)
    points[:1000], points[1000:2000] = 5.0, math.nan
    masses, counts = count_cells(data, edges(), points)
    assert counts[-1] == 2000
    assert masses.sum().item() == pytest.approx(1)
    assert divergence(data, points) > 0.15
    assert coverage(points, data.modes, data.std)[1] == pytest.approx(0.989 / 2, abs=0.01)


def test_coverage_counts_good_samples_and_the_modes_they_are_nearest_to():
    modes = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]])
    fake = torch.tensor([[0.0, 0.2], [0.1, 0.1], [0.5, 0.31], [0.45, 0.1], [0.9, 0.9]])
    assert coverage(fake, modes, std=0.1) == (2, 0.6, 0.0)
    assert coverage(fake[:4], modes[:2], std=0.1) == (2, 0.75, pytest.approx(2 / 3))
    assert coverage(fake + 9, modes, std=0.1) == (0, 0.0, 0.0)


def test_high_quality_of_the_data_is_that_of_a_gaussian():
    data = MixtureGrid()
    covered, good, rarest = coverage(sample(data), data.modes, data.std)
    assert (covered, good) == (25, pytest.approx(1 - math.exp(-4.5), abs=0.002))
    assert 0.9 < rarest < 1


REAL = Mixture([[-0.4, 0.0], [0.4, 0.0]], std=0.1)
FAKE = Mixture([[0.4, 0.0]], std=0.1)


def compared(n=20_000, **parts):
    parts.setdefault("generator", FromMixture([[0.4, 0.0]], 0.1))
    parts.setdefault("discriminator", Exact(REAL, FAKE))
    return score_mixture(toys.gan(**parts), REAL, n, resolution=40, seed=0)


def test_both_panels_agree_where_the_discriminator_is_optimal():
    found = compared()
    there = found.optimal.isfinite()
    assert there.double().mean() > 0.1
    # A patch's mean of logits is D's logit.
    assert (found.optimal - found.trained)[there].abs().mean() < 0.04
    assert found.optimal[20, 8] > 0.99  # data alone, on the left
    assert found.optimal[20, 28].item() == pytest.approx(
        1 / 3, abs=0.05
    )  # rows are the second axis


def test_the_optimal_discriminator_proves_the_whole_divergence():
    scores = compared().scores
    expected = exact_divergence(REAL, FAKE)
    assert scores["mixture/jsd"] == pytest.approx(expected, abs=0.005)
    assert scores["mixture/jsd_by_discriminator"] == pytest.approx(expected, abs=0.02)


def test_any_other_discriminator_proves_less():
    blind = MLPDiscriminator((2,), hidden=(4,), dropout=0.0)
    nn.init.zeros_(blind.head.weight)
    nn.init.zeros_(blind.head.bias)
    found = compared(discriminator=blind)
    assert found.trained.unique().tolist() == [0.5]
    assert found.scores["mixture/jsd_by_discriminator"] == pytest.approx(0, abs=1e-6)
    assert found.scores["mixture/jsd"] > 0.1


def test_the_real_points_are_other_ones_than_those_of_training():
    data = MixtureRing(n=100, seed=0)
    training = data.sample(100, torch.Generator().manual_seed(0))[0]
    found = score_mixture(gan(), data, 100, 10, seed=0)
    assert torch.cdist(found.real, training).min() > 1e-6


def test_one_half_everywhere_when_the_generator_has_learned_the_data():
    found = compared(generator=FromMixture([[-0.4, 0.0], [0.4, 0.0]], 0.1))
    assert found.optimal.nanmean().item() == pytest.approx(0.5, abs=0.02)
    assert found.optimal[20, 8].item() == pytest.approx(0.5, abs=0.05)
    assert found.scores["mixture/jsd"] < 0.002
    assert found.scores["mixture/modes_covered"] == 2
    assert found.scores["mixture/spread"] == pytest.approx(1, abs=0.02)


def test_modes_that_are_too_narrow_are_seen_by_their_spread():
    scores = compared(generator=FromMixture([[-0.4, 0.0], [0.4, 0.0]], 0.05)).scores
    assert scores["mixture/high_quality"] > 0.999
    # Of half the width nothing lies beyond three sigma, of the data 1.1 % do.
    assert scores["mixture/spread"] == pytest.approx(0.5 / 0.9744, abs=0.02)


def test_a_spread_that_nobody_knows_is_not_logged(tmp_path):
    far = gan()
    with torch.no_grad():
        far.generator.layers[-2].bias.fill_(0.0)
        far.generator.layers[-2].weight.fill_(0.0)  # one point, amid the ring
    run = train(tmp_path, quick(every_n_steps=None), module=far, max_steps=1)
    assert run.callback_metrics["mixture/high_quality"] == 0
    assert "mixture/spread" not in run.callback_metrics


def test_the_generator_is_the_trained_one_and_its_mode_is_put_back():
    gan = toys.gan(
        generator=MLPGenerator((2,), latent_dim=2, hidden=(4,)),
        discriminator=MLPDiscriminator((2,), hidden=(4,), dropout=0.5),
    )
    gan.train()
    before = torch.get_rng_state()
    first, second = (score_mixture(gan, REAL, 500, 10, seed=0) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(layer.training for layer in gan.discriminator.modules())
    assert torch.equal(first.trained, second.trained)  # no dropout
    source = torch.Generator().manual_seed(0)
    z = torch.cat([torch.randn(256, 2, generator=source) for _ in range(2)])[:500]
    assert torch.allclose(first.fake, gan.generator(z).double())


def picture(values, fake=None):
    scores = {
        "mixture/jsd": 0.25,
        "mixture/jsd_by_discriminator": 0.1,
        "mixture/modes_covered": 100.0,
        "mixture/high_quality": 0.5,
        "mixture/rarest_mode": 0.04,
        "mixture/spread": 0.7,
    }
    found = compared(n=2000)
    changed = {"optimal": values, "trained": values, "scores": scores}
    if fake is not None:
        changed["fake"] = fake
    return draw(type(found)(**{**vars(found), **changed}), REAL, step=36_000)


def test_picture_shows_high_values_blue_low_ones_red_and_unknown_ones_gray():
    values = torch.full((40, 40), math.nan)
    values[:20], values[20:30] = 0.0, 1.0
    pixels = picture(values)
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (3, 560, 1100)
    for column in (80, 570):  # the left edges of both panels
        below, above, unknown = (pixels[:, row, column].tolist() for row in (460, 240, 120))
        assert below[0] > below[2] + 50
        assert above[2] > above[0] + 50
        assert unknown == [217, 217, 217]


def test_a_diverged_generator_is_drawn():
    pixels = picture(torch.full((40, 40), math.nan), fake=torch.full((600, 2), math.nan))
    assert pixels.float().std() > 5


@pytest.fixture
def titles(monkeypatch):
    """What the figures say above the panels."""
    from lightning_gan.callbacks.pictures import mixture

    said, pixels = [], mixture.figure_pixels

    def keep(figure):
        axes = figure.axes[:2]
        said.append((figure.get_suptitle(), *(each.get_title() for each in axes)))
        made = pixels(figure)
        extents = [text.get_window_extent() for text in figure.texts]
        assert extents, "no title"
        assert all(box.x0 >= 0 and box.x1 <= made.shape[2] for box in extents), "cut off"
        return made

    monkeypatch.setattr(mixture, "figure_pixels", keep)
    return said


def test_titles(titles):
    picture(torch.zeros(40, 40))
    above, left, right = titles[0]
    assert re.split(r"    |\n", above) == [
        "step 36,000",
        "Jensen-Shannon divergence 0.250 nats (36% of ln 2)",
        "modes 100 of 2, the rarest at 4%",
        "high quality 50%, spread 0.70",
    ]
    assert left == "optimal  $D^*(x) = p_{data} / (p_{data} + p_G)$"
    assert right == r"trained  $D(x)$: divergence $\geq$ 0.100 nats"


def gan(**networks):
    return toys.gan(
        generator=MLPGenerator((2,), latent_dim=2, hidden=(4,)),
        discriminator=MLPDiscriminator((2,), hidden=(4,), dropout=0.0, **networks),
    )


def train(tmp_path, *callbacks, module=None, data=None, **options):
    run = toys.trainer(tmp_path, callbacks=list(callbacks), **{"max_steps": 3, **options})
    run.fit(
        gan() if module is None else module,
        MixtureRing(n=40, batch_size=8) if data is None else data,
    )
    return run


def quick(**arguments):
    return MixturePicture(**{"every_n_steps": 2, "n": 500, "resolution": 10, **arguments})


def test_a_run_leaves_pictures_and_scores(tmp_path):
    logger = CSVLogger(tmp_path, name=None, version="")
    run = train(tmp_path, quick(), logger=logger)
    pictures = sorted((tmp_path / "samples").iterdir())
    assert [path.name for path in pictures] == [f"mixture-{step:08d}.png" for step in (0, 2, 3)]
    images = [np.asarray(Image.open(path)) for path in pictures]
    assert images[0].shape == (560, 1100, 3)
    assert not np.array_equal(images[0], images[-1])
    with open(tmp_path / "metrics.csv") as lines:
        rows = [row for row in csv.DictReader(lines) if row["mixture/jsd"]]
    assert [int(row["step"]) for row in rows] == [0, 1, 2]
    for name in ("jsd", "jsd_by_discriminator", "modes_covered", "high_quality", "rarest_mode"):
        key = f"mixture/{name}"
        assert float(rows[-1][key]) == pytest.approx(float(run.callback_metrics[key]))
    assert 0 < float(rows[0]["mixture/jsd"]) <= math.log(2)


def test_the_pictures_do_not_change_training(tmp_path):
    modules = []
    for callbacks in ([], [quick(every_n_steps=1)]):
        torch.manual_seed(0)
        modules.append(gan())
        train(tmp_path, *callbacks, module=modules[-1])
    without, drawn = (toys.weights(module.generator) for module in modules)
    assert toys.same(without, drawn)


def test_data_of_unknown_density_are_refused_at_the_start(tmp_path):
    message = (
        r"MixturePicture expects data of known density \(lightning_gan.data.MixtureRing, "
        r"MixtureGrid or Mixture\), got {}; train on one of these or leave this callback out"
    )
    with pytest.raises(InputError, match=message.format("Digits")):
        train(tmp_path, quick(), data=Digits())
    with pytest.raises(InputError, match=message.format("loaders")):
        train(tmp_path, quick(), data=toys.loader(torch.zeros(8, 2)))


def test_a_discriminator_with_classes_is_refused_at_the_start(tmp_path):
    data = MixtureRing(n=40, batch_size=8, labels=True)
    with pytest.raises(
        InputError,
        match="expects a discriminator without classes, got num_classes=8; leave the labels",
    ):
        train(tmp_path, quick(), module=gan(num_classes=8), data=data)


def test_another_module_is_refused_at_the_start(tmp_path):
    class Other(pl.LightningModule):
        def validation_step(self, batch, batch_idx):
            raise AssertionError("validation has begun")

        def training_step(self, batch, batch_idx):
            raise AssertionError("training has begun")

        def configure_optimizers(self):
            return None

    with pytest.raises(InputError, match="expects a GANModule, got Other; leave this callback out"):
        train(tmp_path, quick(), module=Other())


@pytest.mark.parametrize("name", ["every_n_steps", "every_n_epochs", "n", "resolution"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"MixturePicture: {name} must be at least 1, got 0"):
        MixturePicture(**{name: 0})
