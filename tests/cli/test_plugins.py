"""Third-party distributions: listed without import, chosen by name, and harmless when broken."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lightning_gan import API_VERSION
from lightning_gan.components import offered, registry

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


def test_configurations_are_read_without_importing_their_package(command, install, small):
    install(
        "gan-parts",
        {CONFIGS: ["parts = their_parts.configs"]},
        {
            "their_parts/__init__.py": "raise RuntimeError('imported')",
            "their_parts/configs/__init__.py": "",
            "their_parts/configs/experiment/theirs.yaml": "# @package _global_\nthreads: 1\n",
        },
    )
    assert "\n  theirs\n" in command("fit --help").out
    told = command(f"fit {small} experiment=theirs --print_config")
    assert told.code == 0, told.err
    assert "threads: 1" in told.out
    assert "their_parts" not in sys.modules


def test_list(command, install):
    install("gan-hinge", {GROUP: ["theirs = their_loss:Nope"]}, {"their_loss.py": ""})
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
    files = {"their_loss.py": "import not_there"}
    install("gan-broken", {GROUP: ["broken = their_loss:Nope"]}, files)
    result = command("plugins list --check")
    assert result.code == 1
    (line,) = [line for line in result.out.splitlines() if "gan-broken" in line]
    assert "broken: failed to import: ModuleNotFoundError: No module named 'not_there'" in line


def status_of(command, distribution, words="--json"):
    rows = json.loads(command(f"plugins list {words}").out)
    return [row["status"] for row in rows if row["distribution"] == distribution]


def test_what_cannot_be_used_is_listed_with_the_reason_and_hurts_nobody(command, install):
    install("gan-half", {GROUP: ["half = nowhere:Nope"]}, {})
    install("gan-old", {GROUP: ["old = json:Nope"], "lightning_gan.api": ["0 = json"]}, {})
    install("gan-new", {GROUP: ["new = csv:Nope"], "lightning_gan.api": ["7 = csv"]}, {})
    install("gan-odd", {GROUP: ["odd = wave:Nope"], "lightning_gan.api": ["one = wave"]}, {})
    assert status_of(command, "gan-half") == [
        "half installed: there is no module nowhere, pip install --force-reinstall gan-half"
    ]
    (old,), (new,), (odd,) = (status_of(command, f"gan-{each}") for each in ("old", "new", "odd"))
    assert old.startswith("outdated: written for version 0 of the plugin interface, and this")
    assert old.endswith(f"has version {API_VERSION}: pip install --upgrade gan-old")
    assert new.endswith("pip install --upgrade lightning-gan")
    assert odd.startswith("outdated: its entry point lightning_gan.api is called 'one'")
    assert command("fit --print_config").code == 0
    wrong = command("fit loss=old")
    assert wrong.code == 2
    assert "loss 'old' from gan-old 1.0 (json:Nope) is outdated: written for" in wrong.error


def test_torn_metadata_hide_no_other(command, install):
    install("gan-hinge", {GROUP: ["theirs = their_loss:Theirs"]}, {"their_loss.py": LOSS})
    install("gan-torn", {GROUP: ["no equals sign"]}, {})
    (torn,) = status_of(command, "gan-torn")
    assert torn.startswith("broken metadata: entry_points.txt cannot be read")
    assert status_of(command, "gan-hinge") == ["registered"]


def test_one_that_is_written_for_several_versions_works(command, install):
    points = {GROUP: ["theirs = their_loss:Theirs"]}
    points["lightning_gan.api"] = ["0 = their_loss", f"{API_VERSION} = their_loss"]
    install("gan-both", points, {"their_loss.py": LOSS})
    assert status_of(command, "gan-both", "--json --check") == ["ok"]


def test_one_is_switched_off(command, install, monkeypatch):
    install("gan-hinge", {GROUP: ["theirs = their_loss:Theirs"]}, {"their_loss.py": LOSS})
    monkeypatch.setenv("LIGHTNING_GAN_DISABLE", "GAN_hinge, gan-not-there lightning-gan")
    registry.clear_cache()
    assert status_of(command, "gan-hinge") == ["disabled by LIGHTNING_GAN_DISABLE"]
    (unknown,) = status_of(command, "gan-not-there")
    assert unknown == "LIGHTNING_GAN_DISABLE: there is no such distribution"
    assert "LIGHTNING_GAN_DISABLE: ours cannot be switched off" in status_of(
        command, "lightning-gan"
    )
    assert command("fit loss=minimax --print_config").code == 0
    wrong = command("fit loss=theirs")
    assert wrong.code == 2
    assert "unknown loss 'theirs': gan-hinge has it, and LIGHTNING_GAN_DISABLE sw" in wrong.error


def test_a_module_is_registered_while_it_is_written(command, monkeypatch, tmp_path):
    (tmp_path / "own_parts.py").write_text(LOSS.replace("Theirs", "SlopedMinimaxLoss"))
    monkeypatch.setenv("LIGHTNING_GAN_PLUGINS", "own_parts")
    registry.clear_cache()
    try:
        assert registry.find_entry("loss", "sloped_minimax").distribution == "own_parts"
        assert "minimax" in registry.names("loss")  # what it imports is not its own
        assert registry.find_entry("loss", "minimax").ours
        config = yaml.safe_load(command("fit loss=sloped_minimax --print_config").out)
        loss = config["model"]["init_args"]["loss"]
        assert loss["class_path"] == "own_parts.SlopedMinimaxLoss"
        checked = command("plugins check own_parts")
        assert (checked.code, checked.out.splitlines()[0]) == (0, "own_parts 0.dev0")
        (tmp_path / "torn_parts.py").write_text("import not_there")
        monkeypatch.setenv("LIGHTNING_GAN_PLUGINS", "own_parts,torn_parts")
        registry.clear_cache()
        (status,) = status_of(command, "torn_parts")
        assert status.startswith("LIGHTNING_GAN_PLUGINS: broken: failed to import: ModuleNotFound")
        assert command("fit loss=sloped_minimax --print_config").code == 0
        wrong = command("fit loss=torn")
        assert wrong.code == 2
        assert "unknown loss 'torn'. LIGHTNING_GAN_PLUGINS=torn_parts is broken" in wrong.error
    finally:
        monkeypatch.delenv("LIGHTNING_GAN_PLUGINS")
        registry.clear_cache()
        for name in ("own_parts", "torn_parts"):
            sys.modules.pop(name, None)


def test_a_name_of_a_known_distribution_says_what_to_install(command, monkeypatch):
    names = {"losses": ["their_loss"], "experiment": ["their_small"]}
    table = {"lightning-gan-theirs": names}
    monkeypatch.setattr(offered, "table", lambda: table)
    wrong = command("fit loss=their_loss")
    assert wrong.code == 2
    assert wrong.error.startswith(
        "loss: unknown loss 'their_loss': lightning-gan-theirs has it, pip install "
        "-e plugins/theirs in a clone of the repository. Available: "
    )
    wrong = command("fit experiment=their_small")
    assert wrong.code == 2
    assert wrong.error.startswith(
        "experiment: unknown choice 'their_small': lightning-gan-theirs has it, pip install "
    )
    wrong = command("plugins check lightning_gan.theirs")
    assert wrong.error == (
        "lightning_gan.theirs is not installed: pip install -e plugins/theirs in a clone of the "
        "repository"
    )
    wrong = command("plugins show their_loss")
    assert "lightning-gan-theirs has it, pip install -e plugins/theirs in a clone" in wrong.error


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
