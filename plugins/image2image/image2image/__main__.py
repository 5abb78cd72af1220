"""``python -m image2image``: directions of a CycleGAN, digits with their edges as files, scores."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lightning_gan import InputError, PluginError


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say.

    Args:
        arguments: Words of the command line; None: those of this process.

    Returns:
        0, or 2 where something was wrong with what was given.
    """
    given = parser().parse_args(arguments)
    try:
        if given.command == "export":
            from image2image.direction import export_direction

            print(f"export: {export_direction(given.run, given.to, given.out, given.format)}")
        elif given.command == "edges":
            from image2image.files import write_pairs

            count = write_pairs(
                given.out, given.source, given.root, given.image_size, given.train, given.test
            )
            print(f"edges: {count} pairs in {given.out}")
        else:
            from image2image.scores import table

            for row in table(given.runs, given.source, given.root, given.image_size, given.num):
                print(row, flush=True)
    except (InputError, PluginError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser("python -m image2image", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write one direction of a CycleGAN to a folder")
    export.add_argument("run", help="a checkpoint, or the folder of a run")
    export.add_argument("--to", required=True, choices=("A", "B"), help="what it makes")
    export.add_argument("--out", required=True, help="the folder, which must be new or empty")
    export.add_argument(
        "--format",
        type=lambda text: text.split(","),
        default=["safetensors"],
        help="safetensors, torch_export or onnx, or several: onnx,safetensors",
    )
    edges = commands.add_parser("edges", help="write digits and their edges as folders of images")
    edges.add_argument("out", help="the folder, which must be new or empty")
    edges.add_argument("--train", type=int, default=1000, help="pairs in trainA and trainB")
    edges.add_argument("--test", type=int, default=100, help="pairs in testA and testB")
    scores = commands.add_parser("scores", help="score runs on held-out digits and their edges")
    scores.add_argument("runs", nargs="*", help="checkpoints, runs or exported folders")
    scores.add_argument("--num", type=int, default=2000, help="how many held-out digits")
    for command in (edges, scores):
        command.add_argument("--source", default="mnist", choices=("mnist", "digits"))
        command.add_argument("--root", default="data", help="folder that holds MNIST/raw")
        command.add_argument("--image_size", type=int, default=32, help="side of the images")
    return made


if __name__ == "__main__":
    sys.exit(main())
