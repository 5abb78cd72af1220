"""``lightning-gan package``: what it writes is fine-tuned and goes on; hostile ones are refused."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
import torch

from lightning_gan.cli.commands.package import PACKAGE

LAST = "runs/version_0/checkpoints/last.ckpt"
EXAMPLE = PACKAGE.examples[0]
CLASSES = "data.num_classes=4"


@pytest.fixture
def packed(command, small):
    """A folder and a zip of one small run."""
    assert command(f"fit {small} {CLASSES}").code == 0
    next_lines = {
        "--out gan --license MIT": "gan\nnext: lightning-gan fit --config gan/config.json "
        "--init_from=gan\n",
        "out=gan.zip": "gan.zip\nnext: lightning-gan fit init_from=gan.zip\n",
    }
    for words, line in next_lines.items():
        result = command(f"package {LAST} {words}")
        assert result.code == 0, result.err
        assert result.out == f"wrote {line}"


def test_others_fine_tune_it_and_go_on(command, packed, small):
    result = command(f"fit {small} data.num_classes=6 init_from=gan.zip")
    assert result.code == 0, result.err
    assert "4 of 6 classes (the file has 4)" in result.out
    assert Path("runs/version_1/init_from.json").is_file()
    strict = "--init_from=gan --init_from.strict=true --trainer.max_steps=1"
    result = command(f"fit --config gan/config.json {strict}")
    assert result.code == 0, result.err
    result = command("fit --config gan/config.json --ckpt_path gan.zip --trainer.max_steps=3")
    assert result.code == 0, result.err
    saved = torch.load("runs/version_3/checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] == 3
    assert not list(Path().glob("*.ckpt"))
    error = command("fit --config gan/config.json --ckpt_path=gan --trainer.max_steps=2").err
    assert "ckpt_path: gan is at step 2 already; set trainer.max_steps" in error


def test_hostile_packages_end_in_one_sentence(command, packed, small):
    with zipfile.ZipFile("gan.zip", "a") as archive:
        archive.writestr("../outside", "x")
    for key in ("init_from", "ckpt_path"):
        result = command(f"fit {small} {CLASSES} {key}=gan.zip")
        assert result.code == 2
        message = f"error: {key}: gan.zip is refused: it names files outside of its folder\n"
        assert result.err.endswith(message)
    assert not Path("../outside").exists()
    assert not Path("runs/version_1").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    {
        "": f"package expects CHECKPOINT first, got nothing: {EXAMPLE}",
        "a.ckpt b.ckpt": f"package expects CHECKPOINT first, got a.ckpt b.ckpt: {EXAMPLE}",
        "a.ckpt": f"package: --out is needed, where to write: {EXAMPLE}",
        "a.ckpt --out x": "no checkpoint at a.ckpt",
        "a.ckpt --out": "package: --out needs a value: --out=VALUE",
        "a.ckpt --out x out=y": "package: --out is given twice",
        "a.ckpt --outt x": "package: unknown option --outt, did you mean '--out'? Options are "
        "--out, --license, --trust",
        "a.ckpt --out . ": ". exists already; choose another name",
        "a.ckpt --out x trust=1": "package: --trust expects true or false, got '1'",
    }.items(),
)
def test_wrong_words(command, words, message):
    assert command(f"package {words}").error == message
    assert not list(Path().iterdir())


NETWORK = """\
import torch
from lightning_gan.components.following import weights_follow
from lightning_gan.generators.mlp import MLPGenerator


class Begun(MLPGenerator):
    def __init__(self, sample_shape: list[int], file: str = "begun.pt"):
        super().__init__(sample_shape, latent_dim=2, hidden=[4])
        if not weights_follow():
            self.load_state_dict(torch.load(file, weights_only=True))
"""


def test_a_resumed_run_does_not_need_the_file_that_its_network_began_with(command, small):
    from lightning_gan.generators.mlp import MLPGenerator

    Path("begun_net.py").write_text(NETWORK)
    state = MLPGenerator((1, 8, 8), latent_dim=2, hidden=[4]).state_dict()
    torch.save(state, "begun.pt")
    words = small.replace("generator=mlp ", "generator=begun_net.Begun ", 1)
    words = words.replace("model.generator.hidden=[4] ", "") + " data.shape=[1,8,8]"
    try:
        result = command(f"fit {words}")
        assert result.code == 0, result.err
        Path("begun.pt").unlink()
        result = command(f"fit {words} ckpt_path={LAST} trainer.max_steps=3")
        assert result.code == 0, result.err
    finally:
        sys.modules.pop("begun_net", None)
        sys.path[:] = [each for each in sys.path if each != str(Path.cwd())]
