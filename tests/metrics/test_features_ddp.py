"""Two processes score as one, whichever drew a sample; as a script, this is one of them."""

from __future__ import annotations

import sys
from pathlib import Path

import forked
import torch

from lightning_gan.metrics.classifier_score import ClassifierScore
from lightning_gan.metrics.density_coverage import DensityCoverage
from lightning_gan.metrics.duplicates import Duplicates
from lightning_gan.metrics.fid import FID
from lightning_gan.metrics.kid import KID
from lightning_gan.metrics.memorization import Memorization
from lightning_gan.metrics.precision_recall import PrecisionRecall

CHUNK = 20


def metrics():
    """Every metric on features; the options make each depend on which rows a seed picks."""
    return {
        "fid": FID(3),
        "kid": KID(subsets=4, subset_size=12),
        "precision_recall": PrecisionRecall(),
        "density_coverage": DensityCoverage(),
        "duplicates": Duplicates(threshold=0.6),
        "memorization": Memorization(threshold=0.6),
        "classifier_score": ClassifierScore(splits=3),
    }


def score(rank, world, n_fake):
    """Rank r of W takes the chunks r, r + W, ..., which are gathered in another order."""
    source = torch.Generator().manual_seed(0)
    real = torch.randn(150, 3, generator=source).split(CHUNK)
    fake = (0.8 * torch.randn(n_fake, 3, generator=source)).split(CHUNK)
    results = {}
    for name, metric in metrics().items():
        if name == "classifier_score":
            for chunk in fake[rank::world]:
                metric.update(chunk)
        else:
            for chunks, is_real in ((real, True), (fake, False)):
                for chunk in chunks[rank::world]:
                    metric.update(chunk, real=is_real)
        results[name] = metric.compute()
    return results


def test_two_processes_score_as_one(tmp_path):
    ranks = [forked.Started(__file__, [rank, tmp_path], tmp_path) for rank in (0, 1)]
    for process in ranks:
        output, _ = forked.end(process)
        assert process.returncode == 0, output[-3000:]
    for rank in (0, 1):
        both = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        for n_fake, together in both.items():
            alone = score(0, 1, n_fake)
            torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


def main(rank, folder):
    store = f"file://{folder}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    # With 15 fakes the second process has none.
    results = {n_fake: score(rank, 2, n_fake) for n_fake in (130, 15)}
    torch.save(results, Path(folder) / f"rank{rank}.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
