"""The command ``explore``: a page in the browser on which one looks at a generator.

Words are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

import shlex
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.drawing import ALWAYS, OF_PATH, PATH
from lightning_gan.cli.given import Command, Option, one_of, whole_from, yes
from lightning_gan.errors import InputError

if TYPE_CHECKING:
    from lightning_gan.export.loaded import LoadedGenerator

NEEDED = ("starlette", "uvicorn")
LAST_PORT = 65535
EXPLORE = Command(
    "explore",
    (PATH,),
    f"""\
Look at a generator in the browser: samples by seed and class, a plane of its latents to drag
through, ways between two samples, images put through it; pictures can be saved.
{OF_PATH}
The page is for this machine alone, needs no network, and ends with Ctrl-C.""",
    (
        Option("port", whole_from(1), "port of the page", None, "8642, or the next free one"),
        Option("host", str, "where the page listens", "127.0.0.1", "127.0.0.1"),
        Option("public", yes, "true: another --host is meant, which others reach", False, "false"),
        Option("batch_size", whole_from(1), "samples of one pass, as memory allows", 16, "16"),
        Option("input_range", one_of("symmetric", "unit"), "of input images, -1 to 1 or 0 to 1",
               "symmetric", "symmetric"),
        *ALWAYS,
    ),
    (
        "lightning-gan explore runs/digits_dcgan/version_0",
        "lightning-gan explore my_generator --port=9000",
    ),
)  # fmt: skip
usage = EXPLORE.help


def run(request: Request) -> int:
    """Load the generator and serve the page until Ctrl-C.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    words, given = EXPLORE.read(request)
    port, host = given["port"], given["host"]
    if port is not None and port > LAST_PORT:
        raise InputError(f"explore: --port expects a number from 1 to {LAST_PORT}, got {port}")
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"explore needs {' and '.join(missing)}, which is not installed; "
            "try: pip install 'lightning-gan[explore]'"
        )

    from lightning_gan.explore import serving

    own = serving.is_loopback(host)
    if not own and not given["public"]:
        raise InputError(
            f"explore: at --host={host} everybody who reaches this machine over the network sees "
            "the page and lets this machine compute; there is no password and no encryption. If "
            "that is meant, add --public=true"
        )
    with serving.listen(host, port) as socket:
        from lightning_gan.cli.devices import chosen_device
        from lightning_gan.explore.explorer import Explorer
        from lightning_gan.explore.site import application
        from lightning_gan.export.load import load_generator

        loaded = load_generator(words[0], chosen_device(given["device"]), trust=given["trust"])
        inputs = (0.0, 1.0) if given["input_range"] == "unit" else (-1.0, 1.0)
        explorer = Explorer(loaded, given["batch_size"], inputs)
        names = frozenset({"localhost", "127.0.0.1", "::1", host.lower()}) if own else None
        app = application(explorer, _about(loaded, words[0]), names)
        print(f"explore: {serving.url(socket)} (Ctrl-C ends it)", flush=True)
        if not own:
            print("Everybody who reaches this machine over the network sees it.", flush=True)
        serving.serve(app, socket)
    print("explore: ended")
    return 0


def _about(loaded: LoadedGenerator, path: str) -> dict[str, Any]:
    """Return what the page says of the generator."""
    return {
        "path": path,
        "quoted": shlex.quote(path),
        "network": type(loaded.generator).__name__,
        "step": loaded.about.get("step"),
        "averaged": bool(loaded.about.get("averaged")),
        "shape": list(loaded.sample_shape),
        "latent_dim": loaded.latent_dim,
    }
