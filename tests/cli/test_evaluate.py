"""The commands that look at what a run has left: evaluate, compare, report."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image
from pixel_judge import Pixels

from lightning_gan.__main__ import main
from lightning_gan.callbacks import run_bar
from lightning_gan.evaluation import ScoreCard
from lightning_gan.metrics import judge

LAST = Path("runs/version_0/checkpoints/last.ckpt")
CARDS = Path("runs/version_0/scorecards")
FEW = "n_fake=24 n_real=16 kid_subsets=2 score_splits=2"


EVIL = """
from pathlib import Path
from lightning_gan.data import RandomImages
Path("imported").touch()
class Data(RandomImages): pass
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small):
    """Folder with the runs of one short training."""
    folder = tmp_path_factory.mktemp("trained")
    words = small.replace("data.n=8", "data.n=32 data.num_classes=3")
    words = words.replace("default_root_dir=runs", f"default_root_dir={folder}/runs")
    assert main(["fit", *words.split()]) == 0
    return folder / "runs"


@pytest.fixture
def run(command, trained, monkeypatch):
    """The command in a folder with a finished run, and a judge that is there at once."""
    monkeypatch.setattr(judge, "judge_for", lambda *data: Pixels(data[-1]))
    shutil.copytree(trained, "runs")
    return command


# evaluate ---------------------------------------------------------------------------------------


def test_it_says_how_far_it_is(run, monkeypatch):
    monkeypatch.setattr(run_bar, "FIRST_LINE_S", 0.0)
    monkeypatch.setattr(run_bar, "LINE_S", 0.0)
    result = run(f"evaluate {LAST} n_fake=600 n_real=16 metrics=[fid]")
    lines = [line.split(",")[0] for line in result.out.splitlines() if ": step" in line]
    assert lines[-2:] == ["sampling: step 1 of 2", "sampling: step 2 of 2"]


def test_a_card_beside_the_run(run):
    result = run(f"evaluate {LAST} {FEW}")
    assert result.code == 0
    assert result.err == ""
    first, *_ = result.out.splitlines()
    assert first == f"evaluating {LAST} on cpu"
    assert "\nfid " in result.out
    assert result.out.endswith(
        "24 samples (averaged weights, seed 0) against 16 train images of RandomImages; features: "
        f"judge, 50.00% right on test images\nscore card: {CARDS}/last.json\n"
        f"picture: {CARDS}/last-classes.png\npicture: {CARDS}/last-sharpness.png\n"
    )
    for name in ("classes", "sharpness"):
        with Image.open(CARDS / f"last-{name}.png") as picture:
            assert picture.size == (800, 400)
    card = ScoreCard.load(CARDS / "last.json")
    assert card.checkpoint == {"path": str(LAST), "step": 2, "images": 8}
    assert "conditional_accuracy" in card.scores
    assert card.protocol["data"]["num_classes"] == 3


def test_points_of_a_known_density(command, tmp_path):
    small = "trainer.max_steps=2 data.n=80 data.batch_size=8 trainer.enable_progress_bar=false"
    plain = "curves=false health=false trainer.callbacks=null trainer.default_root_dir=runs"
    assert command(f"fit experiment=mixture_ring {small} {plain}").code == 0
    result = command(f"evaluate {LAST} n_fake=600")
    assert result.err == ""
    lines = result.out.splitlines()
    names = [line.split()[0] for line in lines[3:8]]
    assert names == ["modes", "within_three_sigma", "spread", "narrowest_mode", "rarest_mode"]
    assert lines[-2].endswith("weights, seed 0) against the density of MixtureRing")
    assert ScoreCard.load(CARDS / "last.json").protocol["n_fake"] == 600


def test_cards_do_not_overwrite_each_other(run):
    run(f"evaluate {LAST} {FEW} metrics=[fid]")
    result = run(f"evaluate {LAST} {FEW} metrics=[fid] seed=1 split=test")
    assert result.out.endswith(f"score card: {CARDS}/last-1.json\n")
    assert not list(CARDS.glob("*.png"))
    assert ScoreCard.load(CARDS / "last-1.json").protocol["seed"] == 1
    assert ScoreCard.load(CARDS / "last-1.json").protocol["split"] == "test"
    assert run(f"evaluate {LAST} {FEW} metrics=[fid] output=own/a.json").code == 0
    assert list(ScoreCard.load("own/a.json").scores) == ["fid"]
    assert run(f"evaluate {LAST} {FEW} output=own/a.json").error == (
        "output: own/a.json exists already; choose another name"
    )


