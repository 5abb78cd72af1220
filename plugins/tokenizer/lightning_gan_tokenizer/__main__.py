"""``python -m lightning_gan_tokenizer``: the halves of a trained autoencoder as files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lightning_gan import InputError
from lightning_gan_tokenizer.halves import export


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words of the command line say; 0, or 2 after wrong input."""
    given = parser().parse_args(words)
    try:
        folder = export(given.source, given.out)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"tokenizer: {folder}")
    return 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    whole = argparse.ArgumentParser(
        prog="python -m lightning_gan_tokenizer", description="Tools of tokenizers."
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    halves = commands.add_parser("export", help="write encoder and decoder for plain torch")
    halves.add_argument("source", help="a checkpoint, the folder of a run, or an exported folder")
    halves.add_argument("out", help="a new folder")
    return whole


if __name__ == "__main__":
    sys.exit(main())
