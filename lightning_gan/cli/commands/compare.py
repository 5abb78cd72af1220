"""``lightning-gan compare``: score cards side by side, and which is better."""

from __future__ import annotations

from lightning_gan.cli.arguments import Request
from lightning_gan.errors import InputError
from lightning_gan.evaluation.card import ScoreCard
from lightning_gan.evaluation.comparison import compare

USAGE = """\
usage: lightning-gan compare CARD CARD [CARD ...]

Show score cards side by side, and which is better. Cards that were not measured alike are refused.

example:
  lightning-gan compare runs/a/scorecards/last.json runs/b/scorecards/last.json"""


def usage() -> str:
    """Return the help page."""
    return USAGE


def run(request: Request) -> int:
    """Read the cards and print the comparison.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    words = request.words
    cards = [ScoreCard.load(word) for word in words]
    letters = {chr(ord("A") + place): word for place, word in enumerate(words)}
    try:
        comparison = compare(*cards)
    except InputError as error:
        which = ", ".join(f"{letter} is {word}" for letter, word in letters.items())
        raise InputError(f"{error} ({which})" if len(words) > 1 else str(error)) from error
    for (letter, word), card in zip(letters.items(), cards, strict=True):
        step = card.checkpoint.get("step")
        print(f"{letter}: {word}" + ("" if step is None else f" (step {step:,})"))
    print(f"\n{comparison.text()}")
    return 0
