"""The best checkpoint as a setting of the command, and what other commands make of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from pytorch_lightning import Callback

from lightning_gan.cli.arguments import read_words
from lightning_gan.cli.settings import compose, options
from lightning_gan.cli.settings.resolve import resolve
from lightning_gan.cli.trainer import ckpt_path

SCORES = {2: 5.0, 4: 3.0, 6: 4.0, 8: 6.0}
EVALUATION = f"evaluation.class_path={__name__}.Scores"
FOLDER = Path("runs/version_0")
CHECKPOINTS = FOLDER / "checkpoints"


class Scores(Callback):
    """Logs given scores in place of an evaluation."""

    def logged_scores(self, module):
        return {"fid": "lower"}

    def on_train_batch_end(self, trainer, *rest):
        if trainer.global_step in SCORES:
            trainer.callback_metrics["val/fid"] = torch.tensor(SCORES[trainer.global_step])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["best=fid"], {"monitor": "fid"}),
        (["best=val/fid", "best.patience=3"], {"monitor": "val/fid", "patience": 3}),
        (["best.monitor=kid", "best.explosion=null"], {"monitor": "kid", "explosion": None}),
        (["best=off"], None),
        (["best=null"], None),
    ],
)
def test_both_grammars(words, expected):
    given = read_words(["fit", *(f"--{word}" for word in words)]).options
    for settings in (compose.settings(words), options.settings_of_options(given)):
        node = resolve(settings)["best"]
        assert (node and node["init_args"]) == expected


def test_a_run_ends_and_others_find_the_best(command, small):
    result = command(f"fit {small} trainer.max_steps=20 {EVALUATION} best=fid best.patience=2")
    assert (result.code, result.err) == (0, "")
    ended = "training ends at step 8: fid got no better in 2 scores"
    assert f"{ended}; the best, fid 3 at step 4, is {CHECKPOINTS / 'best.ckpt'}" in result.out
    assert torch.load(CHECKPOINTS / "best.ckpt", weights_only=True)["global_step"] == 4
    assert torch.load(CHECKPOINTS / "last.ckpt", weights_only=True)["global_step"] == 8
    assert json.loads((FOLDER / "best.json").read_text())["ended"] == ended
    assert (
        yaml.safe_load((FOLDER / "config.yaml").read_text())["best"]["init_args"]["patience"] == 2
    )

    result = command(f"sample {FOLDER} --out=last.npz --num=1")
    assert result.out.splitlines()[0] == (
        f"{FOLDER}: the last checkpoint; the best, fid 3 at step 4, is {CHECKPOINTS / 'best.ckpt'}"
    )
    assert command(f"sample {CHECKPOINTS / 'best.ckpt'} --out=best.npz --num=1").code == 0
    assert Path("last.npz").read_bytes() != Path("best.npz").read_bytes()
    result = command(f"fit {small} init_from={CHECKPOINTS / 'best.ckpt'} best=null")
    assert result.code == 0

    # The same line again changes nothing; more patience goes on, in a folder with the best, too.
    again = f"fit {small} trainer.max_steps=20 {EVALUATION} best=fid ckpt_path="
    path = CHECKPOINTS / "last.ckpt"
    assert ended in command(f"{again}{path} best.patience=2").out
    result = command(f"{again}{path} best.patience=3")
    assert "steps" in result.out
    newest = max(Path("runs").glob("version_*"), key=lambda folder: int(folder.name[8:]))
    assert torch.load(newest / "checkpoints" / "best.ckpt", weights_only=True)["global_step"] == 4
    assert torch.load(newest / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 20


def test_wrong_settings_get_one_sentence(command, small):
    run = f"fit {small} {EVALUATION}"
    assert command(f"{run} best=fidd").error == (
        "best.monitor must be a score that this run logs, got 'fidd', did you mean 'fid'? It logs "
        "fid; for another that your module logs as val/fidd, set best.mode to min or max"
    )
    assert command(f"{run} best=fid best.mode=max").error == (
        "best.mode: fid is better when it is lower, got max; leave best.mode out"
    )
    assert command(f"{run} best=fid best.patience=0").error == (
        "best: BestCheckpoint: patience must be at least 1, got 0"
    )
    assert command(f"{run} best=true").error == (
        "best.monitor is missing; expected str, name of the score: `fid`, or `val/fid`: "
        "best.monitor=..."
    )
    assert command(f"{run} best=fid trainer.enable_checkpointing=false").error == (
        "best: trainer.enable_checkpointing=false leaves all checkpoints out; remove it, or set "
        "best=null"
    )
    assert not Path("runs").exists()


def test_of_one_step_the_last_checkpoint_is_gone_on_from(command, small, monkeypatch):
    monkeypatch.setitem(SCORES, 3, 1.0)
    command(f"fit {small} trainer.max_steps=3 {EVALUATION} best=fid")
    for name in ("last.ckpt", "best.ckpt"):  # best.ckpt is written later: of a score of the end
        file = CHECKPOINTS / name
        file.write_bytes(file.read_bytes())
    assert ckpt_path.find_checkpoint("fit", "last", "runs") == str(CHECKPOINTS / "last.ckpt")
