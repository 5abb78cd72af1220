"""Speech to train vocoders on, and other speech to score them: WAV files made by espeak-ng.

    python plugins/vocoder/benchmark/speech.py FOLDER

writes 400 sentences to FOLDER/learn, put together of four lists of phrases and read by eight
English voices in turns, and 24 sentences of other words to FOLDER/other.
"""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from pathlib import Path

SENTENCES = 400
VOICES = (
    *("en-gb", "en-us", "en-gb-scotland", "en-gb-x-gbclan"),
    *("en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us+f3"),
)
WHO = (
    "The old captain",
    "My youngest sister",
    "A quiet teacher",
    "The baker next door",
    "Every good doctor",
    "Our tall neighbour",
    "The tired farmer",
    "A clever engineer",
    "The happy child",
    "One brave pilot",
)
DOES = (
    "carefully opens",
    "slowly paints",
    "often forgets",
    "never sells",
    "quickly repairs",
    "gladly borrows",
    "seldom visits",
    "always measures",
    "sometimes washes",
    "proudly shows",
)
WHAT = (
    "the yellow boat",
    "a heavy wooden box",
    "three broken chairs",
    "the village church",
    "a jar of honey",
    "the long red scarf",
    "seven small engines",
    "the museum garden",
    "his father's violin",
    "a page of numbers",
)
WHEN = (
    "before the sun comes up.",
    "when it rains in June.",
    "on the way to school.",
    "after a cup of tea.",
    "while the others sleep.",
    "during the cold winter.",
    "as soon as the bell rings.",
    "without saying a word.",
    "in front of the judge.",
    "for less than a pound.",
)
OTHER = (
    "Zebras graze beyond that muddy ridge.",
    "Jazz music echoed through both huge halls.",
    "Why would anyone choose purple curtains?",
    "Fresh oysters cost extra on Thursdays.",
    "Please hold your ticket until boarding begins.",
    "Gravity bends light around distant stars.",
    "He whispered something about hidden treasure.",
    "Vegetables grow better under southern skies.",
    "Could you lend me twenty kroner tomorrow?",
    "Thunder rolled across empty valleys.",
    "Nobody expected such generous applause.",
    "She juggles oranges and sharp knives.",
    "Icy roads caused several delays yesterday.",
    "Chemists mix acids using glass rods.",
    "Their cousin plays chess against robots.",
    "Wolves howl whenever full moons rise.",
    "Fifty nurses marched toward parliament.",
    "This queue moves at snail's pace.",
    "Bright kites floated above sandy beaches.",
    "Lawyers argued over ancient maps.",
    "Put sugar, flour and butter into bowls.",
    "Autumn leaves covered narrow streets.",
    "Trains from Oslo arrive at platform nine.",
    "Good evening, ladies and gentlemen.",
)


def say(texts: list[str], folder: Path) -> None:
    """Write each text as a WAV file, the voices in turns."""
    folder.mkdir(parents=True)
    for number, text in enumerate(texts):
        voice, path = VOICES[number % len(VOICES)], folder / f"{number:04}.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", str(path), text], check=True)


def main(root: Path) -> None:
    """Write both folders."""
    every = list(itertools.product(WHO, DOES, WHAT, WHEN))
    random.Random(0).shuffle(every)
    say([" ".join(words) for words in every[:SENTENCES]], root / "learn")
    say(list(OTHER), root / "other")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
