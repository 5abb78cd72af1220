"""``lightning-gan interpolate``: ways between latents, as a picture or a GIF.

Words and paths are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.drawing import (
    ALWAYS,
    BATCH,
    OF_PATH,
    PATH,
    PSI,
    SEED,
    loaded_generator,
    new_output,
    shown_output,
    watched,
    write_output,
)
from lightning_gan.cli.given import Command, Option, file_path, whole_from, wholes

GIF_MS = 80


INTERPOLATE = Command(
    "interpolate",
    (PATH,),
    f"""\
Draw ways between latents, spherical ones.
{OF_PATH}
FILE.png has a way in each row; FILE.gif walks along all ways at once, there and back.""",
    (
        Option("out", file_path, "FILE.png or FILE.gif; needed"),
        Option("rows", whole_from(1), "ways", 8, "8"),
        Option("columns", whole_from(2), "samples on each; of a GIF, frames", None, "10, GIF 30"),
        Option("labels", wholes, "classes of the ways, in turns; 0,1,2,... by default"),
        SEED,
        PSI,
        BATCH,
        *ALWAYS,
    ),
    (
        "lightning-gan interpolate runs/digits_dcgan/version_0 --out=ways.png",
        "lightning-gan interpolate my_generator --rows=16 --out=ways.gif",
    ),
)
usage = INTERPOLATE.help


def run(request: Request) -> int:
    """Draw ways and write them.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    words, given = INTERPOLATE.read(request)
    out = new_output(INTERPOLATE, given, ".png", ".gif")
    loaded = loaded_generator(words[0], given)

    from lightning_gan.sampling import images, turns
    from lightning_gan.sampling.ways import ways

    rows, moving = given["rows"], out.suffix == ".gif"
    with watched():
        found = ways(
            loaded,
            rows,
            given["columns"] or (30 if moving else 10),
            labels=turns.in_turns(given["labels"], rows),
            seed=given["seed"],
            truncation=given["truncation"],
            batch_size=given["batch_size"],
        )
        if moving:
            wide = min(rows, turns.GRID_COLUMNS, max(1, round(rows**0.5)))
            frames = [images.cells(found[:, place], wide) for place in range(found.shape[1])]
            content = images.gif([*frames, *frames[-2:0:-1]], GIF_MS)
        else:
            content = images.png(images.cells(found.flatten(0, 1), found.shape[1]))
    write_output(out, content)
    print(f"ways: {rows} in {shown_output(out)}")
    return 0
