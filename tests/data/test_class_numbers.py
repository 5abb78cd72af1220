"""Labels whose numbers have gaps: the classes that there are, and a warning that maps them."""

import warnings

import numpy as np
import pytest
import torch

from lightning_gan.data import ArrayImages, save_arrays
from lightning_gan.data.class_numbers import numbered


def arrays(root, numbers, **options):
    np.save(root / "images.npy", np.zeros((len(numbers), 1, 2, 2), np.uint8))
    np.save(root / "labels.npy", np.array(numbers))
    return ArrayImages(str(root), holdout=0, **options)


def test_numbers_from_0_stay(tmp_path):
    module = arrays(tmp_path, [2, 0, 1, 1])
    assert module.num_classes == 3
    assert module.class_names == ["0", "1", "2"]
    assert module.images("train")[1].tolist() == [2, 0, 1, 1]
    assert arrays(tmp_path, [2, 0, 1, 1], labels=False).num_classes is None


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (
            [10, *range(1, 11)],
            "1..10: these 10 classes are numbered from 0 without gaps "
            "(1 becomes 0, 2 becomes 1, ..., 10 becomes 9)",
        ),
        (
            [255, *range(10)],
            "0..9, 255: these 11 classes are numbered from 0 without gaps (255 becomes 10)",
        ),
        (
            [7, 3],
            "3, 7: these 2 classes are numbered from 0 without gaps (3 becomes 0, 7 becomes 1)",
        ),
    ],
)
@pytest.mark.parametrize("in_memory", [True, False])
def test_gaps_are_closed_and_told(tmp_path, labels, said, in_memory):
    with pytest.warns(UserWarning, match="are numbered from 0") as caught:
        module = arrays(tmp_path, labels, in_memory=in_memory)
    assert [str(w.message) for w in caught] == [
        f"the labels of {tmp_path / 'labels.npy'} are {said}"
    ]
    names = sorted(set(labels))
    assert module.num_classes == len(names)
    assert module.class_names == [str(name) for name in names]
    found = module.images("train")[1].tolist()
    assert [names[number] for number in found] == labels
    batches = [y for _, y in module.val_dataloader()]
    assert torch.cat(batches).tolist() == found


def test_what_is_written_again_has_no_gaps(tmp_path):
    with pytest.warns(UserWarning, match="are numbered from 0"):
        module = arrays(tmp_path, [1, 2, 3, 3])
    save_arrays(module, tmp_path / "copy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ArrayImages(str(tmp_path / "copy")).num_classes == 3


def test_many_gaps_are_cut_short():
    with pytest.warns(UserWarning, match="are numbered from 0") as caught:
        values, numbers = numbered(torch.arange(0, 40, 2), "a")
    assert values == list(range(0, 40, 2))
    assert numbers.tolist() == list(range(20))
    assert str(caught[0].message) == (
        "the labels of a are 0, 2, 4, 6, 8, 10, 12, ..., 38: these 20 classes are numbered from 0 "
        "without gaps (2 becomes 1, 4 becomes 2, ..., 38 becomes 19)"
    )
