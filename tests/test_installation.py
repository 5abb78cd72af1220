"""The wheel works where only the wheel is, and the plugins work beside it.

The environment is a new one that holds our wheel and those of all plugins; the packages that we
depend on are lent to it by a .pth file, so that torch is not installed twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


def run(*command, cwd, check=True):
    ours = ("PYTHONPATH", "COVERAGE_RCFILE", "LIGHTNING_GAN_DISABLE")
    environment = {k: v for k, v in os.environ.items() if k not in ours}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if check:
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    """Folder of a new environment with the wheels."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "env", with_pip=False)
    wheels = folder / "wheels"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    copies = []
    for project in (ROOT, *PLUGINS):
        copies.append(folder / f"{len(copies)}-{project.name}")  # a checkout may be called as one
        # Of our own: .ci holds whole environments.
        ignored = [".git", ".venv", ".ci", "runs", "build", "*.egg-info", "__pycache__", ".*_cache"]
        shutil_copy(project, copies[-1], ignored)
    run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels, *copies, cwd=folder)
    python = folder / "env" / "bin" / "python"
    run(
        *pip, "--python", python, "install", "-q", "--no-deps", "--no-index",
        *sorted(wheels.glob("*.whl")), cwd=folder,
    )  # fmt: skip
    site = Path(run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=folder)
                .stdout.strip())  # fmt: skip
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    where = run(python, "-c", "import lightning_gan; print(lightning_gan.__file__)", cwd=folder)
    assert where.stdout.startswith(str(site)), "not the wheel"
    return folder


def shutil_copy(source, target, ignored):
    import shutil

    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*ignored))


def test_the_command_runs_from_an_empty_folder(env, tmp_path):
    command = env / "env" / "bin" / "lightning-gan"
    run(command, "fit", "trainer.max_steps=3", cwd=tmp_path)
    folder = tmp_path / "runs" / "digits_dcgan" / "version_0"
    for left in ("config.yaml", "checkpoints/last.ckpt", "metrics.csv", "losses.png", "samples"):
        assert (folder / left).exists(), left

    # Its report; and the checkpoint opens where only the wheel is, and samples.
    code = (
        "from lightning_gan import GANModule\n"
        "from lightning_gan.__main__ import main\n"
        f"assert main(['report', {str(folder)!r}]) == 0\n"
        f"gan = GANModule.load_from_checkpoint({str(folder / 'checkpoints/last.ckpt')!r})\n"
        "print(tuple(gan.sample(3, labels=7, seed=0).shape))"
    )
    done = run(env / "env" / "bin" / "python", "-c", code, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "(3, 1, 8, 8)"
    assert (folder / "report.html").is_file()


def test_a_plugin_trains_by_its_short_name(env, tmp_path):
    """In both grammars, in Hydra's by its qualified name; one process does both."""
    options = ["fit", "--model.loss=minimal", "--trainer.max_steps=10"]
    overrides = ["fit", "loss=minimal-loss:minimal", "trainer.max_steps=10"]
    code = f"from lightning_gan.__main__ import main\nassert main({options}) == 0\n"
    code += f"assert main({overrides}) == 0\n"
    run(env / "env" / "bin" / "python", "-c", code, cwd=tmp_path)
    for folder in ("version_0", "version_1"):
        made = tmp_path / "runs" / "digits_dcgan" / folder
        assert "minimal_loss.MinimalLoss" in (made / "config.yaml").read_text()
        assert (made / "checkpoints" / "last.ckpt").is_file()


def test_the_plugin_is_listed(env, tmp_path):
    done = run(env / "env" / "bin" / "lightning-gan", "plugins", "list", "--json", cwd=tmp_path)
    rows = {(row["kind"], row["name"]): row for row in json.loads(done.stdout)}
    assert rows["loss", "minimal"]["distribution"] == "minimal-loss"
    assert rows["loss", "minimax"]["distribution"] == "lightning-gan"
    assert rows["loss", "minimal"]["status"] == "registered"


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugins_own_tests_pass(env, tmp_path, plugin):
    tests = plugin / "tests"
    run(env / "env" / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", tests,
        "--rootdir", tests, cwd=tmp_path)  # fmt: skip
