"""The rules by which a run is found unwell: numbers in, a sentence and an advice out.

Nothing here knows a Trainer or a tensor. A rule tells what it sees in one check; that it has to
hold for some time before it counts is the monitor's concern.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, pstdev

SPREAD = 0.4  # of the distances between real samples; healthy runs 0.75 to 1, collapsed below 0.25
GROWTH = 1.25  # of the spread, over the checks for which a finding has to hold
COPIES = 0.1  # share of samples that have a near copy; 0 in healthy runs
CLASSES = 0.5  # of the classes, counted as exp(entropy)
WINNING = 0.99  # of pairs that D puts in order
SATURATED = 0.05  # of the gradient that a loss has at logits of 0
VANISHED = 1e-3  # of the largest gradient norm so far
SWING = 0.5  # standard deviation over mean
SWINGS = 4  # crossings of the mean
WINDOW = 20  # logged points
LOGGED = ("loss/", "logits/", "regularizer/", "grad_norm/")


@dataclass(frozen=True)
class Known:
    """What of a run's settings rules and advice depend on.

    Attributes:
        generator_lr: The generator's learning rate now.
        discriminator_lr: The discriminator's.
        penalties: Weights of the regularizers that act on D's gradient, by name.
        g_above: Loss of D above which a turn of G ends, for alternations that have one.
        module_key: What advice writes before the names of the module's settings.
    """

    generator_lr: float = 2e-4
    discriminator_lr: float = 2e-4
    penalties: Mapping[str, float] = field(default_factory=dict)
    g_above: float | None = None
    module_key: str = ""


@dataclass(frozen=True)
class Check:
    """What is known at one check.

    Attributes:
        numbers: Measured and last logged numbers by key.
        window: The last logged numbers, oldest first.
        settings: The run's settings.
        started: Whether G has been up to D for some checks, in a row or not.
        largest_gradient: The largest logged norm of G's gradient so far.
        earlier_spread: The spread some checks ago.
    """

    numbers: Mapping[str, float]
    window: Sequence[Mapping[str, float]] = ()
    settings: Known = field(default_factory=Known)
    started: bool = True
    largest_gradient: float = 0.0
    earlier_spread: float = math.inf


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong.

    Attributes:
        name: Of the finding: ``health/<name>`` in the loggers.
        look: Returns what is seen, or None where all is well.
        advice: Returns which settings to change.
        ends: Whether a run does not come back from it, so that it may end training.
        at_once: Whether one check is enough.
    """

    name: str
    look: Callable[[Check], str | None]
    advice: Callable[[Check], str]
    ends: bool
    at_once: bool = False


@dataclass
class Streak:
    """For how long a rule has been seeing something.

    Attributes:
        since: The step of the first check.
        seen: Checks at which it was seen.
        missed: Checks in a row at which it was not.
        found: Whether it has become a finding.
    """

    since: int = 0
    seen: int = 0
    missed: int = 0
    found: bool = False

    def note(self, step: int, seen: bool, needed: int) -> bool:
        """Take note of one check; return whether this makes it a finding.

        Before that, one check without it ends the streak; afterwards it takes as many in a row as
        it took to become a finding.
        """
        if not seen:
            self.missed += 1
            if not self.found or self.missed >= needed:
                self.since, self.seen, self.missed, self.found = 0, 0, 0, False
            return False
        self.since = self.since if self.seen else step
        self.seen, self.missed = self.seen + 1, 0
        new = not self.found and self.seen >= needed
        self.found = self.found or new
        return new


# What is seen ---------------------------------------------------------------------------------


def not_finite(check: Check) -> str | None:
    """NaN or infinite values in the weights: of steps too long, for others are left out."""
    return _infinite(check, "weights/")


def left_out(check: Check) -> str | None:
    """NaN or infinite values in what was logged; GANModule leaves such updates out."""
    return _infinite(check, *LOGGED)


def _infinite(check: Check, *keys: str) -> str | None:
    numbers = check.numbers.items()
    found = sorted(k for k, v in numbers if k.startswith(keys) and not math.isfinite(v))
    return f"NaN or infinite values in {', '.join(found)}" if found else None


def mode_collapse(check: Check) -> str | None:
    """Samples that differ too little, are near copies of each other, or are of too few classes."""
    spread, copies = check.numbers.get("spread", 1.0), check.numbers.get("duplicates", 0.0)
    effective, classes = check.numbers.get("classes", 1.0), check.numbers.get("num_classes", 1.0)
    seen = []
    if spread > GROWTH * check.earlier_spread:
        return None  # every generator begins with next to no spread
    if spread < SPREAD:
        seen.append(f"samples differ {spread:.2f} times as much as real ones")
    if copies > COPIES:
        seen.append(f"{copies:.0%} of the samples are near copies of another")
    if effective < CLASSES * classes:
        seen.append(f"samples are of {effective:.1f} of {classes:.0f} classes")
    return "; ".join(seen) or None


