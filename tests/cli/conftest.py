"""The command, run in the test's process in an empty folder; and plugins installed for one test."""

import shlex
import sys
from dataclasses import dataclass

import pytest

from lightning_gan.__main__ import main
from lightning_gan.components import registry

SMALL = (
    "data=random data.n=8 data.batch_size=4 generator=mlp discriminator=mlp "
    "model.generator.hidden=[4] model.discriminator.hidden=[4] trainer.max_steps=2 "
    "trainer.accelerator=cpu trainer.enable_progress_bar=false trainer.enable_model_summary=false "
    "trainer.default_root_dir=runs samples=false curves=false"
)
SMALL_OPTIONS = (
    "--data random --data.n=8 --data.batch_size=4 --model.generator mlp --model.discriminator mlp "
    "--model.generator.hidden=[4] --model.discriminator.hidden '[4]' --trainer.max_steps=2 "
    "--trainer.accelerator cpu --trainer.enable_progress_bar=false "
    "--trainer.enable_model_summary false --trainer.default_root_dir=runs --samples=false "
    "--curves=false"
)


@pytest.fixture(scope="session")
def small():
    """Hydra overrides of a GAN that is built and trained in milliseconds."""
    return SMALL


@pytest.fixture(scope="session")
def small_options():
    """The same as options."""
    return SMALL_OPTIONS


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def error(self):
        """The one message on stderr; nothing else may stand there."""
        assert self.err.startswith("error: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("error: ").rstrip("\n")


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(line):
        capsys.readouterr()
        code = main(shlex.split(line))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution: its name, its entry points by group, its files by path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    installed = []

    def call(distribution, groups, files):
        info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.0\n")
        points = [line for group, lines in groups.items() for line in (f"[{group}]", *lines)]
        (info / "entry_points.txt").write_text("\n".join(points))
        for path, text in files.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(text)
            installed.append(path.split("/")[0].removesuffix(".py"))
        registry.clear_cache()

    yield call
    registry.clear_cache()
    for name in [key for key in sys.modules if key.split(".")[0] in installed]:
        del sys.modules[name]
