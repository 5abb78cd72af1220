"""Two machines, as two network namespaces with a cable between: torchrun starts the command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch

MACHINES = ("lgan_a", "lgan_b")
CABLES = ("lgan_va", "lgan_vb")
ADDRESSES = ("10.213.77.1", "10.213.77.2")
WITNESS = """
import json
from pathlib import Path

import pytorch_lightning as pl
import torch


class Witness(pl.Callback):
    def on_train_end(self, trainer, pl_module):
        weights = torch.cat([p.detach().flatten() for p in pl_module.parameters()])
        note = {
            "rank": trainer.global_rank,
            "world_size": trainer.world_size,
            "strategy": type(trainer.strategy).__name__,
            "images": pl_module.progress.images,
            "weights": weights.tolist(),
        }
        Path("witness.json").write_text(json.dumps(note))
"""
WORDS = [
    *("data=random", "data.n=16", "data.batch_size=4", "generator=mlp", "discriminator=mlp"),
    *("model.generator.hidden=[4]", "model.discriminator.hidden=[4]", "regularizers=[]"),
    *("trainer.accelerator=cpu", "trainer.devices=1", "trainer.num_nodes=2", "samples=false"),
    *("trainer.max_steps=4", "trainer.default_root_dir=run", "trainer.enable_progress_bar=false"),
    "trainer.callbacks=[{class_path: witness.Witness}]",
]


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True)


@pytest.fixture
def machines():
    """Two network namespaces that reach each other, and nothing else."""
    if shutil.which("ip") is None:
        pytest.skip("no command ip (iproute2) to make network namespaces with")
    made = [ip("netns", "add", name) for name in MACHINES]
    try:
        if any(done.returncode for done in made):
            pytest.skip(f"network namespaces cannot be made here: {made[0].stderr.strip()}")
        (a, b), (va, vb) = MACHINES, CABLES
        done = ip("link", "add", va, "netns", a, "type", "veth", "peer", "name", vb, "netns", b)
        if done.returncode:
            pytest.skip(f"no cable between network namespaces: {done.stderr.strip()}")
        for name, cable, address in zip(MACHINES, CABLES, ADDRESSES, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", cable)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", cable, "up")
        yield MACHINES
    finally:
        for name, done in zip(MACHINES, made, strict=False):
            if done.returncode == 0:
                ip("netns", "delete", name)


def torchrun(machine, rank, folder, *words):
    """Start the command on one machine, in a folder that the other does not have."""
    folder.mkdir(exist_ok=True)
    (folder / "witness.py").write_text(WITNESS)
    return subprocess.Popen(
        [
            *("ip", "netns", "exec", machine, sys.executable, "-m", "torch.distributed.run"),
            *("--nnodes=2", "--nproc-per-node=1", f"--node-rank={rank}"),
            *(f"--master-addr={ADDRESSES[0]}", "--master-port=29500"),
            *("-m", "lightning_gan", "fit", *WORDS, *words),
        ],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": CABLES[rank]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_machines_train_one_model(machines, tmp_path):
    folders = [tmp_path / name for name in machines]
    processes = [torchrun(machines[rank], rank, folders[rank]) for rank in (0, 1)]
    try:
        outputs = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert "Traceback" not in "".join(outputs)
    zero, one = (json.loads((folder / "witness.json").read_text()) for folder in folders)
    assert (zero["rank"], one["rank"]) == (0, 1)
    assert zero["world_size"] == one["world_size"] == 2
    assert zero["strategy"] == one["strategy"] == "GANDDPStrategy"
    assert zero["images"] == one["images"] == 4 * 4 * 2
    assert zero["weights"] == one["weights"]
    run = folders[0] / "run" / "version_0"
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 4
    assert (run / "config.yaml").exists()
    assert not list((folders[1] / "run").rglob("*.*"))  # rank 0 alone writes
    assert "last checkpoint" in outputs[0]
    assert "last checkpoint" not in outputs[1]
