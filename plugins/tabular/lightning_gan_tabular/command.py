"""The command lightning-gan-tabular: inspect a table, sample one, score one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lightning_gan import InputError

WRONG_INPUT = 2


def main(words: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        words: Of the command line; None: those of this process.

    Returns:
        The exit code: 0, or 2 after wrong input.
    """
    given = _parser().parse_args(words)
    try:
        given.run(given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_INPUT
    return 0


def _inspect(given: argparse.Namespace) -> None:
    from lightning_gan_tabular import Table, read_table

    types = _pairs(given.type, "--type")
    frame = read_table(given.table, types)
    print(f"{given.table}: {len(frame):,} rows")
    for line in Table.of(frame, types).lines():
        print(f"  {line}")


def _sample(given: argparse.Namespace) -> None:
    from lightning_gan_tabular import sample_table, write_table
    from lightning_gan_tabular.files import check_new

    check_new(given.out)
    condition = _pairs(given.where, "--where")
    frame = sample_table(given.path, given.num, given.seed, condition)
    write_table(frame, given.out)
    print(f"{given.out}: {len(frame):,} rows of {len(frame.columns)} columns")


def _score(given: argparse.Namespace) -> None:
    from lightning_gan_tabular import distances, read_table, usefulness

    if (given.test is None) != (given.target is None):
        raise InputError("--test and --target go together: rows to test on, and the column to tell")
    types = _pairs(given.type, "--type")
    real, synthetic = (read_table(path) for path in (given.real, given.synthetic))
    test = None if given.test is None else read_table(given.test)
    found = distances(real, synthetic, types)
    for name, distance in sorted(found.columns.items(), key=lambda item: -item[1]):
        print(f"{distance:.3f}  {name}")
    print(f"columns, mean distance  {found.column:.3f}")
    print(f"pairs, mean distance    {found.pair:.3f}")
    if test is not None:
        for label, table in (("synthetic", synthetic), ("real", real)):
            score = usefulness(table, test, given.target, types)
            print(f"trained on {label:<9}    {score:.3f}")


def _pairs(given: Sequence[str], word: str) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise InputError(f"{word} expects COLUMN=VALUE, got {each!r}")
        found[name] = value
    return found


def _from(low: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low:
            raise argparse.ArgumentTypeError(f"expected a whole number from {low}, got {text!r}")
        return number

    return whole


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "lightning-gan-tabular", description="Synthetic tables. Training is lightning-gan's: "
        "lightning-gan fit experiment=tabular data.path=FILE.csv", allow_abbrev=False,
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def typed(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--type", action="append", default=[], metavar="COLUMN=KIND",
            help="number, integer, date, category or drop; may be repeated",
        )  # fmt: skip

    inspect = commands.add_parser("inspect", help="tell what the columns of a table are taken for")
    inspect.add_argument("table", type=Path, help="a CSV or Parquet file")
    typed(inspect)
    inspect.set_defaults(run=_inspect)

    sample = commands.add_parser("sample", help="write a synthetic table")
    sample.add_argument("path", help="a run, a checkpoint, an exported folder or hf://user/name")
    sample.add_argument("--out", type=Path, required=True, help="a new file, .csv or .parquet")
    sample.add_argument("--num", type=_from(1), default=1000, help="rows; 1000")
    sample.add_argument("--seed", type=_from(0), default=0, help="the same seed, the same rows; 0")
    sample.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE",
                        help="rows with this category alone; may be repeated")  # fmt: skip
    sample.set_defaults(run=_sample)

    score = commands.add_parser("score", help="compare a synthetic table with a real one")
    score.add_argument("synthetic", type=Path)
    score.add_argument("real", type=Path)
    score.add_argument("--test", type=Path, help="real rows that nobody has trained on")
    score.add_argument("--target", metavar="COLUMN",
                       help="a random forest tells this column of --test from the others, trained "
                       "on the synthetic table and on the real one")  # fmt: skip
    typed(score)
    score.set_defaults(run=_score)
    return parser
