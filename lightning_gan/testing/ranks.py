"""Two processes that play games of registered components together; run by ``kit``.

``python -m lightning_gan.testing.ranks FOLDER RANK`` reads what to play from ``begun.pt`` in the
folder and writes ``rank0.pt`` or ``rank1.pt``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from lightning_gan.components.registry import Entry
from lightning_gan.testing.cases import Case
from lightning_gan.testing.expectations import said
from lightning_gan.testing.playing import Begun, State, play_rank

RANKS = 2
PATIENCE_S = 60  # of a rank that waits for the other
LIMIT_S = 900
LOST = ("gloo", "Connection", "peer")  # what a rank says that is left alone


def play_ranks(
    begun: Mapping[Entry, Begun], folders: Mapping[Entry, Path], folder: Path
) -> dict[Entry, list[dict[str, State]] | str]:
    """Play games in two processes; return the states of both ranks, or why there are none.

    Args:
        begun: What each component's game of whole batches began with.
        folders: Where its files are.
        folder: An empty folder for what goes to and fro.
    """
    left = list(begun)
    found: dict[Entry, list[dict[str, State]] | str] = {}
    attempt = 0
    while left:
        here = folder / f"attempt{attempt}"
        here.mkdir(parents=True)
        attempt += 1
        torch.save(
            [(_plain(entry), str(folders[entry]), vars(begun[entry])) for entry in left],
            here / "begun.pt",
        )
        ranks = _run(here)
        for index, entry in enumerate(left):
            ours = [rank["found"][index] for rank in ranks if index < len(rank["found"])]
            if len(ours) < RANKS:  # the ranks are out of step from here on
                errors = [rank["error"] for rank in ranks if rank["error"]]
                own = [error for error in errors if not any(word in error for word in LOST)]
                found[entry] = (own or errors or ["the other process was lost"])[0]
                left = left[index + 1 :]
                break
            found[entry] = ours
        else:
            left = []
    return found


def _plain(entry: Entry) -> list[str]:
    return [entry.kind, entry.name, entry.value, entry.distribution, entry.version]


def _run(folder: Path) -> list[dict[str, Any]]:
    """Run both ranks; return what each wrote.

    Raises:
        RuntimeError: One ended in another way.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    jobs = [
        subprocess.Popen(
            [sys.executable, "-m", "lightning_gan.testing.ranks", str(folder), str(rank)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(RANKS)
    ]
    try:
        errors = [job.communicate(timeout=LIMIT_S)[1] for job in jobs]
    finally:
        for job in jobs:
            job.kill()
    if any(job.returncode for job in jobs):
        raise RuntimeError("a process of two ended early: " + "\n".join(errors)[-2000:])
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(RANKS)]


def play_all(words: Sequence[str]) -> None:
    """Play a rank's part of all games, and write what came of them."""
    folder, rank = Path(words[0]), int(words[1])
    torch.set_num_threads(1)
    begun = torch.load(folder / "begun.pt", weights_only=True)
    dist.init_process_group(
        "gloo",
        f"file://{folder}/store",
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=PATIENCE_S),
    )
    found: list[Any] = []
    error = ""
    for plain, own, given in begun:
        try:
            found.append(play_rank(Case(Entry(*plain), Path(own)), Begun(**given), rank))
        except Exception as raised:  # the ranks are out of step now
            error = said(raised)
            break
    torch.save({"found": found, "error": error}, folder / f"rank{rank}.pt")
    if not error:
        dist.destroy_process_group()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    play_all(sys.argv[1:])
