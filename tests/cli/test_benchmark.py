"""The command benchmark: what it runs, prints, writes and refuses."""

import itertools
import json
import re
import signal

import pytest
import torch

from lightning_gan.benchmark.plain import PlainLoop

DENSE = (
    "benchmark data=random data.n=16 data.batch_size=4 model.generator.hidden=[4] "
    "model.discriminator.hidden=[4] trainer.accelerator=cpu trainer.enable_progress_bar=false "
    "trainer.enable_model_summary=false"
)
LOOPS = ["lightning-gan", "hand-tuned loop", "plain loop"]


def test_without_an_experiment_the_dense_one_is_timed(command, tmp_path):
    result = command(f"{DENSE} rounds=2 steps=1 threads=1")
    assert result.code == 0
    lines = result.out.splitlines()
    assert "MLPGenerator and MLPDiscriminator on RandomImages 1x28x28, batch 4, 32-true" in lines
    assert "2 rounds, 1 steps of each loop in a round" in lines
    assert lines[-1] == "file: runs/benchmark_dense/version_0/benchmark.json"
    folder = tmp_path / "runs" / "benchmark_dense" / "version_0"
    content = json.loads((folder / "benchmark.json").read_text())
    assert list(content["loops"]) == LOOPS
    assert [len(loop["rounds"]) for loop in content["loops"].values()] == [2, 2, 2]
    assert content["machine"]["threads"] == torch.get_num_threads() == 1
    # Logger and checkpoint are those of fit.
    assert (folder / "config.yaml").is_file()
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    assert list(folder.glob("events.out.tfevents*"))


def test_the_dcgan_experiment_in_mixed_precision(command, tmp_path):
    words = DENSE.split(" model.")[0]
    result = command(
        f"{words} experiment=benchmark_dcgan model.generator.base_channels=2 "
        "model.discriminator.base_channels=2 trainer.accelerator=cpu trainer.precision=bf16-mixed "
        "trainer.enable_progress_bar=false trainer.enable_model_summary=false "
        "trainer.logger=false rounds=1 steps=1 out=new/file.json"
    )
    assert result.code == 0
    about = "DCGANGenerator and DCGANDiscriminator on RandomImages 1x32x32, batch 4, bf16-mixed"
    assert about in result.out.splitlines()
    assert result.out.endswith("file: new/file.json\n")
    assert json.loads((tmp_path / "new" / "file.json").read_text())["steps"] == 1


def test_labels_from_mnist_reach_all_loops(command, real_data):
    result = command(
        f"{DENSE.replace('data=random data.n=16', f'data.root={real_data}')} data.labels=true "
        "rounds=1 steps=1"
    )
    assert result.code == 0
    assert "on MNIST 1x28x28, batch 4" in result.out


WRONG = {
    "round=3": "benchmark: unknown setting 'round=3', did you mean 'rounds'? Settings are rounds, "
    "steps, out and those of lightning-gan fit",
    "~rounds": "benchmark: unknown setting '~rounds', did you mean 'rounds'? *",
    "rounds=1,2": "benchmark: unknown setting 'rounds=1,2', *",
    "rounds=0": "rounds must be a whole number from 1, got 0",
    "steps=ten": "steps must be a whole number from 1, got 'ten'",
    "out=there.json": "out: there.json exists already; choose another name",
    "ckpt_path=last": "benchmark trains from the start, got ckpt_path=last: leave it out",
    "regularizers=[r1]": "benchmark compares with short hand-written loops, which cannot do all "
    "that this module does: leave it out with regularizers=[]",
    "experiment=mnist_dense": "benchmark compares with *: leave it out with "
    "model.generator_clip_value=null model.discriminator_clip_value=null",
    "trainer.precision=bf16-true": "benchmark: the Trainer's precision must be one of "
    "32-true, bf16-mixed, 64-true, got bf16-true",
    "trainer.fast_dev_run=true": "the benchmark ended before its first round: *",
    "trainer.default_root_dir=there.json": "trainer.default_root_dir: got there.json; *",
    "-m": "benchmark takes no -m; see lightning-gan benchmark --help",
    "fast": "'fast' is not understood; expected key=value",
    "data=mixture_ring": "benchmark expects images [C, H, W] of a class of lightning_gan.data, got "
    "MixtureRing: take MNIST or RandomImages",
    "trainer.strategy=ddp_spawn trainer.devices=2": "benchmark measures one process, got 2: set "
    "devices to 1",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_end_in_one_sentence(command, tmp_path, words):
    (tmp_path / "there.json").touch()
    result = command(f"{DENSE} rounds=1 steps=1 {words}")
    assert result.code == 2
    pattern = ".*".join(map(re.escape, WRONG[words].split("*")))
    assert re.fullmatch(pattern, result.err.splitlines()[-1].removeprefix("error: ")), result.err


@pytest.mark.parametrize(("call", "rounds"), [(1, None), (3, 2)])
def test_a_signal_ends_it_and_what_was_measured_is_kept(
    command, tmp_path, monkeypatch, call, rounds
):
    calls = itertools.count(1)

    def run(loop, steps):
        if next(calls) == call:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(PlainLoop, "run", run)
    result = command(f"{DENSE} rounds=5 steps=2 out=file.json")
    assert result.code == 128 + signal.SIGINT
    assert result.err == ""
    path = tmp_path / "file.json"
    assert path.exists() == (rounds is not None)
    if rounds is not None:
        kept = json.loads(path.read_text())["loops"]["lightning-gan"]["rounds"]
        assert len(kept) == rounds


def test_the_help_names_every_setting(command):
    text = command("benchmark --help").out
    assert text.startswith("usage: lightning-gan benchmark [key=value ...]\n")
    for name in ("rounds=5", "steps=50", "out=", "experiment=benchmark_dense"):
        assert f"\n  {name} " in text
    assert max(map(len, text.splitlines())) <= 100
