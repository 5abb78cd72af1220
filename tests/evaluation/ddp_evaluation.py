"""Run by test_evaluator.py: evaluates in one process or two, and then fails in one of two."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import toys  # noqa: E402
from looking import Halves, Pixels  # noqa: E402

from lightning_gan.data import RandomImages  # noqa: E402
from lightning_gan.errors import InputError  # noqa: E402
from lightning_gan.evaluation import evaluate  # noqa: E402
from lightning_gan.evaluation.processes import made_together  # noqa: E402


def fail():
    raise InputError("generated images are not finite")


def main(rank, processes, folder):
    if processes > 1:
        rendezvous = f"file://{folder}/rendezvous"
        torch.distributed.init_process_group(
            "gloo", init_method=rendezvous, rank=rank, world_size=processes
        )
    gan = toys.gan(generator=Halves(), discriminator=toys.discriminator(num_classes=2))
    data = RandomImages(shape=(1, 4, 4), n=64, num_classes=2)
    options = {"kid_subsets": 3, "kid_subset_size": 20}
    card = evaluate(gan, data, features=Pixels(), n_fake=1100, n_real=48, **options)
    card.save(folder / f"{rank}-of-{processes}.json")
    if processes > 1:
        try:
            made_together(fail if rank == 1 else lambda: None)
        except InputError as error:
            with (folder / "refusals").open("a") as file:
                file.write(f"{error}\n")
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), 2, Path(sys.argv[2]))
