"""Pages as tests run them: their blocks in order, in one folder, the command in this process."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from lightning_gan.__main__ import main
from lightning_gan.components import registry

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
# Of a run on a page, in place of what stands there: two batches are enough to see that it works.
QUICK = {
    "trainer.max_steps": "2",
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": "false",
}
SMALL_BATCHES = {"data.batch_size": "8", "samples.rows": "1"}
NARROW = {"model.generator.base_channels": "4", "model.discriminator.base_channels": "4"}
CONVOLUTIONS = re.compile(r"experiment=mnist_(acgan|cgan|gan_2d|wgan|dcgan|(un)?conditional)")
FEW = {"n_fake": "24", "n_real": "16", "n_train": "16", "kid_subsets": "2", "score_splits": "2"}
# Not run: composed and checked alone, since they want machines, hours or a network.
TOO_LARGE = re.compile(r"trainer\.devices=[2-9]|num_nodes=[2-9]|accelerator=gpu")
TIMING = ("rounds", "steps", "out")


class Block(NamedTuple):
    language: str
    title: str | None
    text: str


def pages():
    """Every page of the site that has a block, and those beside it."""
    beside = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "plugins/README.md")]
    found = [*beside, *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in found if "```" in path.read_text()]


def blocks(text):
    found = [Block(*match.groups()) for match in BLOCK.finditer(text)]
    assert len(found) * 2 == text.count("```"), "a block begins at the margin and says its language"
    return found


def commands(text):
    """The commands of a shell block, each as words without its comments."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


class Reading:
    """One page, read from top to bottom by somebody who types all of it.

    Args:
        folder: Where files are written and commands run.
        install: What makes an installed distribution of a folder.
        drawn: Experiments whose own pictures were drawn before: once is enough.
    """

    def __init__(self, folder, install, drawn):
        self.folder, self.install, self.drawn = folder, install, drawn
        self.names = {"__name__": "page"}
        self.files = []

    def read(self, block):
        if block.title is not None:
            self._write(block)
        elif block.language == "python":
            exec(compile(block.text, "page", "exec"), self.names)
        elif block.language == "yaml":
            (self.folder / "block.yaml").write_text(block.text)
            self._lightning_gan(["fit", "--config", "block.yaml", "--print_config"])
        elif block.language == "sh":
            for words in commands(block.text):
                self._type(words)
        else:
            assert block.language == "text", f"nobody reads {block.language}"

    def _write(self, block):
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        self.files.append(path)
        if path.name.startswith("test_"):
            _run_tests(path)
        if path.name == "pyproject.toml":
            for package in {file.parent for file in self.files} - {self.folder}:
                (package / "__init__.py").touch()
                if package.parent != self.folder and package.parent.name == "configs":
                    (package.parent / "__init__.py").touch()
            self.install(self.folder, block.text)

    def _type(self, words):
        with pytest.MonkeyPatch.context() as patch:
            while re.fullmatch(r"[A-Z_]+=.*", words[0]):
                patch.setenv(*words.pop(0).split("=", 1))
            registry.clear_cache()
            self._run(words)
        registry.clear_cache()

    def _run(self, words):
        program = words[0]
        if program == "srun":
            program, words = words[1], words[1:]
        if program == "torchrun":
            words = ["lightning-gan", *words[words.index("lightning_gan") + 1 :]]
            program = words[0]
        if program == "lightning-gan":
            self._lightning_gan(words[1:])
        elif words[:3] == ["pip", "install", "-e"] and words[3].startswith("plugins/"):
            shutil.copytree(ROOT / words[3], self.folder, dirs_exist_ok=True)
            self.install(self.folder, (self.folder / "pyproject.toml").read_text())
        else:
            _check_elsewhere(words)

    def _lightning_gan(self, words):
        for each in _jobs(words):
            code = main(self._without_pictures(_quick(each)))
            assert code == 0, f"lightning-gan {shlex.join(each)} ended with {code}"

    def _without_pictures(self, words):
        chosen = {word for word in words if word.startswith("experiment=")}
        again = bool(chosen & self.drawn) and words[0] == "fit" and "--print_config" not in words
        self.drawn |= chosen
        return _set(words, {"trainer.callbacks": "[]"}, "") if again else words


def _run_tests(path):
    """Call the tests of a file, each with its parameters."""
    names = {"__name__": path.stem}
    exec(compile(path.read_text(), str(path), "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        for mark in test.pytestmark:
            for values in mark.args[1]:
                test(*values)


def _jobs(words):
    """One list of words, or for a sweep that of each job."""
    if "-m" not in words:
        return [words]
    words = [word for word in words if word != "-m"]
    ((key, values),) = [word.split("=") for word in words if "," in word]
    return [
        [f"{key}={v}" if word.startswith(key) else word for word in words]
        for v in values.split(",")
    ]


def _quick(words):
    """The same command with little to do."""
    words = [word.replace("=/data", "=data") for word in words]
    action = words[0]
    if TOO_LARGE.search(" ".join(words)):
        kept = [word for word in words[1:] if word.split("=")[0] not in TIMING]
        return ["fit", *kept, "--print_config"]
    if action == "benchmark":
        return _set(words, {"steps": "1", "rounds": "1", "data.batch_size": "4", **QUICK}, "")
    if action == "evaluate" and "--help" not in words:
        return _set(words, FEW, "")
    if action not in ("fit", "predict") or {"--help", "--print_config"} & set(words):
        return words
    options = any(word.startswith("--") for word in words)
    settings = QUICK if action == "fit" else {"trainer.limit_predict_batches": "1"}
    if any(word.startswith("experiment=mnist") for word in words):
        settings = {**settings, **SMALL_BATCHES}
    if any(CONVOLUTIONS.match(word) for word in words):
        settings = {**settings, **NARROW}
    if "--ckpt_path" in words or "ckpt_path=last" in words:
        settings = {**settings, "trainer.max_steps": "6"}
    return _set(words, settings, "--" if options else "")


def _set(words, settings, prefix):
    """Words that say these settings, each once."""
    kept = [word for word in words if word.lstrip("-").split("=")[0] not in settings]
    return [*kept, *(f"{prefix}{key}={value}" for key, value in settings.items())]


def _check_elsewhere(words):
    """What is no command of ours: run by .ci/run, or by the tests that it names."""
    known = ("pip", "pytest", "python", "pre-commit", "bash", "mkdocs")
    assert words[0] in known, f"{shlex.join(words)}: run by nobody"
    for word in words[1:]:
        if "/" in word and not word.startswith(("-", "runs/")):
            assert (ROOT / word).exists(), f"{shlex.join(words)}: there is no {word}"
    if words[:2] == ["pip", "install"] and "[" in words[-1]:
        project = (ROOT / "pyproject.toml").read_text()
        assert f"\n{words[-1].split('[')[1][:-1]} = [" in project, words[-1]
