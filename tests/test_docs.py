"""README, docs/ and what is beside them are true: all that a page shows is run, top to bottom."""

from __future__ import annotations

import re
import shutil
import struct
import sys

import exporting
import numpy as np
import pages
import pytest
import torch
import yaml
from PIL import Image
from pixel_judge import Pixels

from lightning_gan.__main__ import main
from lightning_gan.callbacks.health.rules import RULES
from lightning_gan.components import registry
from lightning_gan.explore import serving
from lightning_gan.metrics import judge

DOCS = pages.ROOT / "docs"
# Read by tests of their own.
ELSEWHERE = {
    "embedding.md": "tests/embedding/test_page.py",
    "components.md": "tests/test_docs_components.py",
}
PAGES = [path for path in pages.pages() if path.parent != DOCS or path.name not in ELSEWHERE]


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """What a reader has: the first run, a folder of images, MNIST (random, but in its format).

    And a checkpoint whose generator takes images.
    """
    folder = tmp_path_factory.mktemp("ready")
    drawn = np.random.default_rng(0)
    raw = folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 300), ("t10k", 60)):
        write_idx(raw / f"{part}-images-idx3-ubyte", drawn.integers(0, 256, (n, 28, 28)))
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(n) % 10)
    for kind in ("cats", "dogs"):
        (folder / "my_images" / kind).mkdir(parents=True)
        for number in range(40):
            pixels = drawn.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "my_images" / kind / f"{number}.png")
    exporting.save(exporting.gan(exporting.Painter(channels=3)), folder / "painter.ckpt")
    root = folder / "runs" / "digits_dcgan"
    few = "trainer.max_steps=4 trainer.accelerator=cpu trainer.enable_progress_bar=false"
    assert main(["fit", *few.split(), f"trainer.default_root_dir={root}"]) == 0
    return folder


@pytest.fixture(scope="module")
def drawn():
    return set()


@pytest.fixture
def install(monkeypatch):
    """What makes an installed distribution of the files of a page and its pyproject.toml."""
    before = set(sys.modules)

    def call(folder, project):
        name = re.search(r'^name = "(.+)"$', project, re.MULTILINE)
        name = name[1] if name else "page"
        sections = re.split(r"^\[(.+)\]$", project, flags=re.MULTILINE)
        info = folder / f"{name.replace('-', '_')}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
        points = [
            f"[{title.split('.', 2)[2].strip(chr(34))}]\n"
            + re.sub(r'"|^#.*$', "", text, flags=re.M)
            for title, text in zip(sections[1::2], sections[2::2], strict=True)
            if title.startswith("project.entry-points.")
        ]
        (info / "entry_points.txt").write_text("\n".join(points))
        registry.clear_cache()

    yield call
    for name in set(sys.modules) - before:
        if not name.startswith(("lightning_gan", "torch", "pytorch_lightning")):
            del sys.modules[name]
    registry.clear_cache()


def check_python(reading):
    """The averaged generator draws the same images after the checkpoint was read."""
    images, same = reading.names["images"], reading.names["same"]
    assert images.shape == (16, 1, 8, 8)
    assert torch.equal(same.sample(16, labels=7, seed=0), images)
    assert list(reading.folder.rglob("samples/grid-*.png"))


def check_plugins(reading):
    config = (reading.folder / "runs" / "tiny" / "version_0" / "config.yaml").read_text()
    for name in ("TinyGenerator", "TinyDiscriminator", "SoftmarginLoss", "R2Regularizer"):
        assert f"my_gan.parts.{name}" in config


def check_readme(reading):
    assert reading.names["images"].shape == (16, 1, 8, 8)
    runs = (reading.folder / "runs").rglob("config.yaml")
    assert any("hinge_plugin.SquaredHingeLoss" in path.read_text() for path in runs)
    assert next((reading.folder / "runs").rglob("report.html"))


