"""One update as its terms see it: outputs, replacements, reports, heads."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_gan import AdversarialStep, DiscriminatorOutput, GeneratorOutput, InputError, Player

GENERATOR, DISCRIMINATOR = Player.GENERATOR, Player.DISCRIMINATOR


class Counting(nn.Module):
    """Two heads of other widths, features in a tree; counts its passes."""

    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList([nn.Linear(4, 1), nn.Linear(4, 3)])
        self.passes = []

    def forward(self, x, y=None):
        self.passes.append(x)
        logits = [head(x) for head in self.heads]
        return DiscriminatorOutput(
            logits, features=[[x], {"deep": x.half()}], extra={"x": x.half()}
        )


def step(player=DISCRIMINATOR, **options):
    fake = options.pop("fake", torch.ones(2, 4, requires_grad=True) * 2)
    options.setdefault("discriminator", Counting())
    return AdversarialStep(player, real=torch.zeros(2, 4), fake=fake, generator=None, **options)


def test_outputs_are_computed_once_and_not_before():
    update = step()
    assert update.computed == (None, None)
    first = update.real_output
    assert update.real_output is first
    assert update.computed == (first, None)
    assert len(update.discriminator.passes) == 1


def test_everything_is_widened():
    output = step().fake_output
    assert output.features[1]["deep"].dtype == output.extra["x"].dtype == torch.float32
    assert [len(head) for head in output.heads] == [2, 2]
    assert output.total().shape == ()
    summed = sum(head.sum() for head in output.heads)
    torch.testing.assert_close(output.total(), summed)


@pytest.mark.parametrize("player", Player)
def test_by_products_are_detached_for_the_discriminator_alone(player):
    w = torch.ones(2, requires_grad=True) * 3
    update = step(player, fake=GeneratorOutput(torch.ones(2, 4), {"w": [w]}))
    assert update.generator_output.extra["w"][0].requires_grad == (player is GENERATOR)


def test_replaced_samples_are_what_the_discriminator_sees():
    update = step(differentiates=frozenset({"real", "fake"}))
    update.replace(fake=torch.full((2, 4), 5.0), fake_y="new")
    update.replace(real=torch.full((2, 4), 6.0), y="other")
    assert update.fake.requires_grad
    assert update.real.requires_grad
    assert (update.y, update.fake_y) == ("other", "new")
    torch.autograd.grad(update.fake_output.total() + update.real_output.total(), update.fake)
    assert [x[0, 0].item() for x in update.discriminator.passes] == [5.0, 6.0]


def test_a_generator_keeps_the_graph_of_what_it_replaces():
    update = step(GENERATOR)
    replaced = update.fake * 2
    update.replace(fake=replaced)
    assert update.fake is replaced


@pytest.mark.parametrize("which", ["real", "fake"])
def test_what_was_seen_cannot_be_replaced(which):
    update = step()
    getattr(update, f"{which}_output")
    with pytest.raises(InputError, match=f"{which} samples cannot be replaced any more.*prepare"):
        update.replace(**{which: torch.zeros(2, 4)})
    other = "fake" if which == "real" else "real"
    update.replace(**{other: torch.zeros(2, 4)})
    with pytest.raises(InputError, match="replace takes real, y, fake and fake_y, got 'z'"):
        update.replace(z=1)


def test_outputs_may_be_given():
    update = step()
    update.real_output = torch.ones(2)
    assert torch.equal(update.real_output.heads[0], torch.ones(2))
    assert not update.discriminator.passes
    with pytest.raises(InputError, match="must return logits.*got list|a sequence of logits"):
        update.fake_output = ["logits"]


def test_heads_are_joined_as_was_said():
    losses = [torch.tensor([1.0, 3.0]), torch.tensor([[5.0], [7.0]])]
    assert step().mean(losses) == 4.0
    assert step(join="sum").mean(losses) == 8.0
    assert step(join="sum", head_weights=[1.0, 0.5]).mean(losses) == 5.0
    assert step(join="mean", head_weights=[1.0, 0.5]).mean(losses) == 2.5
    assert step().mean(losses[0]) == 2.0
    with pytest.raises(InputError, match="head_weights has 1 numbers, and the .* 2 heads"):
        step(head_weights=[1.0]).mean(losses)


def test_reports_go_by_part_and_name():
    update = step()
    update.part = "regularizer/r1"
    update.report("slope", torch.tensor([2.0], requires_grad=True))
    update.report("count", 3)
    assert {k: v.item() for k, v in update.reports.items()} == {
        "regularizer/r1/slope": 2.0,
        "regularizer/r1/count": 3.0,
    }
    assert not update.reports["regularizer/r1/slope"].requires_grad
    with pytest.raises(InputError, match=r"report\('a', ...\) takes a scalar, got a tensor of"):
        update.report("a", torch.zeros(2))
    with pytest.raises(InputError, match="cannot be called 'generator'"):
        update.report("generator", 1.0)


def test_the_other_player_sees_the_same_outputs():
    update = step(GENERATOR)
    said = update.fake_output
    view = update.seen_by(DISCRIMINATOR)
    assert view.fake_output is said
    assert not view.fake.requires_grad
    assert update.fake.requires_grad
    view.real_output  # noqa: B018
    update.take_outputs(view)
    assert update.computed == (view.real_output, said)


def test_a_discriminator_sees_as_many_fakes_as_real_samples():
    update = step(GENERATOR, fake=torch.ones(6, 4), fake_y={"c": torch.arange(6)})
    update.fake_output  # noqa: B018
    view = update.seen_by(DISCRIMINATOR)
    assert len(view.fake) == len(view.fake_output.heads[1]) == len(view.fake_y["c"]) == 2
    assert len(update.fake_output.heads[1]) == 6


def test_what_is_not_there_is_said():
    with pytest.raises(InputError, match="this Adversary does not have: pass it"):
        step().generate(torch.zeros(2, 1))
    with pytest.raises(InputError, match="draws latents"):
        step().latents(2)
    with pytest.raises(InputError, match="images_seen, which a part reads"):
        step(images_seen=None).images_seen  # noqa: B018
