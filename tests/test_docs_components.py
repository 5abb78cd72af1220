"""What docs/components.md shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import toys
import yaml
from torch import nn

from lightning_gan import (
    Discriminator,
    DiscriminatorOutput,
    Game,
    GeneratorOutput,
    Regularizer,
    create_discriminator,
    create_generator,
    create_prior,
    create_regularizer,
    create_schedule,
)
from lightning_gan.losses.non_saturating import NonSaturatingLoss

PAGE = (Path(__file__).parents[1] / "docs" / "components.md").read_text()


@pytest.fixture(scope="module")
def shown():
    names = {"__name__": "shown"}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S):
        exec(block, names)
    return names


class Patches(Discriminator):
    """Four patches, features of two layers, in two heads."""

    sample_shape = toys.SHAPE

    def __init__(self, heads: int = 2):
        super().__init__()
        self.heads = nn.ModuleList(nn.Conv2d(1, 1, 2, stride=2) for _ in range(heads))

    def forward(self, x, y=None):
        logits = [head(x) for head in self.heads]
        features = [[each, each * 2] for each in logits]
        return DiscriminatorOutput(logits if len(logits) > 1 else logits[0], features=features)


class Coded(nn.Module):
    """The generator of the tests, with a by-product."""

    def __init__(self):
        super().__init__()
        self.net = toys.generator()
        self.latent_dim, self.sample_shape = self.net.latent_dim, self.net.sample_shape

    def forward(self, z, y=None):
        samples = self.net(z)
        return GeneratorOutput(samples, {"codebook": samples.square().mean()})


def test_the_masked_loss(shown):
    game = Game(toys.gan(discriminator=Patches(1), loss=shown["MaskedLoss"]()))
    mask = torch.zeros(4, 1, 2, 2)
    mask[:, :, 0] = 1.0
    readings = game.play(toys.images(4), extra={"mask": mask})
    assert readings.discriminator.reports["loss/covered"] == 0.5
    assert game.progress.generator_steps == 1


def test_the_image_pool(shown):
    pool = shown["ImagePool"](size=6)
    game = Game(toys.gan(regularizers={"pool": pool}))
    for _ in range(3):
        game.play(toys.images(4))
    assert pool.held >= 6
    assert pool.pool.flatten(1).any(1).all()


def test_lists_and_by_products(shown):
    terms = {"matching": shown["FeatureMatching"](), "codes": shown["Codebook"]()}
    gan = toys.gan(generator=Coded(), discriminator=Patches(), regularizers=terms, heads="sum")
    readings = Game(gan).play(toys.images(4))
    assert readings.generator.terms.keys() == {"matching", "codes"}
    assert shown["read"].real == "photo"


class L1(Regularizer):
    """A reconstruction."""

    def generator(self, step):
        return (step.fake - step.real).abs()


def model_of(word):
    """The settings of the one YAML block that has a word."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.M | re.S)
    (text,) = [block for block in blocks if word in block]
    return yaml.safe_load(text)["model"]


def test_codes_without_labels_in_yaml():
    model, sizes = model_of("codes"), {"sample_shape": (1, 8, 8), "base_channels": 4}

    def made(create, node, **more):
        return create(node["class_path"], **{**node["init_args"], **more})

    gan = toys.gan(
        prior=made(create_prior, model["prior"]),
        generator=made(create_generator, model["generator"], **sizes),
        discriminator=made(create_discriminator, model["discriminator"], **sizes),
        regularizers={"info": made(create_regularizer, model["regularizers"]["info"])},
    )
    readings = Game(gan).play(toys.images(4, (1, 8, 8)))
    terms = {"info/generator/discrete", "info/generator/continuous"}
    assert set(readings.generator.terms) == terms


def test_three_phases_in_one_yaml():
    model = model_of("burn_in")
    schedules = {
        path: create_schedule(each["class_path"], **each["init_args"])
        for path, each in model.pop("schedules").items()
    }
    gan = toys.gan(
        regularizers={"l1": L1()}, loss=NonSaturatingLoss(), schedules=schedules, **model
    )
    phases = []
    for images in (0, 99_000, 100_000, 149_000, 150_000):
        gan.progress = gan.progress.after_batch(images - gan.progress.images)
        readings = Game(gan).play(toys.images(4))
        gan.progress = gan.progress.after_batch(-4)
        phases.append("".join(player.value[0] for player in readings.phases))
    assert phases == ["g", "g", "d", "d", "dg"]
