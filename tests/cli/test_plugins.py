"""Third-party distributions: listed without import, chosen by name, and harmless when broken."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

LOSS = """\
from lightning_gan.losses.minimax import MinimaxLoss


class Theirs(MinimaxLoss):
    '''Somebody else's loss.

    Args:
        slope: How steep.
    '''

    def __init__(self, slope: float = 1.0) -> None:
        super().__init__()
        self.slope = slope
"""
GROUP = "lightning_gan.losses"
CONFIGS = "lightning_gan.configs"


@pytest.mark.parametrize("words", ["plugins list", "--version", "--help", "fit --help"])
def test_torch_stays_out(words, tmp_path):
    code = (
        "import sys; from lightning_gan.__main__ import main; "
        f"code = main({words.split()!r}); assert code == 0; "
        "print('imported:', [m for m in ('torch', 'pytorch_lightning') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("imported: []\n")


def test_list(command, install):
    install("gan-hinge", {GROUP: ["theirs = nowhere:Nope"]}, {})
    lines = command("plugins list").out.splitlines()
    assert lines[0].split() == ["kind", "name", "distribution", "version", "status"]
    assert ["loss", "theirs", "gan-hinge", "1.0", "registered"] in [line.split() for line in lines]


def test_list_as_json(command, install):
    install("gan-hinge", {GROUP: ["minimax = their_loss:Theirs"]}, {"their_loss.py": LOSS})
    rows = json.loads(command("plugins list --json").out)
    (row,) = [row for row in rows if row["distribution"] == "gan-hinge"]
    assert row == {
        "kind": "loss",
        "name": "minimax",
        "distribution": "gan-hinge",
        "version": "1.0",
        "class_path": "their_loss.Theirs",
        "status": "shadowed by ours, use gan-hinge:minimax",
    }


def test_check_finds_the_broken_one(command, install):
    assert command("plugins list --check").code == 0
    install("gan-broken", {GROUP: ["broken = nowhere:Nope"]}, {})
    result = command("plugins list --check")
    assert result.code == 1
    (line,) = [line for line in result.out.splitlines() if "gan-broken" in line]
    assert "broken: failed to import: ModuleNotFoundError: No module named 'nowhere'" in line


def test_a_broken_one_is_an_error_only_where_it_is_used(command, install, small):
    install("gan-broken", {GROUP: ["broken = nowhere:Nope"], CONFIGS: ["x = nowhere.configs"]}, {})
    with pytest.warns(UserWarning, match="the configurations of gan-broken 1.0 .* cannot be read"):
        assert command(f"fit {small} --print_config").code == 0
    with pytest.warns(UserWarning, match="cannot be read"):
        result = command(f"fit {small} loss=broken")
    assert result.code == 2
    assert result.err.startswith(
        "error: model.loss: loss 'broken' from gan-broken 1.0 (nowhere:Nope) failed to import: "
    )


@pytest.mark.parametrize(
    "words",
    [
        "loss=theirs model.loss.slope=3",
        "loss=gan-hinge:theirs model.loss.slope=3",
        "loss=their_loss.Theirs model.loss.slope=3",
        "model.loss=theirs model.loss.slope=3",
        "--model.loss theirs --model.loss.slope 3",
        "--model.loss=gan-hinge:theirs --model.loss.slope=3",
        "--model.loss their_loss.Theirs --model.loss.slope 3",
    ],
)
def test_chosen_by_name(words, command, install):
    install("gan-hinge", {GROUP: ["theirs = their_loss:Theirs"]}, {"their_loss.py": LOSS})
    config = yaml.safe_load(command(f"fit {words} --print_config").out)
    expected = {"class_path": "their_loss.Theirs", "init_args": {"slope": 3.0}}
    assert config["model"]["init_args"]["loss"] == expected


def test_two_of_one_name(command, install):
    install("gan-a", {GROUP: ["theirs = their_loss:Theirs"]}, {"their_loss.py": LOSS})
    install("gan-b", {GROUP: ["theirs = nowhere:Nope"]}, {})
    result = command("fit loss=theirs")
    assert result.code == 2
    assert result.error == (
        "loss: loss 'theirs' is ambiguous: loss 'theirs' from gan-a 1.0 (their_loss:Theirs); loss "
        "'theirs' from gan-b 1.0 (nowhere:Nope). Write 'gan-a:theirs' or 'gan-b:theirs'"
    )
    statuses = [row["status"] for row in json.loads(command("plugins list --json").out)]
    assert "ambiguous, use gan-a:theirs" in statuses
    config = yaml.safe_load(command("fit loss=gan-a:theirs --print_config").out)
    assert config["model"]["init_args"]["loss"]["class_path"] == "their_loss.Theirs"


def test_their_experiments_and_presets(command, install):
    install(
        "gan-hinge",
        {GROUP: ["theirs = their_loss:Theirs"], CONFIGS: ["gan_hinge = gan_hinge_configs"]},
        {
            "their_loss.py": LOSS,
            "gan_hinge_configs/__init__.py": "",
            "gan_hinge_configs/loss/steep.yaml": (
                "# @package model.loss\n# Steep.\nclass_path: theirs\ninit_args:\n  slope: 9.0\n"
            ),
            "gan_hinge_configs/experiment/theirs.yaml": (
                "# @package _global_\n# Their experiment.\ndefaults:\n  - override /loss: steep\n"
                "trainer:\n  max_steps: 77\n"
            ),
        },
    )
    config = yaml.safe_load(command("fit experiment=theirs --print_config").out)
    assert config["trainer"]["max_steps"] == 77
    assert config["model"]["init_args"]["loss"]["init_args"] == {"slope": 9.0}
    config = yaml.safe_load(command("fit loss=steep --print_config").out)
    assert config["model"]["init_args"]["loss"]["init_args"] == {"slope": 9.0}
    text = command("fit --help").out
    assert "Their experiment." in text
    assert "steep" in text


def test_help_shows_the_settings_of_a_plugin(command, install):
    install("gan-hinge", {GROUP: ["theirs = their_loss:Theirs"]}, {"their_loss.py": LOSS})
    text = command("fit --help loss=theirs").out
    assert "loss=theirs: Somebody else's loss." in text
    assert "  model.loss.slope: float = 1.0\n      How steep." in text


def test_a_class_in_the_folder_one_works_in(tmp_path):
    (tmp_path / "own_loss.py").write_text(LOSS)
    program = shutil.which("lightning-gan", path=Path(sys.executable).parent)
    done = subprocess.run(
        [program, "fit", "loss=own_loss.Theirs", "--print_config"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "class_path: own_loss.Theirs" in done.stdout


def test_a_preset_needs_no_package_line(command, install):
    install(
        "gan-presets",
        {CONFIGS: ["presets = gan_presets_configs"]},
        {
            "gan_presets_configs/__init__.py": "",
            "gan_presets_configs/loss/smooth.yaml": (
                "# Smoothed.\nclass_path: non_saturating\ninit_args:\n  real_target: 0.9\n"
            ),
            "gan_presets_configs/loss/grouped.yaml": (
                "# @package _group_\nclass_path: non_saturating\ninit_args:\n  real_target: 0.9\n"
            ),
            "gan_presets_configs/experiment/smoothed.yaml": (
                "# @package _global_\n# Smoothed.\ndefaults:\n  - override /loss: smooth\n"
            ),
            "gan_presets_configs/regularizers/nowhere.yaml": "# No.\nclass_path: r1\n",
        },
    )
    for words in ("loss=smooth", "loss=grouped", "experiment=smoothed"):
        loss = yaml.safe_load(command(f"fit {words} --print_config").out)["model"]["init_args"][
            "loss"
        ]
        assert loss["init_args"]["real_target"] == 0.9
    assert "real_target" in command("fit --help loss=smooth").out
    wrong = command("fit regularizers=[nowhere]")
    assert wrong.code == 2
    assert "must begin with '# @package model.regularizers.NAME'" in wrong.error