def check_own_data(reading):
    assert np.load(reading.folder / "my_arrays" / "images.npy").shape == (80, 3, 32, 32)
    runs = (reading.folder / "runs").rglob("config.yaml")
    assert any("my_data.Waves" in path.read_text() for path in runs)


CHECKS = {
    "README.md": check_readme,
    "docs/guides/own-data.md": check_own_data,
    "docs/guides/python.md": check_python,
    "docs/plugins.md": check_plugins,
}


# Runs are shortened to two batches.
@pytest.mark.filterwarnings("ignore:The number of training batches .* is smaller than the logging")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(pages.ROOT)))
def test_what_a_page_shows_runs(path, ready, drawn, install, tmp_path, monkeypatch):
    folder = tmp_path / "work"
    shutil.copytree(ready, folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(judge, "judge_for", lambda *data: Pixels(data[-1]))
    monkeypatch.setattr(serving, "serve", lambda app, found: None)  # it would serve for ever
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    reading = pages.Reading(folder, install, drawn)
    for block in pages.blocks(path.read_text()):
        reading.read(block)
    CHECKS.get(str(path.relative_to(pages.ROOT)), lambda reading: None)(reading)


def test_the_pages_with_checks_are_there():
    assert set(CHECKS) <= {str(path.relative_to(pages.ROOT)) for path in PAGES}
    for test in ELSEWHERE.values():
        assert (pages.ROOT / test).is_file()


def summary(entry):
    """First sentence of a component's docstring."""
    doc = registry.load_entry(entry).__doc__.strip().partition("\n\n")[0]
    return " ".join(doc.split()).rstrip(".")


def test_the_table_of_components_is_the_registry():
    rows = ["| kind | name | what |", "| --- | --- | --- |"]
    for kind in registry.KINDS:
        for entry in registry.entries(kind):
            if entry.ours:
                rows.append(f"| {kind} | `{entry.name}` | {summary(entry)} |")
    table = "\n".join(rows)
    page = DOCS / "reference" / "components.md"
    assert table in page.read_text(), f"put this table into {page}:\n{table}"


def test_each_experiment_has_its_line():
    text = (DOCS / "guides" / "experiments.md").read_text()
    for path in (pages.ROOT / "configs" / "experiment").glob("*.yaml"):
        if not path.stem.startswith("benchmark"):
            assert f"`{path.stem}`" in text, path.stem


def test_each_finding_is_explained():
    text = (DOCS / "troubleshooting.md").read_text()
    headings = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert sorted(headings) == sorted(rule.name for rule in RULES)


def test_links_of_the_files_beside_the_site_lead_somewhere():
    """Those of docs/ are checked by mkdocs build --strict."""
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "plugins/README.md",
    ):
        path = pages.ROOT / name
        for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
            if "://" not in link:
                assert (path.parent / link).exists(), f"{name}: {link}"


def test_each_page_is_in_the_menu():
    menu = re.findall(r"[\w/-]+\.md", (pages.ROOT / "mkdocs.yml").read_text())
    assert sorted(menu) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_to_fill_in(word):
    for path in (pages.ROOT / "README.md", *DOCS.rglob("*.md")):
        assert word not in path.read_text(), path


def test_the_citation_has_the_version():
    citation = yaml.safe_load((pages.ROOT / "CITATION.cff").read_text())
    project = (pages.ROOT / "pyproject.toml").read_text()
    assert f'version = "{citation["version"]}"' in project


def test_the_first_block_of_the_readme_is_what_ci_runs():
    first = pages.blocks((pages.ROOT / "README.md").read_text())[0]
    assert first.language == "sh"
    assert [words[0] for words in pages.commands(first.text)] == ["pip", "pip"]


def test_a_commit_is_checked_as_ci_checks():
    script = (pages.ROOT / ".ci" / "run").read_text().splitlines()
    config = yaml.safe_load((pages.ROOT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    assert entries == ["ruff check .", "ruff format --check .", "mypy"]
    assert set(entries) <= set(script)
