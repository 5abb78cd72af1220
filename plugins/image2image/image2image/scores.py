"""How good translations between digits and their edges are, on held-out pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from image2image.edges import Source, digits, edges_of
from image2image.networks import TwoWayGenerator
from lightning_gan import InputError, load_generator
from lightning_gan.data import ImageData
from lightning_gan.metrics.features import FeatureExtractor, extract
from lightning_gan.metrics.fid import FID
from lightning_gan.metrics.judge import judge_for

AT_ONCE = 250
STEPS = 400  # batches that a judge learns from
Translation = Callable[[Tensor], Tensor]
HEADER = ("", "to", "L1", "SSIM", "classes kept", "FID", "there and back, L1", "classes kept")


class Held(NamedTuple):
    """Held-out digits and what tells them.

    Attributes:
        digits: float32 in [-1, 1], shape (N, 1, H, W).
        edges: Their edges, the same shape.
        labels: Their classes, int64, shape (N,).
        judges: Who tells classes, by "digits" and "edges".
    """

    digits: Tensor
    edges: Tensor
    labels: Tensor
    judges: dict[str, FeatureExtractor]


class Score(NamedTuple):
    """Scores of one translation.

    Attributes:
        to: What it makes, "digits" or "edges".
        l1: Mean absolute difference from the true partner, of values in [0, 1].
        ssim: Structural similarity with it.
        classes: Share of images whose class the judge tells.
        fid: Frechet distance of the judge's features from those of true images.
        cycle_l1: As ``l1``, of what was translated there and back and what it was; None where there
            is no way back.
        cycle_classes: As ``classes``, of the same.
    """

    to: str
    l1: float
    ssim: float
    classes: float
    fid: float
    cycle_l1: float | None = None
    cycle_classes: float | None = None

    def row(self, name: str) -> str:
        """Return the scores as a row of a Markdown table."""
        back = "", ""
        if self.cycle_l1 is not None and self.cycle_classes is not None:
            back = f"{self.cycle_l1:.4f}", f"{self.cycle_classes:.2%}"
        cells = (
            *(name, self.to, f"{self.l1:.4f}", f"{self.ssim:.3f}", f"{self.classes:.2%}"),
            *(f"{self.fid:.3f}", *back),
        )
        return "| " + " | ".join(cells) + " |"


def held_out(source: Source, root: str, image_size: int, n: int) -> Held:
    """Return held-out digits, and judges that were trained on the others.

    Raises:
        InputError: There is no such source, or it cannot be read.
    """
    data: ImageData = digits(source, root, False, image_size)
    images, labels = data.images("train", labels=True)
    test, of_test = data.images("test", labels=True)
    if labels is None or of_test is None:
        raise InputError(f"{type(data).__name__} has no classes")
    judges: dict[str, FeatureExtractor] = {
        "digits": judge_for(images, labels, test, of_test, 10, steps=STEPS),
        "edges": judge_for(edges_of(images), labels, edges_of(test), of_test, 10, steps=STEPS),
    }
    test = test[:n]
    shown, edges = (x.float().div(127.5).sub(1) for x in (test, edges_of(test)))
    return Held(shown, edges, of_test[:n], judges)


def score(held: Held, to: str, translation: Translation, back: Translation | None = None) -> Score:
    """Score a translation, and the way there and back where there is one.

    Args:
        held: Held-out images.
        to: What it makes, "digits" or "edges".
        translation: From images to images, (N, 1, H, W) in [-1, 1].
        back: The way back.
    """
    target, given = held.digits, held.edges
    if to == "edges":
        target, given = given, target
    made = _through(translation, given)
    judge = held.judges[to]
    of_made, of_target = extract(judge, made), extract(judge, target)
    assert of_made.class_logits is not None
    fid = FID(of_made.features.shape[1])
    fid.update(of_target.features, real=True)
    fid.update(of_made.features, real=False)
    ssim = structural_similarity_index_measure(made + 1, target + 1, data_range=2.0)
    assert isinstance(ssim, Tensor)
    found = Score(
        to,
        _l1(made, target),
        float(ssim),
        _right(of_made.class_logits, held.labels),
        float(fid.compute()),
    )
    if back is None:
        return found
    again = _through(back, made)
    told = extract(held.judges["edges" if to == "digits" else "digits"], again).class_logits
    assert told is not None
    return found._replace(cycle_l1=_l1(again, given), cycle_classes=_right(told, held.labels))


def scores_of(held: Held, path: str | Path | None) -> Iterator[Score]:
    """Score the generator of a run in the directions that it has; None leaves images as they are.

    Raises:
        InputError: It is no generator of such images.
    """
    if path is None:
        for to in ("digits", "edges"):
            yield score(held, to, lambda x: x)
        return
    network = load_generator(path).generator
    if isinstance(network, TwoWayGenerator):
        a_to_b, b_to_a = _of(network.a_to_b), _of(network.b_to_a)
        yield score(held, "digits", a_to_b, b_to_a)
        yield score(held, "edges", b_to_a, a_to_b)
    else:
        yield score(held, "digits", _of(network))


def table(
    paths: Sequence[str], source: Source, root: str, image_size: int, n: int
) -> Iterator[str]:
    """Yield the rows of a Markdown table: images as they are, then the generators of runs."""
    held = held_out(source, root, image_size, n)
    yield "| " + " | ".join(HEADER) + " |"
    yield "|" + " --- |" * len(HEADER)
    rows: list[tuple[str, str | None]] = [("as they are", None), *((path, path) for path in paths)]
    for name, path in rows:
        for found in scores_of(held, path):
            yield found.row(name)


def _of(network: torch.nn.Module) -> Translation:
    return lambda x: network(x.new_empty(len(x), 0), x)


@torch.inference_mode()
def _through(translation: Translation, images: Tensor) -> Tensor:
    return torch.cat([translation(part) for part in torch.split(images, AT_ONCE)])


def _l1(made: Tensor, target: Tensor) -> float:
    return float((made - target).abs().mean()) / 2


def _right(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).float().mean())
