"""A command is a file: its word is listed where its file lies, and every file has its word."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from lightning_gan.cli import commands
from lightning_gan.cli.arguments import TOOLS


def test_every_file_has_its_word():
    files = {path.stem for path in Path(commands.__file__).parent.glob("*.py")}
    assert files - {"__init__"} == set(TOOLS)


@pytest.mark.parametrize("word", TOOLS)
def test_every_command_runs_and_has_a_page(word, command):
    file = commands.command_file(word)
    assert list(inspect.signature(file.run).parameters) == ["request"]
    page = file.usage()
    assert page.startswith(f"usage: lightning-gan {word} ")
    assert f"lightning-gan {word}" in page.split("example")[1]
    assert command(f"{word} --help").out == f"{page}\n"
