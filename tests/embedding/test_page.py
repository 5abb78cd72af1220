"""The page about loops of one's own is true: its code runs, in the order in which it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "embedding.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [match[2] for match in BLOCK.finditer(PAGE)]
CHECK = """
import sys
assert images.shape == (4, 1, 8, 8)
assert gan.progress.images == 5 * 16
assert adversary.progress.images == (4 + 2 * 4) * 16
assert scaled.progress.discriminator_steps == 1
assert state["adversary"]["_extra_state"]["side"]["optimizer"]["state"]
assert not any(name.startswith(("pytorch_lightning", "lightning.")) for name in sys.modules)
"""


def test_the_code_runs(tmp_path):
    pytest.importorskip("accelerate")
    pytest.importorskip("ignite")
    assert len(BLOCKS) == 7
    code = ""
    for block in BLOCKS:
        code += block
        if "(loss / 2)" in block:  # two updates, of two batches each
            code += "assert adversary.progress.discriminator_steps == 4 + 2\n"
    done = subprocess.run(
        [sys.executable, "-c", code + CHECK], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_ten_lines_are_enough():
    """From the game or the adversary to its last call, data and imports apart."""
    first, second = BLOCKS[:2]
    game = first[first.index("gan = ") : first.index("images = ")].splitlines()
    assert len(game) <= 10
    before, after = second.split("for x, target in pairs:\n")
    ours = [line for line in (before + after).splitlines() if "adversary" in line.lower()]
    assert len(ours) <= 4