def is_winning(check: Check) -> bool:
    """Whether D tells real from fake without fail and has next to nothing left to learn."""
    loss, limit = check.numbers.get("loss/discriminator", math.inf), check.settings.g_above
    below = limit is not None and loss < limit
    certain = check.numbers["d_signal"] < SATURATED
    return check.numbers["d_accuracy"] >= WINNING and (certain or below)


def no_start(check: Check) -> str | None:
    """D wins and G was never up to it: training never got going."""
    if check.started or not is_winning(check):
        return None
    return f"G was never up to D: {_ahead(check)}"


def overpowering(check: Check) -> str | None:
    """D is winning now, and was not before."""
    return f"D overpowers G: {_ahead(check)}" if check.started and is_winning(check) else None


def vanishing_gradient(check: Check) -> str | None:
    """G loses and is told next to nothing about how to get better."""
    if check.numbers["d_accuracy"] < WINNING:
        return None
    if check.numbers["g_signal"] < SATURATED:
        return f"G's loss has {check.numbers['g_signal']:.2g} of the gradient it has at logits of 0"
    norm = check.numbers.get("grad_norm/generator", math.inf)
    if norm <= VANISHED * check.largest_gradient:
        largest = check.largest_gradient
        return f"the norm of G's gradient is {norm:.2g}, the largest so far was {largest:.2g}"
    return None


def oscillation(check: Check) -> str | None:
    """A loss, or the gap between the logits, swings widely around its mean."""
    gaps = [
        point["logits/real"] - point["logits/fake"]
        for point in check.window
        if {"logits/real", "logits/fake"} <= point.keys()
    ]
    series = {"the logits' gap": (gaps, 1.0)}
    for player in ("discriminator", "generator"):
        chance = abs(check.numbers.get(f"chance/{player}", 0.0))
        if chance > 0:  # otherwise the loss has no zero of its own, as in a Wasserstein GAN
            key = f"loss/{player}"
            values = [point[key] for point in check.window if key in point]
            series[key] = (values, chance)
    for name, (values, unit) in series.items():
        if swings(values, unit):
            mean, deviation = fmean(values), pstdev(values)
            return f"{name} swings by {deviation:.2g} around {mean:.2g}"
    return None


def swings(values: Sequence[float], unit: float) -> bool:
    """Whether a full window goes up and down around its mean by much, or by more and more.

    Args:
        values: Logged points, oldest first.
        unit: A size that counts as much where the mean is small.
    """
    if len(values) < WINDOW:
        return False
    mean = fmean(values)
    signs = [value > mean for value in values]
    crossings = sum(a != b for a, b in pairwise(signs))
    half = len(values) // 2
    grows = pstdev(values[half:]) > 2 * pstdev(values[:half])
    limit = SWING * max(abs(mean), unit) * (0.5 if grows else 1.0)
    return crossings >= SWINGS and pstdev(values) > limit


def _ahead(check: Check) -> str:
    return (
        f"it puts {check.numbers['d_accuracy']:.1%} of the pairs in order and its loss is "
        f"{check.numbers.get('loss/discriminator', math.nan):.2g}"
    )


# What to change -------------------------------------------------------------------------------


def _lower(check: Check, *players: str) -> str:
    """Return the settings that quarter the learning rates of players."""
    rates = {
        "generator": check.settings.generator_lr,
        "discriminator": check.settings.discriminator_lr,
    }
    key = check.settings.module_key
    return " ".join(f"{key}{player}_optimizer.lr={rates[player] / 4:.2g}" for player in players)


def _penalty(check: Check) -> str:
    """Return the setting that holds D's gradient down more than now."""
    name, weight = next(iter(check.settings.penalties.items()), ("r1", 0.0))
    return f"{check.settings.module_key}regularizers.{name}.weight={10 * weight or 1:.3g}"


def _slow_down(check: Check) -> str:
    return f"{_lower(check, 'discriminator')}, or {_penalty(check)}"


def _start_again(check: Check) -> str:
    return f"{_slow_down(check)}, or another seed_everything"


def _diversify(check: Check) -> str:
    return f"{_penalty(check)}, or {_lower(check, 'generator')}"


def _restore_gradient(check: Check) -> str:
    saturated = check.numbers["g_signal"] < SATURATED
    return "loss=non_saturating" if saturated else _slow_down(check)


def _calm(check: Check) -> str:
    return f"{_lower(check, 'generator', 'discriminator')}, or {_penalty(check)}"


def _clip(check: Check) -> str:
    both = _lower(check, "generator", "discriminator")
    key = check.settings.module_key
    return f"{both}, or {key}generator_clip_norm=1 {key}discriminator_clip_norm=1"


RULES = (
    Rule("not_finite", not_finite, _clip, ends=True, at_once=True),
    Rule("left_out", left_out, _clip, ends=False, at_once=True),  # GANModule ends it if need be
    Rule("mode_collapse", mode_collapse, _diversify, ends=True),
    Rule("no_start", no_start, _start_again, ends=True),
    Rule("vanishing_gradient", vanishing_gradient, _restore_gradient, ends=True),
    Rule("overpowering", overpowering, _slow_down, ends=False),
    Rule("oscillation", oscillation, _calm, ends=False),
)