def test_other_data_than_those_of_the_run(run):
    run(f"evaluate {LAST} {FEW} metrics=[fid]")
    run(f"evaluate {LAST} {FEW} metrics=[fid] data.seed=5")
    words = "data=random data.n=16 data.num_classes=3 data.labels=false"
    run(f"evaluate {LAST} {FEW} metrics=[fid] {words}")
    old, seeded, chosen = (
        ScoreCard.load(CARDS / f"{name}.json").protocol["data"]
        for name in ("last", "last-1", "last-2")
    )
    assert old["sha256"] != seeded["sha256"]
    assert (old["order"], chosen["order"]) == ("subset", "all")
    assert run(f"evaluate {LAST} data=digits").error == (
        "the generator is conditional on 3 classes, the data have 10: "
        "evaluate it on the data that it was trained on"
    )


def test_a_checkpoint_without_its_run(run, tmp_path):
    shutil.copy(LAST, "model.ckpt")
    assert run("evaluate model.ckpt").error == (
        "there is no config.yaml of the run beside model.ckpt or above it: say what the data are, "
        "for example data=mnist data.root=data"
    )
    data = "data=random data.n=32 data.num_classes=3"
    assert run(f"evaluate model.ckpt {FEW} metrics=[fid] {data}").code == 0
    assert (tmp_path / "scorecards" / "model.json").is_file()


