"""Metrics of pairs: what they are of, when they begin anew, how they are logged."""

from __future__ import annotations

from pathlib import Path

import forked
import paired
import pytest
import torch
import toys
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.nn.functional import interpolate
from torchmetrics import MeanAbsoluteError, Metric
from torchmetrics.functional.image import structural_similarity_index_measure

from lightning_gan import InputError
from lightning_gan.callbacks import PairedMetrics
from lightning_gan.callbacks.paired_metrics import image_metrics


def difference(data):
    return interpolate(data.stacked("small"), scale_factor=2) - data.stacked("image")


def validated(tmp_path, callback, module=None, data=None):
    data = paired.Pairs(n=12) if data is None else data
    run = toys.trainer(tmp_path, callbacks=[callback])
    (found,) = run.validate(paired.gan() if module is None else module, data, verbose=False)
    return found, difference(data)


def largest(fake, real, y):
    assert set(y) == {"small", "attributes"}
    return (fake - real).abs().flatten(1).amax(1)


def test_values_are_those_of_all_samples_of_the_epoch(tmp_path):
    metrics = {
        "mae": MeanAbsoluteError(),
        "largest": largest,
        "mean_largest": lambda *pair: largest(*pair).mean(),  # of batches of 8 and 4
    }
    found, error = validated(tmp_path, PairedMetrics(metrics))
    assert found["val/mae"] == pytest.approx(error.abs().mean().item(), rel=1e-5)
    expected = error.abs().flatten(1).amax(1).mean().item()
    assert found["val/largest"] == pytest.approx(expected, rel=1e-5)
    assert found["val/mean_largest"] == pytest.approx(expected, rel=1e-5)
    assert "val/loss/generator" in found


def test_every_epoch_begins_anew_and_tests_have_names_of_their_own(tmp_path):
    callback = PairedMetrics({"mae": MeanAbsoluteError(), "largest": largest})
    first, _ = validated(tmp_path, callback)
    easy = paired.Pairs(n=4)
    for row in easy.rows:
        row["image"] = interpolate(row["small"][None], scale_factor=2)[0]
    again, _ = validated(tmp_path, callback, data=easy)
    assert first["val/mae"] > 0
    assert again["val/mae"] == again["val/largest"] == 0
    assert callback.state_dict() == {}
    run = toys.trainer(tmp_path, callbacks=[callback])
    (found,) = run.test(paired.gan(), paired.Pairs(n=12), verbose=False)
    assert found["test/mae"] == pytest.approx(first["val/mae"])


def test_images_have_metrics_for_their_declared_range(tmp_path):
    data = paired.Pairs(n=12, low=0.0, high=50.0)
    module = paired.gan(paired.Upscaler(sample_range=(0.0, 50.0)))
    found, error = validated(tmp_path, PairedMetrics(), module, data)
    psnr = 10 * (50**2 / error.square().flatten(1).mean(1)).log10()
    assert found["val/psnr"] == pytest.approx(psnr.mean().item(), rel=1e-4)
    assert "val/ssim" not in found  # four pixels a side


def test_larger_images_have_structural_similarity(tmp_path):
    shape = {"sample_shape": (1, 12, 12)}
    module = toys.gan(generator=toys.generator(**shape), discriminator=toys.discriminator(**shape))
    data = toys.loader(toys.images(8, shape["sample_shape"]))
    run = toys.trainer(tmp_path, callbacks=[PairedMetrics()])
    (found,) = run.validate(module, data, verbose=False)
    assert -1 < found["val/ssim"] < 1


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (-3.0, 5.0)])
def test_structural_similarity_is_that_of_the_same_images_in_any_range(low, high):
    real, fake = (torch.rand(3, 1, 12, 12) for _ in range(2))
    shape = {"sample_shape": (1, 12, 12)}
    module = toys.gan(generator=toys.generator(**shape), discriminator=toys.discriminator(**shape))
    module.declare_range((low, high))
    metric = image_metrics(module)["ssim"]
    metric.update(*(low + (high - low) * each for each in (fake, real)))
    expected = structural_similarity_index_measure(fake, real, data_range=1.0)
    torch.testing.assert_close(metric.compute(), expected, atol=1e-5, rtol=1e-4)


