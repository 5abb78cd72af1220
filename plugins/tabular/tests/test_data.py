"""Training by sampling, held-out rows, and the place in the batches."""

import numpy as np
import pytest
import torch
from lightning_gan_tabular import TableData

from lightning_gan import InputError


@pytest.fixture(scope="module")
def data(csv):
    return TableData(str(csv), modes=2, batch_size=50)


def test_what_the_command_reads(data):
    layout = data.table.layout
    assert data.sample_shape == (layout.size,)
    assert data.network_arguments == {"table": data.table.description}
    assert len(data.train_dataloader()) == 108 // 50
    held = list(data.val_dataloader())
    assert [len(x) for x, _ in held] == [12]


def test_no_held_out_row_is_trained_on(data):
    held = torch.cat([x for x, _ in data.val_dataloader()])
    trained = data.train_dataloader().rows
    assert len(held) + len(trained) == 120
    assert torch.cdist(held, trained).min() > 0


def test_processes_share_held_out_rows_alike(csv, monkeypatch):
    data = TableData(str(csv), modes=1, batch_size=2)
    whole = torch.cat([x for x, _ in data.val_dataloader()])
    shares = []
    for rank in range(5):
        monkeypatch.setattr(data, "_process", lambda rank=rank: (rank, 5))
        shares.append(torch.cat([x for x, _ in data.val_dataloader()]))
    assert [len(share) for share in shares] == [2] * 5  # of 12
    assert torch.equal(torch.stack(shares, 1).flatten(0, 1), whole[:10])
    monkeypatch.setattr(data, "_process", lambda: (0, 13))
    assert data.val_dataloader() == []


def test_rows_have_the_category_of_their_condition(data):
    loader, condition = data.train_dataloader(), data.table.layout.condition
    batches = [loader.batch(0), *data.val_dataloader()]
    for x, y in batches:
        assert torch.equal(y.sum(1), torch.ones(len(y)))
        assert torch.equal((x[:, -condition:] * y).sum(1), torch.ones(len(y)))


def test_categories_are_drawn_by_the_logarithm_of_their_frequency(data):
    loader, layout = data.train_dataloader(), data.table.layout
    drawn = torch.cat([loader.batch(number)[1] for number in range(200)]).mean(0)
    expected = []
    for block in loader.rows[:, -layout.condition :].split(list(layout.categories), dim=1):
        logs = (block.sum(0) + 1).log()
        expected.append(logs / logs.sum() / len(layout.categories))
    torch.testing.assert_close(drawn, torch.cat(expected), atol=0.02, rtol=0)


def test_rows_of_a_category_are_drawn_alike(data):
    loader = data.train_dataloader()
    batches = [loader.batch(number) for number in range(300)]
    x, y = (torch.cat(part) for part in zip(*batches, strict=True))
    oslo = x[y[:, 1] == 1]
    different, counts = torch.unique(oslo, dim=0, return_counts=True)
    assert len(different) == int((loader.rows[:, -5 + 1] == 1).sum())
    expected = len(oslo) / len(different)
    spread = ((counts - expected) ** 2 / expected).sum() / (len(different) - 1)  # chi^2 / df
    assert 0.4 < spread < 1.8


def test_batches_are_functions_of_their_number(csv, data):
    loader = data.train_dataloader()
    first = [x for x, _ in loader] + [x for x, _ in loader]
    state = {"delivered": 1}
    again = TableData(str(csv), modes=2, batch_size=50)
    again.load_state_dict({**state, "table": data.table.description})
    resumed = again.train_dataloader()
    for expected, (x, _) in zip(first[1:3], resumed, strict=True):
        assert torch.equal(x, expected)
    assert resumed.state_dict() == {"delivered": 3}
    other = type(loader)(loader.rows, loader.layout, 50, 0, rank=1, processes=2)
    assert not torch.equal(other.batch(0)[0], first[0])


def test_a_table_without_categories(frame, tmp_path):
    path = tmp_path / "numbers.csv"
    frame[["income", "height"]].to_csv(path, index=False)
    data = TableData(str(path), modes=2, batch_size=7, holdout=0)
    assert data.val_dataloader() == []
    assert next(iter(data.train_dataloader())).shape == (7, data.table.layout.size)


def test_another_table_is_not_gone_on_with(csv, data, frame, tmp_path):
    path = tmp_path / "other.csv"
    frame.assign(income=frame["income"] + 1).to_csv(path, index=False)
    other = TableData(str(path), modes=2)
    with pytest.raises(InputError, match="trained on another table: column 'income'"):
        other.load_state_dict(data.state_dict())


def test_what_cannot_be_used_is_said(csv, frame, tmp_path):
    frame[:5].to_csv(tmp_path / "short.csv", index=False)
    with pytest.raises(InputError, match="has 5 rows; a table needs 10"):
        TableData(str(tmp_path / "short.csv"))
    for setting in ({"batch_size": 0}, {"modes": 0}, {"seed": -1}, {"holdout": 1.0}):
        with pytest.raises(InputError, match="batch_size and modes must be at least 1"):
            TableData(str(csv), **setting)


def test_types_are_of_the_data(csv):
    data = TableData(str(csv), {"age": "category", "income": "drop"}, modes=1)
    assert "income" not in data.table.names
    ages = next(c for c in data.table.columns if c["name"] == "age")
    assert all(isinstance(value, str) for value in ages["values"])  # text of the file
    assert np.sum(ages["counts"]) == 120
