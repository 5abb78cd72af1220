"""What generators with by-products make, and what terms make of it."""

from __future__ import annotations

import pytest
import torch
import toys
from by_products import PathLength, Slices, Vocoder, windows
from families import FAMILIES, Reconstruction, with_terms
from lists_of_heads import Resolutions
from stepping_losses import NonSaturatingLoss

from lightning_gan import BatchKeys, Game, GANModule, Player


def runs_of(generator):
    """A list that grows by the output of every run of a network."""
    made = []

    def note(module, given, output):
        made.append(output)

    generator.register_forward_hook(note)
    return made


@pytest.mark.parametrize("name", ["vq", "vq_ema", "vae"])
def test_by_products_cost_no_second_run(name):
    family = FAMILIES[name]
    gan = family.gan()
    made, game = runs_of(gan.generator), Game(gan)
    for runs in (1, 2, 3):
        readings = game.play(*gan.read(family.batch()))
        assert len(made) == runs
    terms = {
        "vq": {"l1", "codes/codebook", "codes/commitment"},
        "vq_ema": {"l1", "codes/commitment"},
        "vae": {"kl", "dissimilarity"},
    }
    assert readings.generator.terms.keys() == terms[name]


def test_the_reconstruction_reaches_the_encoder_past_the_codes():
    family = FAMILIES["vq"]
    gan = family.gan(regularizers={"l1": Reconstruction()}, generator_weight=0.0)
    before = toys.weights(gan.generator)
    Game(gan).play(*gan.read(family.batch()))
    after = toys.weights(gan.generator)
    still = [name for name in before if after[name].equal(before[name])]
    assert still == ["codes"]


def test_codes_that_are_means_follow_what_they_stand_for():
    family = FAMILIES["vq_ema"]
    gan = family.gan()
    game, first = Game(gan), gan.generator.codes.clone()
    batch = gan.read(family.batch())
    for _ in range(60):
        game.play(*batch)
    assert not torch.equal(gan.generator.codes, first)
    still = gan.generator.eval().codes.clone()
    distance = (gan.generator(None, batch.y).extra["commitment"]).item()
    assert torch.equal(gan.generator.codes, still)
    assert torch.equal(gan.generator_ema.codes, still)  # buffers are copied
    assert distance < 0.05


def test_a_vae_reconstructs_with_a_condition_and_samples_without():
    family = FAMILIES["vae"]
    gan, x = family.gan(), family.batch()
    assert gan.sample(2, seed=0).shape == (2, 1, 4, 4)
    readings = Game(gan).play(*gan.read(x))
    output = family.gan().generator(torch.zeros(4, 3), x)
    q = torch.distributions.Normal(output.extra["mean"], (output.extra["logvar"] / 2).exp())
    p = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    expected = torch.distributions.kl_divergence(q, p).sum(1).mean()
    torch.testing.assert_close(readings.generator.terms["kl"], expected.detach())


def test_path_length_follows_its_running_mean():
    family = FAMILIES["path_length"]
    gan = family.gan(regularizers={"path": PathLength(interval=2)})
    game, mean = Game(gan), torch.zeros(())
    for update in range(4):
        readings = game.play(family.batch())
        said = readings.generator.reports
        assert said.keys() == (set() if update % 2 else {"regularizer/path/length"})
        for length in said.values():
            mean = mean.lerp(length, 0.01)
        torch.testing.assert_close(gan.regularizers["path"].mean, mean)
    assert mean > 0


def test_path_length_runs_the_generator_in_full_precision(tmp_path):
    family = FAMILIES["path_length"]
    gan = family.gan(regularizers={"path": PathLength(interval=2)})
    made = runs_of(gan.generator)
    toys.fit(tmp_path, gan, steps=2, data=family.data(), precision="bf16-mixed")
    types = [output.extra["w"].dtype for output in made]
    assert types == [torch.bfloat16, torch.float32, torch.bfloat16]  # D's, G's, shared
    assert gan.regularizers["path"].mean.isfinite()


def vocoder(**options):
    torch.manual_seed(0)
    return GANModule(
        Vocoder(),
        Resolutions(),
        NonSaturatingLoss(),
        {"l1": Reconstruction(), "slices": Slices()},
        prepare_batch=BatchKeys(real="wave", y="mel"),
        **options,
    )


def waves(n=4):
    return {"wave": torch.arange(32.0).expand(n, 1, 32) / 32, "mel": torch.rand(n, 4, 8)}


def test_the_target_is_the_slice_that_was_made():
    gan = vocoder()
    seen, made = [], runs_of(gan.generator)
    gan.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    readings = Game(gan).play(*gan.read(waves()))
    start = made[0].extra["start"]
    assert len(set(start.tolist())) > 1
    real, fake, later = seen
    assert real.shape == fake.shape == later.shape == (4, 1, 16)
    assert torch.equal(real[:, 0, 0] * 32, start.float())
    assert torch.equal(real, windows(waves()["wave"], start, 16))
    expected = (fake - real).abs().mean()
    torch.testing.assert_close(readings.generator.terms["l1"], expected)


def test_whole_waves_come_out_of_evaluation(tmp_path):
    gan, whole = vocoder(), []
    rows = [dict(zip(waves(), row, strict=True)) for row in zip(*waves(8).values(), strict=True)]
    loader = torch.utils.data.DataLoader(rows, batch_size=4)
    run = toys.trainer(tmp_path, max_steps=2, limit_val_batches=1)
    gan.on_validation_batch_end = lambda outputs, *_: whole.append(outputs["fake"].shape)
    run.fit(gan, loader, loader)
    assert set(whole) == {(4, 1, 32)}
    assert gan.sample(3).shape == (3, 1, 32)  # of the mels that were held out


def test_by_products_that_nobody_makes_are_told():
    with pytest.raises(ValueError, match=r"regularizer 'path' \(PathLength\) needs 'w', which"):
        FAMILIES["hinge"].gan(**with_terms(path=PathLength)())


def test_the_discriminator_sees_by_products_without_a_graph():
    seen = []

    class Looks(PathLength):
        def discriminator(self, step):
            seen.append((step.player, step.generator_output.extra["w"].requires_grad))

    family = FAMILIES["path_length"]
    Game(family.gan(regularizers={"path": Looks()})).play(family.batch())
    assert seen == [(Player.DISCRIMINATOR, False)]
