"""Pictures of generators whose condition is no class: source, fake and real in a row."""

from __future__ import annotations

import logging

import numpy as np
import paired
import pytest
import torch
import toys
from PIL import Image
from torch import nn

from lightning_gan import Generator
from lightning_gan.callbacks import (
    ClassGrid,
    HealthMonitor,
    Interpolation,
    NeighborGrid,
    SampleGrid,
    TrainingGIF,
)
from lightning_gan.callbacks.pictures.given import conditions_of, count_classes
from lightning_gan.callbacks.pictures.shown_range import mapped
from lightning_gan.callbacks.pictures.side_by_side import HEAD_HEIGHT, side_by_side
from lightning_gan.errors import InputError

SIZE = 4


def sampled(module, n, labels=None, z=None):
    return mapped(module.sample(n, labels, seed=0, z=z), (-1.0, 1.0))


def holding(y, real=None, module=None):
    module = paired.gan() if module is None else module
    module.conditions.hold(toys.images(6) if real is None else real, y)
    return module


def cells(picture, columns, rows, line=8):
    """Undo a grid of groups with heads: gray values, shape (groups, rows, columns, 4, 4)."""
    factor = -(-300 // (columns * SIZE))
    cell, width = SIZE * factor + 2, columns * (SIZE * factor + 2) + 2
    groups = (picture.shape[2] + line) // (width + line)
    parts = picture[0, HEAD_HEIGHT:].split([width, line] * (groups - 1) + [width], dim=1)
    assert all(bool((white == 1).all()) for white in parts[1::2])
    inner = [
        part[2:, 2:].unflatten(1, (columns, cell)).unflatten(0, (rows, cell)) for part in parts[::2]
    ]
    middle = slice(factor // 2, SIZE * factor, factor)
    return torch.stack([x[:, middle, :, middle].permute(0, 2, 1, 3) for x in inner])


def test_source_fake_and_real_stand_in_columns():
    small, real = toys.images(6, (1, 2, 2), seed=1), toys.images(6)
    module = holding({"attributes": torch.zeros(6, 5), "small": small}, real)
    picture = side_by_side(module, 2, 7, sampled)
    shown = cells(picture, columns=3, rows=2) * 2 - 1
    assert shown.shape == (2, 2, 3, SIZE, SIZE)  # two triples in a row of about seven
    source = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    for number in range(4):
        group, row = divmod(number, 2)
        assert torch.allclose(shown[group, row, 0], source[number, 0], atol=1e-6)
        assert torch.allclose(shown[group, row, 1], source[number, 0], atol=1e-6)
        assert torch.allclose(shown[group, row, 2], real[number, 0], atol=1e-6)


def test_names_stand_above_the_columns():
    picture = side_by_side(holding({"small": toys.images(6, (1, 2, 2))}), 1, 3, sampled)
    head = picture[0, :HEAD_HEIGHT]
    written = [bool((third < 0.5).any()) for third in head.split(head.shape[1] // 3, dim=1)[:3]]
    assert written == [True, True, True]
    assert head[:3].min() == 1


class Text(Generator):
    """Takes tokens, whole numbers (N, 5)."""

    latent_dim, sample_shape = 2, toys.SHAPE

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 16)

    def forward(self, z, y=None):
        return self.words(y).mean(1).view(-1, *toys.SHAPE).tanh()


@pytest.mark.parametrize("wide", [False, True])
def test_without_a_source_there_are_two_columns(wide):
    if wide:  # an image of other proportions is no source
        y = {"small": toys.images(6, (1, 2, 2)), "strip": toys.images(6, (1, 2, 8))}
        module = holding({**y, "small": y["small"].squeeze(1)})
        module.generator.forward = lambda z, y: y["strip"].view(-1, 1, 4, 4)
    else:
        module = holding(torch.arange(30).view(6, 5) % 9, module=toys.gan(generator=Text()))
    picture = side_by_side(module, 3, 2, sampled)
    shown = cells(picture, columns=2, rows=3)
    assert torch.allclose(shown[0, :, 1] * 2 - 1, toys.images(6)[:3, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("source", "scale"),
    [
        (torch.tensor([0.0, 0.25, 0.5, 1.0]), lambda x: x / 2 + 0.5),  # as samples are
        (torch.tensor([0, 1, 2, 4]), lambda x: x / 4),
        (torch.tensor([-3.0, 0.0, 3.0, 9.0]), lambda x: (x + 3) / 12),
    ],
)
def test_a_source_in_other_values_has_a_range_of_its_own(source, scale):
    module = holding({"small": source.view(1, 1, 2, 2).expand(6, -1, -1, -1)})
    module.generator.forward = lambda z, y: torch.zeros(len(z), *toys.SHAPE)
    shown = cells(side_by_side(module, 1, 3, sampled), columns=3, rows=1)[0, 0, 0]
    assert torch.allclose(shown[::2, ::2].flatten(), scale(source.float()), atol=1e-6)


def test_gray_and_colored_images_are_shown_together():
    colored = toys.images(6, (3, 4, 4))
    module = holding({"small": toys.images(6, (1, 2, 2)), "mask": colored}, colored)
    module.generator.sample_shape = (3, 4, 4)
    module.generator.forward = lambda z, y: y["mask"]
    picture = side_by_side(module, 1, 3, sampled)
    assert picture.shape[0] == 3
    gray, red = picture[:, 60, 50], picture[:, 60, 170]
    assert gray.unique().numel() == 1
    assert red.unique().numel() > 1


def drawn(tmp_path, name):
    return sorted(path.name for path in (tmp_path / "samples").glob(f"{name}-*.png"))


def test_a_paired_run_draws_from_the_first_picture_on(tmp_path):
    callbacks = [
        SampleGrid(every_n_steps=2, rows=2, columns=3),
        TrainingGIF(rows=2, columns=3, every_n_steps=2, dense_every=None, dense_until=None),
        Interpolation(rows=2, columns=3, every_n_steps=None),
        NeighborGrid(rows=2, neighbors=2, every_n_steps=None),
        HealthMonitor(every_n_steps=1),
    ]
    run = toys.trainer(tmp_path, max_steps=3, num_sanity_val_steps=0, callbacks=callbacks)
    run.fit(paired.gan(paired.Upscaler(latent_dim=2)), paired.Pairs())
    assert drawn(tmp_path, "grid") == [f"grid-{step:08d}.png" for step in (0, 2, 3)]
    assert len(drawn(tmp_path, "interpolation")) == 2
    assert drawn(tmp_path, "neighbors") == ["neighbors-00000003.png"]
    assert len(list((tmp_path / "frames" / "training").iterdir())) == 3
    grid = np.asarray(Image.open(tmp_path / "samples" / "grid-00000000.png"))
    assert grid.shape == (HEAD_HEIGHT + 2 * 102 + 2, 3 * 102 + 2, 3)


def test_a_row_has_one_condition():
    module = holding({"small": toys.images(3, (1, 2, 2)), "names": ["a", "b", "c"]}, toys.images(3))
    rows = conditions_of(module, torch.tensor([0, 0, 1, 4]))["small"]
    assert torch.equal(rows, module.conditions.held.y["small"][[0, 0, 1, 1]])
    assert conditions_of(toys.gan(), torch.arange(3)) is None
    classes = {"num_classes": 3}
    labeled = toys.gan(
        generator=toys.generator(**classes), discriminator=toys.discriminator(**classes)
    )
    assert conditions_of(labeled, torch.arange(4)).tolist() == [0, 1, 2, 0]


def test_before_the_first_validation_one_line_says_why_there_is_no_picture(tmp_path, caplog):
    data = paired.Pairs()
    loaders = (data.train_dataloader(), data.val_dataloader())
    callbacks = [SampleGrid(every_n_steps=1, rows=1, columns=3)]
    options = {"num_sanity_val_steps": 0, "val_check_interval": 2, "callbacks": callbacks}
    with caplog.at_level(logging.INFO):
        toys.trainer(tmp_path, max_steps=3, **options).fit(paired.gan(), *loaders)
    lines = [r.getMessage() for r in caplog.records if "SampleGrid" in r.getMessage()]
    assert lines == [
        "SampleGrid draws nothing before the first validation: Upscaler asks for a condition, and "
        "there is none to draw: no classes, and no held-out batch has been seen; pass conditions, "
        "sample(n, labels=...)"
    ]
    assert drawn(tmp_path, "grid") == ["grid-00000003.png"]


def test_classes_in_a_dict_are_no_columns(tmp_path):
    module = paired.gan()
    module.generator.num_classes, module.generator.class_entry = 3, "attributes"
    assert count_classes(module) == 0
    message = (
        "ClassGrid expects a class-conditional generator, got classes in the entry 'attributes' of "
        "y; use SampleGrid for an unconditional one, or one with other conditions"
    )
    with pytest.raises(InputError) as caught:
        ClassGrid().check(module)
    assert str(caught.value) == message


def test_samples_that_are_no_images_are_not_laid_side_by_side(tmp_path, caplog):
    class Wave(Generator):
        latent_dim, sample_shape = 0, (None,)

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, z, y=None):
            return y["wave"] * self.scale

    module = toys.gan(generator=Wave(), discriminator=toys.discriminator(sample_shape=(5,)))
    module.conditions.hold(torch.zeros(4, 5), {"wave": torch.zeros(4, 5)})
    callback = SampleGrid()
    with caplog.at_level(logging.INFO):
        assert list(callback.pictures(None, module)) == []
    assert "samples of shape (5,) are not images" in caplog.text
