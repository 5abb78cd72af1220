"""Both experiments by the command, on digits that come along and on folders."""

from importlib.metadata import entry_points

import numpy as np
import pytest
import torch
from image2image.__main__ import main
from PIL import Image

(COMMAND,) = entry_points(group="console_scripts", name="lightning-gan")
SMALL = (
    "data.batch_size=2 model.generator.base_channels=2 model.discriminator.base_channels=2 "
    "trainer.max_steps=2 trainer.limit_val_batches=1 trainer.val_check_interval=2 "
    "trainer.default_root_dir=runs trainer.accelerator=cpu trainer.enable_progress_bar=false "
    "curves=false health=false"
)


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Run ``lightning-gan`` in this process and return its exit code."""
    monkeypatch.chdir(tmp_path)

    def run(line):
        return COMMAND.load()(line.split())

    return run


def test_pix2pix_of_folders(command, tmp_path):
    assert main(["edges", "pairs", "--source=digits", "--image_size=8", "--train=4"]) == 0
    assert command(f"fit experiment=pix2pix data=image_pairs data.root=pairs {SMALL}") == 0
    run = tmp_path / "runs" / "version_0"
    with Image.open(run / "samples" / "grid-00000002.png") as picture:
        assert np.asarray(picture).std() > 20
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["state_dict"]["generator.encoder.0.0.weight"].shape == (2, 1, 4, 4)
    assert saved["state_dict"]["discriminator.network.stages.0.0.weight"].shape == (2, 2, 4, 4)
    assert command("translate runs/version_0 pairs/testA made --tile=8") == 0
    assert len(list((tmp_path / "made").glob("*.png"))) == 100


def test_cyclegan_of_digits(command, tmp_path, capsys):
    words = f"fit experiment=cyclegan data.source=digits data.image_size=8 {SMALL}"
    assert command(words) == 0
    run = tmp_path / "runs" / "version_0"
    assert (run / "samples" / "grid-00000002.png").is_file()
    pool = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert pool["regularizers.image_pool.held"] == 4
    assert main(["edges", "pairs", "--source=digits", "--image_size=8", "--train=1"]) == 0
    capsys.readouterr()
    assert command("translate runs/version_0 pairs/testA made") == 2
    assert "one of its ways alone: python -m image2image export RUN" in capsys.readouterr().err
    assert command(f"{words} data=edge_pairs data.image_size=16") == 2
    assert "which data without pairs yield, got Tensor" in capsys.readouterr().err
