from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from lightning_gan.callbacks import PredictionWriter
from lightning_gan.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


class Loader:
    """Not a DataLoader: Lightning does not know the places of its samples."""

    def __init__(self, *batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def predict(make_trainer):
    def run(gan, loaders, **options):
        trainer = make_trainer(PredictionWriter(), **options)
        trainer.predict(gan, loaders, return_predictions=False)

    return run


def test_each_image_is_a_png_numbered_over_batches(fake_gan, predict, tmp_path, capsys):
    gan = fake_gan(sample_shape=(3, 4, 5))
    predict(gan, Loader(torch.zeros(2, 3, 4, 5), torch.zeros(3, 3, 4, 5)))
    folder = tmp_path / "predictions"
    assert names(folder) == [f"{index:06d}.png" for index in range(5)]
    picture = np.asarray(Image.open(folder / "000003.png"))
    expected = (gan.sample(3, seed=1)[1].permute(1, 2, 0) + 1) * 127.5
    assert np.array_equal(picture, expected.round().to(torch.uint8).numpy())
    assert capsys.readouterr().out.endswith(f"predictions: 5 in {folder}\n")


def test_the_class_is_in_the_name_and_in_the_picture(fake_gan, predict, tmp_path):
    batch = (torch.zeros(3, 1, 8, 8), torch.tensor([2, 0, 1]))
    predict(fake_gan(num_classes=3), Loader(batch))
    folder = tmp_path / "predictions"
    assert names(folder) == ["000000-class2.png", "000001-class0.png", "000002-class1.png"]
    levels = [np.asarray(Image.open(folder / name)).mean() for name in names(folder)]
    assert levels == [255, 0, 128]


@pytest.mark.parametrize("y", [torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2)])
def test_labels_of_another_kind_are_left_out_of_names(y, fake_gan, make_trainer, tmp_path):
    gan = fake_gan()
    gan.predict_step = lambda batch, batch_idx: gan.sample(2, seed=0)
    make_trainer(PredictionWriter()).predict(gan, Loader((torch.zeros(2, 1, 8, 8), y)))
    assert names(tmp_path / "predictions") == ["000000.png", "000001.png"]


def test_known_places_in_the_data_set_are_the_numbers(fake_gan, predict, tmp_path):
    data = TensorDataset(torch.zeros(5, 1, 8, 8), torch.arange(5))
    loader = DataLoader(data, batch_size=2, sampler=[4, 2, 0, 3, 1])
    predict(fake_gan(num_classes=5), loader)
    assert names(tmp_path / "predictions") == [
        f"{index:06d}-class{index}.png" for index in range(5)
    ]


def test_several_loaders_do_not_overwrite_each_other(fake_gan, predict, tmp_path):
    data = TensorDataset(torch.zeros(2, 1, 8, 8))
    gan = fake_gan()
    gan.predict_step = lambda batch, batch_idx, dataloader_idx: gan.sample(2, seed=0)
    predict(gan, [DataLoader(data, batch_size=2), DataLoader(data, batch_size=2)])
    assert names(tmp_path / "predictions") == [
        f"00000{index}-loader{loader}.png" for index in (0, 1) for loader in (0, 1)
    ]


def test_samples_that_are_no_pictures_become_arrays(fake_gan, predict, tmp_path):
    gan = fake_gan(sample_shape=(2,))
    predict(gan, Loader(torch.zeros(3, 2), torch.zeros(4, 2)))
    folder = tmp_path / "predictions"
    assert names(folder) == ["batch-000000.npy", "batch-000001.npy"]
    assert np.array_equal(np.load(folder / "batch-000001.npy"), gan.sample(4, seed=1).numpy())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_arrays_of_every_type_can_be_written(dtype, fake_gan, predict, tmp_path):
    gan = fake_gan(sample_shape=(5, 2, 2))  # five channels are no picture
    prediction = gan.sample(2, seed=0).to(dtype)
    gan.predict_step = lambda batch, batch_idx: prediction
    predict(gan, Loader(torch.zeros(2, 5, 2, 2)))
    written = np.load(tmp_path / "predictions" / "batch-000000.npy")
    assert np.array_equal(written, prediction.double().numpy())


def test_earlier_predictions_are_kept(fake_gan, predict, tmp_path, capsys):
    for _ in range(3):
        predict(fake_gan(), Loader(torch.zeros(1, 1, 8, 8)))
    assert names(tmp_path) == ["predictions", "predictions-1", "predictions-2"]
    assert all(names(folder) == ["000000.png"] for folder in tmp_path.iterdir())
    assert f"predictions: 1 in {tmp_path / 'predictions-2'}\n" in capsys.readouterr().out


def test_the_rank_is_in_the_name_where_there_are_several(
    fake_gan, make_trainer, tmp_path, monkeypatch
):
    writer, gan, trainer = PredictionWriter(), fake_gan(), make_trainer()
    monkeypatch.setattr(type(trainer), "world_size", 2)
    monkeypatch.setattr(type(trainer), "global_rank", 1)
    monkeypatch.setattr(type(trainer.predict_loop), "num_dataloaders", 1)
    writer.on_predict_start(trainer, gan)
    for batch_idx in range(2):
        x = torch.zeros(2, 1, 8, 8)
        writer.write_on_batch_end(trainer, gan, x, None, (x, torch.tensor([7, 8])), batch_idx, 0)
    assert names(tmp_path / "predictions") == [
        "000000-rank1-class7.png",
        "000001-rank1-class8.png",
        "000002-rank1-class7.png",
        "000003-rank1-class8.png",
    ]


def test_predictions_that_are_not_a_tensor_are_refused(fake_gan, predict):
    gan = fake_gan()
    gan.predict_step = lambda batch, batch_idx: {"samples": batch}
    message = r"PredictionWriter expects predict_step to return a tensor \(N, \.\.\.\), got dict;"
    with pytest.raises(InputError, match=message):
        predict(gan, Loader(torch.zeros(1, 1, 8, 8)))


def test_fast_dev_run_leaves_no_files(fake_gan, predict, tmp_path):
    predict(fake_gan(), Loader(torch.zeros(1, 1, 8, 8)), fast_dev_run=True, max_steps=-1)
    assert list(tmp_path.iterdir()) == []
