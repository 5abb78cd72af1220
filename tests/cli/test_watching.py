"""Long work that is no training shows how far it is."""

from __future__ import annotations

import pytest
from PIL import Image

from lightning_gan.callbacks import run_bar
from lightning_gan.cli.watching import shown
from lightning_gan.tracking import tracked, watched_by


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(run_bar, "FIRST_LINE_S", 0.0)
    monkeypatch.setattr(run_bar, "LINE_S", 0.0)


def counted(out, what):
    lines = [line for line in out.splitlines() if line.startswith(f"{what}: ")]
    return [line.removeprefix(f"{what}: step ").split(",")[0] for line in lines]


def test_nobody_watches():
    assert list(tracked(iter("ab"), "spelling", 2)) == ["a", "b"]


def test_who_watches_is_told_and_no_longer():
    seen = []
    with watched_by(lambda *state: seen.append(state)):
        assert list(tracked("ab", "spelling", 2)) == ["a", "b"]
    list(tracked("ab", "spelling", 2))
    assert seen == [("spelling", 1, 2), ("spelling", 2, 2)]


def test_one_work_after_another(capsys):
    with shown():
        list(tracked("abc", "spelling", 3))
        list(tracked("ab", "reading", 2))
    out = capsys.readouterr().out
    assert counted(out, "spelling") == ["1 of 3", "2 of 3", "3 of 3"]
    assert counted(out, "reading") == ["1 of 2", "2 of 2"]


def test_work_inside_work_is_not_told(capsys):
    with shown():
        for _ in tracked("ab", "spelling", 2):
            list(tracked("xyz", "reading", 3))
        list(tracked("z", "reading", 1))
    out = capsys.readouterr().out
    assert counted(out, "spelling") == ["1 of 2", "2 of 2"]
    assert counted(out, "reading") == ["1 of 1"]


def test_work_that_is_left_before_its_end():
    seen = []
    with watched_by(lambda *state: seen.append(state)):
        left = tracked("abc", "spelling", 3)
        next(left)
    left.close()
    list(tracked("ab", "reading", 2))
    assert seen == []


def test_work_that_fails(capsys):
    def broken():
        yield 1
        raise ValueError

    with pytest.raises(ValueError), shown():  # noqa: PT011
        list(tracked(broken(), "breaking", 2))
    assert counted(capsys.readouterr().out, "breaking") == ["1 of 2"]


def test_images_that_are_read(command, tmp_path):
    (tmp_path / "set").mkdir()
    for number in range(6):
        Image.new("L", (8, 8), number).save(tmp_path / "set" / f"{number}.png")
    line = (
        "fit data=folder data.root=set data.batch_size=2 generator=mlp discriminator=mlp "
        "model.generator.hidden=[4] model.discriminator.hidden=[4] trainer.max_steps=1 "
        "trainer.accelerator=cpu samples=false curves=false trainer.enable_progress_bar=false"
    )
    result = command(line)
    assert result.code == 0, result.err
    assert "5 of 5" in counted(result.out, "reading images")
