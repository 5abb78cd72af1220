"""``lightning-gan data inspect ROOT``: what a folder or zip of images holds."""

from __future__ import annotations

import os
from pathlib import Path

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.quiet import quiet
from lightning_gan.errors import InputError

USAGE = """\
usage: lightning-gan data inspect ROOT

Show what a folder or zip of images holds: classes, sizes, modes, endings, files that are left out,
duplicates, and every broken image, which is found by decoding all. At the end, what training would
make of it. The exit code is 1 where an image is broken.

examples:
  lightning-gan data inspect my_images
  lightning-gan data inspect my_images.zip"""


def usage() -> str:
    """Return the help page."""
    return USAGE


def run(request: Request) -> int:
    """Print the page.

    Returns:
        0, or 1 where an image is broken.

    Raises:
        InputError: The words are not ``inspect ROOT``, or the root holds no images.
    """
    words = request.words
    if len(words) != 2 or words[0] != "inspect" or words[1].startswith("-"):
        raise InputError(
            "data expects inspect and a folder or zip of images, got "
            f"{' '.join(words) or 'nothing'}: "
            "lightning-gan data inspect my_images"
        )
    from lightning_gan.cli.watching import shown
    from lightning_gan.data.folder_page import folder_page

    with quiet(), shown():
        page = folder_page(Path(os.path.expanduser(words[1])))
    print(page.text().encode("utf-8", "backslashreplace").decode())
    return 1 if page.broken else 0
