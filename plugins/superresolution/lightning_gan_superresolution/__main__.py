"""``python -m lightning_gan_superresolution``: weights for others, networks of features."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_gan import InputError
from lightning_gan.data import ImageFolder
from lightning_gan_superresolution.training_features import save_network, train
from lightning_gan_superresolution.written_weights import write_weights

PROGRAM = "python -m lightning_gan_superresolution"


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words of the command line say; 0, or 2 after wrong input."""
    given = parser().parse_args(words)
    try:
        said: str = given.run(given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(said)
    return 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    whole = argparse.ArgumentParser(prog=PROGRAM, description="Tools of super resolution.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    weights = commands.add_parser("weights", help="write a generator's weights as RRDBNet has them")
    weights.add_argument("source", help="a checkpoint, the folder of a run, or an exported folder")
    weights.add_argument("out", help="a new file, .pth or .safetensors")
    weights.set_defaults(run=_weights)
    features = commands.add_parser("features", help="train a network of features on images")
    features.add_argument("images", help="a folder or zip of images")
    features.add_argument("out", help="a new file, .safetensors")
    features.add_argument("--classes", action="store_true", help="tell class folders, not turns")
    features.add_argument("--epochs", type=float, default=4.0, help="4 by default")
    features.add_argument("--size", type=int, help="side to which images are resized, to squares")
    features.add_argument("--batch_size", type=int, default=128, help="128 by default")
    features.add_argument("--seed", type=int, default=0, help="0 by default")
    features.set_defaults(run=_features)
    return whole


def _weights(given: argparse.Namespace) -> str:
    write_weights(given.source, given.out)
    return f"weights: {given.out}"


def _features(given: argparse.Namespace) -> str:
    out = Path(given.out)
    if out.suffix != ".safetensors" or out.exists():
        raise InputError(f"OUT must be a new .safetensors file, got {out}")
    data = ImageFolder(
        given.images,
        channels=3,
        image_size=given.size,
        batch_size=given.batch_size,
        seed=given.seed,
    )
    network, accuracy = train(data, given.epochs, given.classes, given.seed)
    task = "classes" if given.classes else "right angles"
    said = {"task": task, "accuracy": f"{accuracy:.4f}", "epochs": f"{given.epochs:g}"}
    save_network(network, out, said)
    return f"{task}: {accuracy:.1%} of held-out images right; {out}"


if __name__ == "__main__":
    sys.exit(main())
