"""Conditions that are no tensors are cut, drawn, repeated and joined as tensors are."""

import numpy as np
import pytest
import torch
import toys
from torch import nn

from lightning_gan import BatchKeys, Game, GANModule, InputError
from lightning_gan.data import RandomImages
from lightning_gan.evaluation.reader import KeptConditions
from lightning_gan.game.conditions import ROOM
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.types import columns_in, rows


def numbers(y):
    """The numbers that captions are: a tensor, a list, a tuple or an array of strings."""
    return torch.tensor([float(text) for text in y])


class Reading(nn.Module):
    """A network that reads one caption for each sample, and fails on more or fewer."""

    def __init__(self, net, read):
        super().__init__()
        self.net, self.read, self.seen = net, read, []
        self.latent_dim, self.sample_shape = 3, toys.SHAPE

    def forward(self, x, y=None):
        captions = self.read(y)
        assert len(captions) == len(x)
        self.seen.append([float(text) for text in captions])
        return self.net(x)


KINDS = {
    "list": (list, lambda y: y),
    "tuple": (tuple, lambda y: y),
    "array": (np.array, lambda y: y),
    "dict": (lambda y: {"text": y, "x": torch.ones(len(y))}, lambda y: y["text"]),
    "several": (lambda y: [tuple(y), tuple(y)], lambda y: y[1]),  # as collated from pairs
    "nested": (lambda y: [[each, each] for each in y], lambda y: [each[0] for each in y]),
    "bytes": (lambda y: [each.encode() for each in y], lambda y: y),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def captions(n, start=0):
    return [str(number) for number in range(start, start + n)]


def reading_gan(read, **options):
    return GANModule(
        generator=Reading(toys.generator(), read),
        discriminator=Reading(toys.discriminator(), read),
        loss=toys.NonSaturatingLoss(),
        **options,
    )


def test_micro_batches_cut_captions(kind):
    make, read = kind
    gan = reading_gan(read, micro_batches=2)
    Game(gan).play(toys.images(32), make(captions(32)))
    halves = [[float(n) for n in range(16)], [float(n) for n in range(16, 32)]]
    assert gan.generator.seen[:2] == halves
    assert all(seen in halves for seen in gan.discriminator.seen)


def test_captions_of_terms_are_cut():
    seen = []

    class Term(R1Regularizer):
        def discriminator(self, step):
            seen.append(step.extra["text"])

    gan = toys.gan(regularizers={"term": Term()}, micro_batches=4)
    Game(gan).play(toys.images(8), None, {"text": captions(8)})
    assert seen == [["0", "1"], ["2", "3"], ["4", "5"], ["6", "7"]]


@pytest.mark.parametrize("n", [1, 16, 256, 257, 600])
def test_captions_of_more_samples_than_are_generated_at_once(kind, n):
    make, read = kind
    gan = reading_gan(read)
    assert gan.sample(n, labels=make(captions(n)), seed=0).shape == (n, *toys.SHAPE)
    assert [each for seen in gan.generator.seen for each in seen] == list(range(n))
    assert max(map(len, gan.generator.seen)) <= 256


def test_another_number_of_captions_is_refused():
    gan = reading_gan(lambda y: y)
    for labels in (captions(32), np.array(captions(32)), {"text": captions(32)}, torch.ones(32, 2)):
        with pytest.raises(InputError) as caught:
            gan.sample(16, labels=labels)
        assert str(caught.value) == (
            "labels must hold one condition for each of 16 samples, got 32: give 16 of them"
        )


def test_captions_are_drawn_with_their_samples(kind):
    make, read = kind
    gan = reading_gan(read)
    x = torch.arange(300.0).view(300, 1, 1, 1).expand(300, *toys.SHAPE)
    gan.conditions.hold(x, make(captions(300)))
    held = gan.conditions.held
    assert len(held.real) == len(read(held.y)) == ROOM
    first = held.first(300)
    assert numbers(read(first.y)).tolist() == first.real[:, 0, 0, 0].tolist()
    gan.sample(20, seed=0)
    assert len(gan.generator.seen[-1]) == 20
    assert len(set(gan.generator.seen[-1])) > 10


def test_more_fakes_repeat_their_captions(kind):
    make, read = kind
    gan = reading_gan(read, generator_batch=3)
    Game(gan).play(toys.images(4), make(captions(4)))
    assert [0.0, 1, 2, 3] * 3 in gan.generator.seen


def test_captions_are_kept_for_evaluation(kind):
    make, read = kind
    kept = KeptConditions(10)
    for start in (0, 4, 8):
        kept.add(make(captions(4, start)), 4)
    assert (kept.count(None), kept.count(7)) == (10, 7)
    assert numbers(read(kept.joined(None))).tolist() == list(range(10))
    assert numbers(read(kept.joined(7))).tolist() == list(range(7))


def test_what_has_no_row_for_each_sample_stays():
    tree = {"size": (3, 5), "name": "a cat", "x": torch.ones(4, 2), "none": None, "scale": 2.0}
    found = rows(tree, slice(2))
    assert found.pop("x").shape == (2, 2)
    assert found == {"size": (3, 5), "name": "a cat", "none": None, "scale": 2.0}
    assert rows([7, 8, 9], torch.tensor([2, 0]), 3) == [9, 7]
    assert rows([7, 8, 9], torch.tensor([2, 0])) == [7, 8, 9]
    pair = [torch.arange(2), torch.arange(2)]  # two tensors are a tree, not two samples
    assert [each.tolist() for each in rows(pair, slice(1), 2)] == [[0], [0]]
    assert columns_in({"a": torch.tensor(3), "b": ["x", "y"]}) == [["x", "y"]]


# Labels of batches -----------------------------------------------------------------------------


def conditional():
    return toys.gan(
        generator=toys.generator(num_classes=3), discriminator=toys.discriminator(num_classes=3)
    )


def test_a_wrong_label_of_a_later_batch_is_a_sentence(tmp_path):
    y = torch.zeros(32, dtype=torch.int64)
    y[20] = 3
    said = r"class labels must lie in 0\.\.2 \(num_classes=3\), got 0\.\.3"
    with pytest.raises(InputError, match=said):
        toys.fit(tmp_path, conditional(), data=toys.loader(y=y))
    game = Game(conditional())
    game.play(toys.images(8), y[:8])
    with pytest.raises(InputError, match=said):
        game.play(toys.images(8), y[16:24])
    y[20] = -1
    with pytest.raises(InputError, match=r"got -1\.\.0"):
        game.play(toys.images(8), y[16:24])


def test_more_classes_than_the_networks_have_are_told_before_any_batch(tmp_path):
    data = RandomImages(n=32, shape=toys.SHAPE, num_classes=4, batch_size=8)
    data.train_dataloader = lambda: pytest.fail("no batch is read")
    with pytest.raises(InputError) as caught:
        toys.trainer(tmp_path, max_steps=1).fit(conditional(), datamodule=data)
    assert str(caught.value) == (
        "the data have 4 classes, and MLPDiscriminator num_classes=3: give generator and "
        "discriminator num_classes=4"
    )


# Several loaders -------------------------------------------------------------------------------


def test_two_loaders_are_not_taken_for_samples_and_labels(tmp_path):
    loaders = [
        torch.utils.data.DataLoader(toys.images(16, seed=seed), batch_size=8) for seed in (1, 2)
    ]
    with pytest.raises(InputError) as caught:
        toys.fit(tmp_path, toys.gan(), data=loaders)
    assert str(caught.value) == (
        "there are 2 training loaders, whose batches come together as a list of 2, and a pair is "
        "taken for samples and their condition: say what each is, "
        "prepare_batch=BatchKeys(real=0, y=1), or pass one loader"
    )
    toys.fit(tmp_path, toys.gan(prepare_batch=BatchKeys(real=0)), data=loaders, steps=2)
    toys.fit(tmp_path, toys.gan(), data=loaders[:1], steps=2)
    pairs = [toys.loader(y=torch.zeros(32, dtype=torch.int64))]
    with pytest.raises(InputError, match="a batch must be a tensor of samples or a pair"):
        toys.fit(tmp_path, toys.gan(), data=pairs, steps=1)
