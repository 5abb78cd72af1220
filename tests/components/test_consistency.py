"""Consistency against numbers by hand, and the small change of images that it takes by default."""

import pytest
import torch
import toys
from critics import Conditional, Halving, Heads, Linear, Patches, double, noise, term
from torch import nn

from lightning_gan import Augment, Feedback, Game
from lightning_gan.errors import InputError
from lightning_gan.layers.flip_and_shift import flip_and_shift
from lightning_gan.regularizers.consistency import ConsistencyRegularizer
from lightning_gan.types import Player, Progress


class Shift(Augment):
    """x + 1; it counts what it is told, and keeps what it was bound to."""

    def __init__(self):
        super().__init__()
        self.told = 0

    observes = True
    measures = frozenset({Player.DISCRIMINATOR})

    def forward(self, x):
        return x + 1

    def bind(self, generator, discriminator):
        self.__dict__["bound"] = (generator, discriminator)

    def observe(self, feedback):
        self.told += 1


def consistency(**arguments):
    return ConsistencyRegularizer(augment=Shift(), **arguments)


def test_cr_and_bcr_by_hand():
    """A linear critic rises by the sum of w, -1, where x rises by 1."""
    found = term(consistency(), Linear(), noise(3, 2))
    assert found.keys() == {"real"}
    torch.testing.assert_close(found["real"], double(10.0))
    found = term(consistency(real_weight=2.0, fake_weight=3.0), Linear((3.0, 1.0)), noise(3, 2))
    torch.testing.assert_close(found["real"], double(2 * 16.0))
    torch.testing.assert_close(found["fake"], double(3 * 16.0))
    assert term(consistency(real_weight=0.0), Linear(), noise(3, 2)) == {}


def test_its_gradient_trains_the_critic():
    critic = Linear((3.0, 1.0))
    found = term(consistency(real_weight=1.0, fake_weight=2.0), critic, noise(3, 2))
    sum(found.values()).backward()
    torch.testing.assert_close(critic.w.grad, double([24.0, 24.0]))  # of 3 (w_1 + w_2)^2


def test_places_are_averaged_and_heads_joined():
    part = {"critic": Patches(), "found": (1 + 4) / 2}, {"critic": Heads(), "found": (1 + 9) / 2}
    for each in part:
        found = term(consistency(real_weight=1.0), each["critic"], noise(3, 2))
        torch.testing.assert_close(found["real"], double(each["found"]))
    found = term(consistency(real_weight=1.0), Heads(), noise(3, 2), join="sum")
    torch.testing.assert_close(found["real"], double(10.0))


def test_conditions_are_kept_and_outputs_of_the_loss_used_again():
    critic, y, fake_y = Conditional(), double([1.0, 2.0]), double([3.0, 4.0])
    both = consistency(real_weight=1.0, fake_weight=1.0)
    found = term(both, critic, noise(2, 2), y=y, fake_y=fake_y)
    torch.testing.assert_close(found["real"], double(2.5))
    torch.testing.assert_close(found["fake"], double(12.5))
    assert len(critic.seen) == 4


def test_the_change_comes_before_the_augmentation_of_the_game():
    found = term(consistency(), Linear(), noise(3, 2), augment=Halving())
    torch.testing.assert_close(found["real"], double(10 / 4))


def test_what_is_inside_is_bound_and_told():
    regularizer = consistency()
    assert regularizer.observes
    assert regularizer.measures == {Player.DISCRIMINATOR}
    regularizer.bind("G", "D")
    assert regularizer.augment.bound == ("G", "D")
    regularizer.observe(Feedback(Progress(), ()))
    assert regularizer.augment.told == 1
    assert not ConsistencyRegularizer().observes
    ConsistencyRegularizer().observe(Feedback(Progress(), ()))


def test_images_are_shifted_and_flipped():
    torch.manual_seed(0)
    n, pixels = 2000, 2
    x = torch.arange(35.0).reshape(1, 1, 5, 7).repeat(n, 2, 1, 1)
    x[:, 1] *= -1
    found = flip_and_shift(x, pixels)
    assert found.shape == x.shape
    torch.testing.assert_close(found[:, 1], -found[:, 0])  # all channels alike
    # All that can come of it: 5 x 5 shifts of the image reflected at its edges, and their flips.
    padded = nn.functional.pad(x[:1], (pixels,) * 4, mode="reflect")[0, 0]
    known = {}
    for top in range(5):
        for left in range(5):
            image = padded[top : top + 5, left : left + 7]
            known[tuple(image.flatten().tolist())] = (top, left, False)
            known[tuple(image.flip(1).flatten().tolist())] = (top, left, True)
    drawn = [known[tuple(image.flatten().tolist())] for image in found[:, 0]]
    assert len(set(drawn)) == 50
    counts = torch.tensor([drawn.count(each) for each in set(drawn)])
    assert counts.min() > 15  # 40 expected
    unflipped = {known[tuple(i.flatten().tolist())] for i in flip_and_shift(x, pixels, False)[:, 0]}
    assert {flip for *_, flip in unflipped} == {False}
    torch.testing.assert_close(flip_and_shift(x, 0, flip=False), x)


def test_the_regularizer_hands_its_settings_on():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    still = ConsistencyRegularizer(shift=0, flip=False)
    torch.testing.assert_close(still.change(x), x)
    found = {tuple(ConsistencyRegularizer(shift=0).change(x).flatten().tolist()) for _ in range(20)}
    assert found == {tuple(x.flatten().tolist()), tuple(x.flip(3).flatten().tolist())}


def test_it_trains_in_a_game():
    gan = toys.gan(regularizers={"consistency": ConsistencyRegularizer(fake_weight=10.0, shift=2)})
    terms = Game(gan, seed=0).play(toys.images(8)).discriminator.terms
    assert terms["consistency/real"] > 0
    assert terms["consistency/fake"] > 0


def test_wrong_arguments_and_samples():
    with pytest.raises(InputError, match="shift must be a whole number of pixels from 0, got -1"):
        ConsistencyRegularizer(shift=-1)
    with pytest.raises(InputError, match="real_weight must be a finite number, got nan"):
        ConsistencyRegularizer(real_weight=float("nan"))
    text = r"shifts images of shape \(C, H, W\) by up to 4 pixels, and samples have the shape "
    for shape in ((2,), (1, 8, 4)):
        with pytest.raises(InputError, match=text):
            toys.gan(
                generator=toys.generator(sample_shape=shape),
                discriminator=toys.discriminator(sample_shape=shape),
                regularizers={"consistency": ConsistencyRegularizer()},
            )