def test_a_checkpoint_may_be_ranked_by_them(tmp_path):
    best = ModelCheckpoint(tmp_path, monitor="val/psnr", mode="max", save_top_k=1)
    run = toys.trainer(
        tmp_path, max_epochs=2, callbacks=[PairedMetrics(), best], enable_checkpointing=True
    )
    run.fit(paired.gan(), paired.Pairs())
    assert best.best_model_score == max(run.callback_metrics["val/psnr"], best.best_model_score)
    assert Path(best.best_model_path).is_file()


def test_other_kinds_of_data_have_a_hook(tmp_path):
    class Spectra(PairedMetrics):
        def inputs(self, fake, real, y):
            return tuple(torch.fft.rfft(x.flatten(1)).abs() for x in (fake, real))

    found, _ = validated(tmp_path, Spectra({"spectral": MeanAbsoluteError()}))
    data = paired.Pairs(n=12)
    fake, real = (
        torch.fft.rfft(x.flatten(1)).abs()
        for x in (interpolate(data.stacked("small"), scale_factor=2), data.stacked("image"))
    )
    assert found["val/spectral"] == pytest.approx((fake - real).abs().mean().item(), rel=1e-5)


def test_a_metric_of_several_values(tmp_path):
    class Both(Metric):
        def __init__(self):
            super().__init__()
            self.add_state("low", torch.tensor(9.0), "min")
            self.add_state("high", torch.tensor(-9.0), "max")

        def update(self, fake, real):
            self.low = torch.minimum(self.low, (fake - real).min())
            self.high = torch.maximum(self.high, (fake - real).max())

        def compute(self):
            return {"low": self.low, "high": self.high}

    found, error = validated(tmp_path, PairedMetrics({"error": Both()}))
    assert found["val/error/low"] == pytest.approx(error.min().item())
    assert found["val/error/high"] == pytest.approx(error.max().item())


def test_a_class_in_place_of_a_metric():
    with pytest.raises(InputError, match=r"PairedMetrics: mae must be .*a class has to be called"):
        PairedMetrics({"mae": MeanAbsoluteError})
    with pytest.raises(InputError, match="function of \\(fake, real, y\\), got 'mae'"):
        PairedMetrics({"mae": "mae"})


def test_a_function_of_something_else(tmp_path):
    with pytest.raises(InputError, match="odd must return one value for each of 8 samples, or the"):
        validated(tmp_path, PairedMetrics({"odd": lambda fake, real, y: torch.zeros(3)}))


def test_samples_for_which_no_metric_is_known(tmp_path):
    module = paired.gan(paired.Upscaler(sample_range="free"))
    with pytest.raises(InputError, match="got samples of shape .*and sample_range='free'; pass"):
        validated(tmp_path, PairedMetrics(), module)


def test_a_step_that_returns_no_pairs(tmp_path):
    class Silent(type(toys.gan())):
        def validation_step(self, batch, batch_idx, dataloader_idx=0):
            pass

    module = Silent(toys.generator(), toys.discriminator(), toys.gan().loss)
    run = toys.trainer(tmp_path, callbacks=[PairedMetrics()])
    with pytest.raises(InputError) as caught:
        run.validate(module, toys.loader(), verbose=False)
    assert str(caught.value) == (
        "PairedMetrics expects validation_step to return a dict with 'real' and 'fake', got "
        "NoneType; return what GANModule.validation_step does"
    )


def test_two_processes_measure_as_one(tmp_path):
    forked.in_two(Path(__file__).with_name("ddp_paired_metrics.py"), tmp_path)
    metrics = {"mae": MeanAbsoluteError(), "largest": lambda f, r, y: (f - r).abs().amax((1, 2, 3))}
    one, _ = validated(tmp_path, PairedMetrics(metrics))
    for rank in range(2):
        found = torch.load(tmp_path / f"rank{rank}.pt")
        assert found["val/mae"] == pytest.approx(one["val/mae"], rel=1e-5)
        assert found["val/largest"] == pytest.approx(one["val/largest"], rel=1e-5)
