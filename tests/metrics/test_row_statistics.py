"""What is remembered of rows is theirs alone, and harm to the cache costs no more than time."""

from __future__ import annotations

import os

import pytest
import torch

from lightning_gan.metrics import row_statistics
from lightning_gan.metrics.cache import kept, load_tensors, save_tensors
from lightning_gan.metrics.density_coverage import DensityCoverage
from lightning_gan.metrics.kid import KID
from lightning_gan.metrics.neighbors import nearest_rows
from lightning_gan.metrics.precision_recall import PrecisionRecall, precision_recall
from lightning_gan.metrics.row_statistics import let_last, statistic


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIGHTNING_GAN_CACHE", str(tmp_path))
    monkeypatch.setattr(row_statistics, "_memory", {})
    monkeypatch.setattr(row_statistics, "_lasting", set())
    return tmp_path


def counted():
    calls = []

    def total(rows, factor):
        calls.append(factor)
        return rows.sum() * factor

    return total, calls


def test_the_same_rows_and_settings_are_computed_once():
    total, calls = counted()
    rows = torch.randn(5, 3)
    first = statistic(total, rows, 2)
    assert torch.equal(statistic(total, rows.clone(), 2), first)
    assert calls == [2]
    assert statistic(total, rows, 3) != first
    assert statistic(total, rows + 1, 2) != first
    assert statistic(total, rows.double(), 2).dtype == torch.float64
    assert calls == [2, 3, 2, 2]


def test_only_the_last_statistics_stay_in_memory():
    total, calls = counted()
    for factor in range(40):
        statistic(total, torch.ones(1, 1), factor)
    assert len(row_statistics._memory) == 32
    statistic(total, torch.ones(1, 1), 39)
    statistic(total, torch.ones(1, 1), 0)
    assert calls == [*range(40), 0]


def test_only_rows_that_last_are_on_disk_and_are_read_to_the_bit(cache):
    total, calls = counted()
    rows = torch.randn(50, 3)
    statistic(total, rows, 2)
    assert list(cache.iterdir()) == []
    row_statistics._memory.clear()
    let_last(rows)
    first = statistic(total, rows, 2)
    row_statistics._memory.clear()
    assert torch.equal(statistic(total, rows, 2), first)
    assert calls == [2, 2]
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("metric", [PrecisionRecall(), DensityCoverage(), KID(3, 20)])
def test_real_rows_that_come_later_and_other_fakes_are_seen(metric):
    real, one, other = (torch.randn(40, 4) + shift for shift in (0.0, 0.2, 0.4))
    metric.update(real[:30], real=True)
    first, second = metric.clone(), metric.clone()
    first.update(one, real=False)
    before = first.compute()
    second.update(other, real=False)
    fresh = type(metric)() if not isinstance(metric, KID) else KID(3, 20)
    fresh.update(real[:30], real=True)
    fresh.update(other, real=False)
    row_statistics._memory.clear()
    assert second.compute() == fresh.compute() != before
    first.update(real[30:], real=True)
    whole = type(metric)() if not isinstance(metric, KID) else KID(3, 20)
    whole.update(real, real=True)
    whole.update(one, real=False)
    after = first.compute()
    row_statistics._memory.clear()
    assert after == whole.compute() != before


def test_remembered_scores_are_those_computed_anew():
    real, fake = torch.randn(60, 4), torch.randn(50, 4)
    first = precision_recall(real, fake)
    assert precision_recall(real, fake) == first
    row_statistics._memory.clear()
    assert precision_recall(real, fake) == first


def test_neighbors_are_found_across_blocks(monkeypatch):
    rows = torch.randn(75, 4)
    for exclude_self in (False, True):
        whole = nearest_rows(rows, rows, 3, exclude_self)
        with monkeypatch.context() as narrow:
            narrow.setattr("lightning_gan.metrics.neighbors._WIDTH", 32)
            pieces = nearest_rows(rows, rows, 3, exclude_self, chunk=20 * 32)
        assert torch.equal(pieces[0], whole[0])
        assert torch.equal(pieces[1], whole[1])


# The file ---------------------------------------------------------------------------------------


def damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def lie(path):
    tensors, notes = load_tensors(path)
    save_tensors(path, tensors, {**notes, "key": "other"})


@pytest.mark.parametrize("harm", [damage, cut, lie])
def test_a_harmed_file_is_computed_anew(cache, harm):
    first = kept("features", "a", lambda: {"x": torch.arange(4.0)})
    (path,) = cache.iterdir()
    harm(path)
    message = r"the features in .* are damaged or others', and are computed anew"
    with pytest.warns(UserWarning, match=message) as caught:
        again = kept("features", "a", lambda: {"x": torch.arange(4.0)})
    assert len(caught) == 1
    assert torch.equal(again["x"], first["x"])
    found = kept("features", "a", lambda: pytest.fail("computed"))  # without a warning
    assert torch.equal(found["x"], first["x"])


def test_a_folder_that_cannot_be_written_only_warns(cache, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lightning_gan.metrics.cache.save_tensors", full)
    with pytest.warns(UserWarning, match="could not be kept") as caught:
        found = kept("features", "a", lambda: {"x": torch.ones(2)})
    assert [str(each.message) for each in caught] == [
        f"features could not be kept in {cache} (No space left on device) and will be computed "
        "again next time: set LIGHTNING_GAN_CACHE to a folder that can be written"
    ]
    assert torch.equal(found["x"], torch.ones(2))


def test_too_much_is_not_kept(cache, monkeypatch):
    monkeypatch.setattr("lightning_gan.metrics.cache._LARGEST", 11)
    kept("features", "a", lambda: {"x": torch.ones(3)})
    assert list(cache.iterdir()) == []
    kept("features", "a", lambda: {"x": torch.ones(2)})
    assert len(list(cache.iterdir())) == 1


def test_the_least_recently_used_make_room(cache, monkeypatch):
    def used(key, at):
        kept("features", key, lambda: {"x": torch.tensor([key == "new"])})
        (path,) = [path for path in cache.glob("features*") if path not in ages]
        ages[path] = key
        os.utime(path, (at, at))

    ages = {}
    for at, key in enumerate(["first", "second", "third"]):
        used(key, at)
    kept("statistics", "another kind", lambda: {"x": torch.ones(1)})
    kept("features", "first", pytest.fail)  # and thus used last
    size = next(iter(ages)).stat().st_size
    monkeypatch.setattr("lightning_gan.metrics.cache._ALL", 3 * size)
    kept("features", "new", lambda: {"x": torch.tensor([True])})
    assert {ages.get(path, "new") for path in cache.glob("features*")} == {"first", "third", "new"}
    assert len(list(cache.glob("statistics*"))) == 1
