"""CycleGAN and pix2pix trained for a few steps: resumed, in pieces, in two processes, exported."""

import warnings
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from image2image.__main__ import main
from image2image.data import EdgePairs, EdgesUnpaired
from image2image.networks import TwoDomainDiscriminator, TwoWayGenerator, domains
from image2image.pictures import TranslationGrid
from image2image.scores import Held, score, scores_of
from image2image.terms import CycleConsistency, IdentityMapping, ImagePool

from lightning_gan import (
    GANModule,
    create_discriminator,
    create_generator,
    create_loss,
    create_regularizer,
    load_generator,
)
from lightning_gan.sampling.translation import translate

SHAPE = (1, 8, 16)
SGD = partial(torch.optim.SGD, lr=0.05)


def cyclegan(size=6, pool=True, **options):
    torch.manual_seed(0)
    terms = {"cycle": CycleConsistency(), "identity": IdentityMapping()}
    if pool:
        terms["pool"] = ImagePool(size)
    return GANModule(
        TwoWayGenerator(SHAPE, base_channels=2, blocks=1),
        TwoDomainDiscriminator(SHAPE, base_channels=2),
        create_loss("least_squares"),
        terms,
        generator_weight=2.0,
        heads="sum",
        generator_optimizer=SGD,
        discriminator_optimizer=SGD,
        **options,
    )


def trainer(folder, steps, **options):
    given = {
        "accelerator": "cpu", "logger": False, "enable_progress_bar": False,
        "enable_model_summary": False, "enable_checkpointing": False, "limit_val_batches": 0,
    }  # fmt: skip
    return pl.Trainer(default_root_dir=folder, max_steps=steps, **{**given, **options})


def data(batch_size=4):
    return EdgesUnpaired("digits", batch_size=batch_size, image_size=8)


