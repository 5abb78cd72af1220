"""Entry point of the command ``lightning-gan`` and of ``python -m lightning_gan``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from lightning_gan.cli.arguments import Request, read_words
from lightning_gan.errors import InputError

BAD_INPUT = 2
INTERRUPTED = 130
OTHERS_WAIT_S = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        argv: Arguments without the program's name; None takes those of the process.

    Returns:
        0, 2 after one message about wrong input, 3 where health ended training, or 128 + n after
        signal n. Other errors keep their traceback.
    """
    if argv is None:
        _prepare_output()
        if os.environ.get("MPLBACKEND", "").startswith("module://"):
            del os.environ["MPLBACKEND"]  # a notebook's, which this environment may not have
    try:
        code = _dispatch(read_words(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except InputError as error:
        rank = os.environ.get("LOCAL_RANK", "0")
        if rank != "0":  # where the first fails as well, it ends this one and speaks for all
            time.sleep(OTHERS_WAIT_S)
        suffix = f" (in process {rank})" if rank != "0" else ""
        print(f"error: {error}{suffix}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # in the middle of importing torch
            return INTERRUPTED
        raise
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class Forgiving:
    """Standard output or error that ends no run: what nobody takes any longer is left out.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            self._stream.write(text)
        except OSError:
            self._to_nowhere()
        return len(text)

    def flush(self) -> None:
        """Write what can be written."""
        try:
            self._stream.flush()
        except OSError:
            self._to_nowhere()

    def _to_nowhere(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def _prepare_output() -> None:
    """Let no text end a run: what a terminal cannot show is spelled out."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed from the beginning
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
            continue
        stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Forgiving(stream))


def _dispatch(request: Request) -> int:
    # Imported here: listing, help and version work without torch, which takes seconds to import.
    if request.action == "version":
        from lightning_gan import __version__

        print(f"lightning-gan {__version__}")
        return 0
    if request.action == "help":
        from lightning_gan.cli import explain

        print(explain.text(request))
        return 0
    if request.action == "start":
        from lightning_gan.cli import explain

        print(explain.START)
        return 0
    if request.action == "plugins":
        from lightning_gan.cli.plugins import listing

        return listing.show(request.words)
    if request.action in ("sweep", "print_sweep"):
        from lightning_gan.cli.trainer import sweep

        return sweep.run(request)
    if os.getcwd() not in sys.path:  # class paths may name modules of the folder one works in
        sys.path.append(os.getcwd())
    if request.action == "tool":
        from lightning_gan.cli.commands import command_file

        code: int = command_file(request.command).run(request)
        return code
    from lightning_gan.cli.trainer import run

    return run.run(request)


if __name__ == "__main__":
    sys.exit(main())