@pytest.fixture
def evil(run, tmp_path, monkeypatch):
    """A run whose configuration names a class beside it, which leaves a file when imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "evil_data", raising=False)
    Path("evil_data.py").write_text(EVIL)

    def name(change):
        file = Path("runs/version_0/config.yaml")
        config = yaml.safe_load(file.read_text())
        change(config["data"])
        file.write_text(yaml.safe_dump(config))

    name(lambda data: data.update(class_path="evil_data.Data"))
    return name


def test_a_configuration_that_was_only_found_imports_nothing(run, evil):
    words = f"evaluate {LAST} {FEW} metrics=[fid]"
    for more in ("", " data.n=32", " trust=false"):
        assert run(words + more).error == (
            "runs/version_0/config.yaml names evil_data.Data for the data, which is not a class of "
            "lightning_gan.data and would be imported: add trust=true if you trust that file, or "
            "say what the data are, for example data=mnist data.root=data"
        )
    assert run(f"{words} data=random data.n=32 data.num_classes=3").code == 0
    assert not Path("imported").exists()
    assert run(f"{words} trust=true").code == 0
    assert Path("imported").exists()


def test_a_class_on_the_command_line_is_trusted(run, evil):
    assert run(f"evaluate {LAST} {FEW} metrics=[fid] data.class_path=evil_data.Data").code == 0


@pytest.mark.parametrize(
    "hidden",
    [
        {"class_path": "evil_data.Data"},
        [{"class_path": "evil_data.Data"}],
        '{"class_path": "evil_data.Data"}',
    ],
)
def test_a_class_inside_the_data_imports_nothing(hidden, run, evil):
    ours = "lightning_gan.data.RandomImages"
    evil(lambda data: (data.update(class_path=ours), data["init_args"].update(seed=hidden)))
    error = run(f"evaluate {LAST} {FEW}").error
    assert "evil_data.Data" in error
    assert "trust=true" in error
    assert not Path("imported").exists()


def test_a_missing_checkpoint_is_sought_nearby_only(run, tmp_path):
    deep = tmp_path / "elsewhere" / "deep"
    deep.mkdir(parents=True)
    shutil.copy(LAST, deep / "lost.ckpt")
    message = f"no checkpoint at {tmp_path}/elsewhere/deeq/lost.ckpt"
    assert run(f"evaluate {tmp_path}/elsewhere/deeq/lost.ckpt").error == message
    message = f"no checkpoint at {deep}/lots.ckpt, did you mean '{deep}/lost.ckpt'?"
    assert run(f"evaluate {deep}/lots.ckpt").error == message
    message = f"got the folder {tmp_path}/elsewhere without a checkpoint in it"
    assert message in run(f"evaluate {tmp_path}/elsewhere").error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "",
            "evaluate expects a checkpoint first, got nothing: lightning-gan evaluate "
            "runs/NAME/version_0/checkpoints/last.ckpt n_fake=10000",
        ),
        (
            "n_fake=100",
            "evaluate expects a checkpoint first, got n_fake=100: lightning-gan evaluate "
            "runs/NAME/version_0/checkpoints/last.ckpt n_fake=10000",
        ),
        (f"{LAST} --n_fake=3", "evaluate expects key=value after the checkpoint, got '--n_fake=3'"),
        (f"{LAST} split", "evaluate expects key=value after the checkpoint, got 'split'"),
        (
            "runs/version_0/checkpoints/lst.ckpt",
            f"no checkpoint at runs/version_0/checkpoints/lst.ckpt, did you mean '{LAST}'?",
        ),
        ("runs/version_1/checkpoints/last.ckpt", f"did you mean '{LAST}'?"),
        (
            "runs/version_0",
            "evaluate expects a checkpoint, got the folder runs/version_0: "
            f"name one, such as {LAST}",
        ),
        (f"{LAST} n_fakes=3", "evaluate: unknown setting 'n_fakes=3', did you mean 'n_fake'? "),
        (f"{LAST} model.loss=hinge", "evaluate: unknown setting 'model.loss=hinge'. Settings are"),
        (f"{LAST} seed=1,2", "evaluate: unknown setting 'seed=1,2', did you mean 'seed'? "),
        (f"{LAST} n_fake=many", "n_fake must be a whole number from 2, got 'many'"),
        (f"{LAST} features=jugde", "got 'jugde', did you mean 'judge'?"),
        (f"{LAST} data=mnits", "data: unknown choice 'mnits', did you mean 'mnist'?"),
        (f"{LAST} data.rooot=x", "data.rooot"),
        (f"{LAST} data=null", "data is missing; expected a LightningDataModule"),
        (f"{LAST} data=random,digits", "data: got several values, 'random,digits'"),
        (f"{LAST} data=[random,digits]", "data: got ['random', 'digits']; expected a Lightning"),
        (f"{LAST} device=abacus", "device: got 'abacus'; Expected one of cpu, cuda"),
        (f"{LAST} threads=0", "threads: got 0; expected a number of CPU threads"),
        (f"{LAST} -m", "evaluate takes no -m; see lightning-gan evaluate --help"),
    ],
)
def test_wrong_words(words, message, run):
    result = run(f"evaluate {words}")
    assert result.code == 2
    assert message in result.error


def test_a_file_that_is_no_checkpoint(run):
    path = Path("runs/version_0/checkpoints/other.ckpt")
    path.write_text("x")
    assert run(f"evaluate {path}").error == f"{path} is not a checkpoint or is damaged"


def test_wrong_words_cost_no_import_of_torch(run):
    code = (
        "import sys; from lightning_gan.__main__ import main\n"
        "for words in ('no.ckpt', '{0} n_fakes=3', '{0} n_fake=x', '{0} data=mnits'):\n"
        "    assert main(['evaluate', *words.split()]) == 2\n"
        "assert main(['compare', 'a.json', 'b.json']) == 2\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code.format(LAST)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


# compare ----------------------------------------------------------------------------------------


def test_two_checkpoints_compared(run):
    run(f"evaluate {LAST} {FEW} output=a.json")
    run(f"evaluate {LAST} {FEW} output=b.json seed=1")
    result = run("compare a.json b.json")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[:3] == ["A: a.json (step 2)", "B: b.json (step 2)", ""]
    assert lines[3].split() == ["score", "A", "B", "B", "-", "A", "better"]
    assert lines[-1] == "note: seed is 0 on A, 1 on B"
    assert run("compare a.json b.json a.json").out.splitlines()[4].split()[:4] == [
        "score", "A", "B", "C",
    ]  # fmt: skip


def test_unlike_cards(run):
    run(f"evaluate {LAST} {FEW} metrics=[fid] output=a.json")
    run(f"evaluate {LAST} {FEW} metrics=[fid] output=b.json n_fake=30")
    assert run("compare a.json b.json").error == (
        "the cards were not measured alike, so their scores cannot be compared: n_fake is 24 on A, "
        "30 on B: evaluate again with the same settings (A is a.json, B is b.json)"
    )


def test_cards_that_are_not_there(command):
    Path("a.json").write_text(json.dumps({}))
    assert command("compare").error == "a comparison needs two score cards or more, got 0"
    assert command("compare a.jsn").error == "no score card at a.jsn, did you mean 'a.json'?"
    assert command("compare a.json").error == (
        "a.json is not a score card: lightning-gan evaluate writes them"
    )


# report -----------------------------------------------------------------------------------------


def test_a_page_about_a_run(run):
    result = run("report runs/version_0")
    assert result.code == 0
    assert result.out == "report: runs/version_0/report.html\n"
    assert Path("runs/version_0/report.html").is_file()


@pytest.mark.parametrize("words", ["", "a b", "--all"])
def test_a_report_is_about_one_run(words, command):
    assert command(f"report {words}").error == (
        f"report expects the folder of one run, got {words or 'nothing'}: "
        "lightning-gan report runs/NAME/version_0"
    )


def test_there_is_no_such_run(command):
    assert command("report rnus").code == 2
