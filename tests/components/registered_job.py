"""Run by test_registered_games.py in two processes: a game of each registered component."""

from __future__ import annotations

import sys
import traceback
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import registered_games
import torch
import torch.distributed as dist


def main(rank, folder):
    begun = torch.load(folder / "begun.pt", weights_only=True)
    options = {"rank": rank, "world_size": 2, "timeout": timedelta(seconds=60)}
    dist.init_process_group("gloo", f"file://{folder}/store", **options)
    found = {}
    for case, (first, written) in begun.items():
        try:
            found[case] = registered_games.of_rank(*case, folder, first, written, rank)
        except Exception:  # the ranks are out of step now
            found["error"] = f"{' '.join(case)}: {traceback.format_exc()}"
            break
    torch.save(found, folder / f"rank{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), Path(sys.argv[2]))