def trained(folder, steps, gan=None, ckpt_path=None, **options):
    gan = gan or cyclegan()
    pl.seed_everything(0, verbose=False)
    run = trainer(folder, steps, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice
        run.fit(gan, data(), ckpt_path=ckpt_path)
    run.save_checkpoint(folder / f"{steps}.ckpt")
    return gan


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Six steps, four images each: the pools of six are full after two."""
    folder = tmp_path_factory.mktemp("run")
    gan = trained(folder, 6)
    return gan, folder


def test_training_goes_on_exactly_with_the_pools(run, tmp_path):
    whole, _ = run
    trained(tmp_path, 3)
    again = cyclegan()
    trained(tmp_path, 6, again, ckpt_path=tmp_path / "3.ckpt")
    pool = whole.regularizers["pool"]
    assert pool.held == 6
    assert pool.pool.std() > 0.1
    same(whole, again)


def same(ours, theirs, rtol=0.0, atol=0.0):
    others = theirs.state_dict()
    for key, value in ours.state_dict().items():
        if torch.is_tensor(value):
            torch.testing.assert_close(value, others[key], rtol=rtol, atol=atol)
        else:
            assert value == others[key], key


def test_pools_matter(run, tmp_path):
    """So that a pool that was not saved would be seen."""
    whole, _ = run
    without = trained(tmp_path, 6, cyclegan(pool=False))
    ours, theirs = (gan.discriminator.state_dict() for gan in (whole, without))
    assert not all(value.equal(theirs[key]) for key, value in ours.items())


def test_two_processes_have_pools_of_their_own_and_resume_them(tmp_path):
    def forked(steps, folder, ckpt_path=None):
        saving = pl.callbacks.ModelCheckpoint(tmp_path / folder, every_n_train_steps=steps)
        options = {"devices": 2, "strategy": "ddp_fork_find_unused_parameters_true"}
        gan = cyclegan(size=3)
        trained(
            tmp_path, steps, gan, ckpt_path,
            enable_checkpointing=True, callbacks=[saving], **options
        )  # fmt: skip
        (path,) = (tmp_path / folder).glob("*.ckpt")
        return path

    whole = forked(4, "whole")
    again = forked(4, "again", forked(2, "first"))
    ours, theirs = (torch.load(path, weights_only=True) for path in (whole, again))
    for key, value in ours["state_dict"].items():
        if torch.is_tensor(value):
            assert value.equal(theirs["state_dict"][key]), key
    pools, others = found_pools(ours), found_pools(theirs)
    assert len(pools) == len(others) == 2
    assert all(a.equal(b) for a, b in zip(pools, others, strict=True))
    assert not pools[0].equal(pools[1])


def found_pools(tree):
    """Every pool in the states of ranks in a checkpoint."""
    if isinstance(tree, dict):
        own = [value for key, value in tree.items() if key == "pool" and torch.is_tensor(value)]
        return own + [pool for value in tree.values() for pool in found_pools(value)]
    if isinstance(tree, (list, tuple)):
        return [pool for value in tree for pool in found_pools(value)]
    return []


def test_each_direction_is_a_generator_of_its_own(run, tmp_path, capsys):
    gan, folder = run
    held = data()
    held.setup("fit")
    y = next(iter(held.val_dataloader()))[1]
    made = domains(gan.sample(4, labels=y))
    for to, given in (("B", "a"), ("A", "b")):
        out = tmp_path / to
        words = ["export", str(folder / "6.ckpt"), f"--to={to}", f"--out={out}"]
        assert main([*words, "--format=safetensors,torch_export"]) == 0
        loaded = load_generator(out)
        found = loaded(torch.empty(4, 0), y[given])
        torch.testing.assert_close(found, made[to.lower()])
        program = torch.export.load(out / "generator.pt2").module()
        torch.testing.assert_close(program(y[given]), found, rtol=1e-4, atol=1e-5)
        assert "CycleConsistency" in (out / "README.md").read_text()
        assert translate(loaded, torch.rand(1, 11, 13)).shape == (1, 11, 13)
        torch.testing.assert_close(translate(loaded, y[given][0]), found[0])
    assert main(words) == 2
    assert "exists and is not empty" in capsys.readouterr().err


def test_what_has_one_direction_is_not_cut(tmp_path, capsys):
    pl.seed_everything(0, verbose=False)
    gan, pairs = pix2pix(), EdgePairs("digits", batch_size=4, image_size=8)
    run = trainer(tmp_path, 2)
    before = [value.clone() for value in gan.generator.parameters()]
    run.fit(gan, pairs)
    run.save_checkpoint(tmp_path / "last.ckpt")
    after = list(gan.generator.parameters())
    assert not all(a.equal(b) for a, b in zip(before, after, strict=True))
    words = ["export", str(tmp_path / "last.ckpt"), "--to=B", f"--out={tmp_path / 'out'}"]
    assert main(words) == 2
    assert "expected a two_way generator, got UNetGenerator" in capsys.readouterr().err
    assert translate(load_generator(tmp_path / "last.ckpt"), torch.rand(1, 8, 8)).shape == (1, 8, 8)


def pix2pix():
    torch.manual_seed(0)
    shape = (1, 8, 8)
    return GANModule(
        create_generator("unet", sample_shape=shape, base_channels=2, condition_channels=1),
        create_discriminator("patch", sample_shape=shape, base_channels=2, condition_channels=1),
        create_loss("non_saturating"),
        {"l1": create_regularizer("l1", weight=100.0)},
    )


def test_the_grid_shows_there_and_back(run):
    gan, _ = run
    held = data(batch_size=3)
    held.setup("fit")
    x, y = next(iter(held.val_dataloader()))
    gan.conditions.hold(x, y)
    ((_, picture),) = TranslationGrid(rows=2).pictures(None, gan)
    cell, pad, head = 96, 2, 28
    assert picture.shape == (3, head + 2 * (cell + pad) + pad, 6 * (cell + pad) + pad)
    made = domains(gan.sample(3, labels=y))
    back = domains(gan.sample(3, labels=made))
    columns = [y["a"], made["b"], back["a"], y["b"], made["a"], back["b"]]
    for column, images in enumerate(columns):
        top, left = head + pad + cell + pad, pad + column * (cell + pad)  # the second row
        shown = picture[0, top : top + cell : 12, left : left + cell : 12]
        torch.testing.assert_close(shown, images[1, 0].cpu().add(1).div(2))


class Brightness(torch.nn.Module):
    """A judge of images of one gray value, for which the classes are dark and light."""

    feature_dim, num_classes = 2, 2

    def forward(self, images):
        from lightning_gan.metrics.features import Features

        light = images.mean(dim=(1, 2, 3))
        return Features(torch.stack([light, light.square()], 1), torch.stack([-light, light], 1))


def test_scores_of_what_is_known():
    """Digits are the negatives of their edges here, and the judges see brightness."""
    light = torch.linspace(-0.9, 0.9, 12)
    images = light[:, None, None, None].expand(-1, 1, 16, 16).contiguous()
    held = Held(
        images, -images, (light > 0).long(), {"digits": Brightness(), "edges": Brightness()}
    )
    right = score(held, "digits", torch.neg, torch.neg)
    assert (right.l1, right.classes, right.cycle_l1) == (0, 1, 0)
    assert right.cycle_classes == 0  # edges of light digits are dark
    assert right.ssim == pytest.approx(1, abs=1e-3)
    assert right.fid == pytest.approx(0, abs=1e-3)
    still = score(held, "edges", lambda x: x)
    assert still.l1 == pytest.approx(light.abs().mean().item())
    assert still.classes == 1  # of digits taken for their edges, by brightness
    assert still.cycle_l1 is None
    assert "| name | edges |" in still.row("name")
    assert [found.to for found in scores_of(held, None)] == ["digits", "edges"]
