"""The README is true: its code runs, its plugins train, its table is the registry."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_gan.components import registry

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def section(title):
    """Code blocks of one section as (language, title, text)."""
    body = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    return [match.groups() for match in BLOCK.finditer(body[1])]


def write_package(folder, blocks, distribution):
    """Write the titled blocks of a section as an installed distribution and return its folder."""
    for language, title, text in blocks:
        if title and language != "toml":
            path = folder / title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for package in (folder / "my_gan", folder / "my_gan" / "configs"):
        if package.is_dir():
            (package / "__init__.py").touch()
    project = next(text for language, _, text in blocks if language == "toml")
    lines = [
        line.replace('."', ".").replace('"]', "]").replace("[project.entry-points.", "[")
        if line.startswith("[project.entry-points")
        else line.replace('"', "")
        for line in project.splitlines()
    ]
    points, keep = [], False
    for line in lines:
        if line.startswith("["):
            keep = line.startswith("[lightning_gan.")
        if keep and not line.startswith("#"):
            points.append(line)
    info = folder / f"{distribution.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("\n".join(points) + "\n")
    return folder


def run(*words, cwd, path):
    environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_use_it_from_python(tmp_path):
    ((_, _, code),) = section("Use it from Python")
    check = (
        "\nimport torch"
        "\nassert images.shape == (16, 1, 8, 8)"
        "\nassert torch.equal(same.sample(16, labels=7, seed=0), images)"
    )
    run("-c", code + check, cwd=tmp_path, path=tmp_path)
    assert list(tmp_path.rglob("samples/grid-*.png"))


def test_add_a_loss_in_one_file(tmp_path):
    blocks = section("Add a loss in one file")
    folder = write_package(tmp_path / "package", blocks, "hinge-plugin")
    command = blocks[-1][2].split()
    assert command[:2] == ["lightning-gan", "fit"]
    work = tmp_path / "work"
    work.mkdir()
    run("-m", "lightning_gan", *command[1:], "trainer.max_steps=3", cwd=work, path=folder)
    assert "hinge_plugin.HingeLoss" in next(work.rglob("config.yaml")).read_text()


def test_write_a_plugin_package(tmp_path):
    blocks = section("Write a plugin package")
    folder = write_package(tmp_path / "package", blocks, "my-gan")
    work = tmp_path / "work"
    work.mkdir()
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", folder / "test_parts.py", "--rootdir",
        folder, cwd=work, path=folder)  # fmt: skip
    command = blocks[-1][2].split()
    run("-m", "lightning_gan", *command[1:], cwd=work, path=folder)
    left = work / "runs" / "tiny" / "version_0"
    config = (left / "config.yaml").read_text()
    for name in ("TinyGenerator", "TinyDiscriminator", "SoftmarginLoss", "R2Regularizer"):
        assert f"my_gan.parts.{name}" in config
    assert (left / "checkpoints" / "last.ckpt").is_file()


def summary(entry):
    """First sentence of a component's docstring."""
    doc = registry.load_entry(entry).__doc__.strip().partition("\n\n")[0]
    return " ".join(doc.split()).rstrip(".")


def component_table():
    rows = ["| kind | name | what |", "| --- | --- | --- |"]
    for kind in registry.KINDS:
        for entry in registry.entries(kind):
            if entry.ours:
                rows.append(f"| {kind} | `{entry.name}` | {summary(entry)} |")
    return "\n".join(rows)


def test_the_table_of_components_is_the_registry():
    assert component_table() in README, f"put this table into the README:\n{component_table()}"


@pytest.mark.parametrize("word", ["TODO", "RESULTS", "COMPONENTS"])
def test_nothing_is_left_to_fill_in(word):
    assert word not in README
