"""``lightning-gan report``: a page about a run."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from lightning_gan.cli.arguments import Request
from lightning_gan.errors import InputError

OPEN = "--open"  # show the page in the browser
USAGE = """\
usage: lightning-gan report RUN [--open]

Write one page about a run into its folder: curves, pictures, score cards, configuration.
  --open    show it in the browser

example:
  lightning-gan report runs/mnist_dcgan/version_0 --open"""


def usage() -> str:
    """Return the help page."""
    return USAGE


def run(request: Request) -> int:
    """Write the page; show it where that is asked for.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    words = request.words
    folders = [word for word in words if word != OPEN]
    if len(folders) != 1 or folders[0].startswith("-"):
        raise InputError(
            f"report expects the folder of one run, got {' '.join(words) or 'nothing'}: "
            "lightning-gan report runs/NAME/version_0"
        )
    from lightning_gan.report.page import write_report

    page = write_report(Path(folders[0]))
    print(f"report: {page}", flush=True)
    if OPEN in words and not webbrowser.open(Path(page).resolve().as_uri()):
        print("there is no browser to open it with; open the file in yours")
    return 0
