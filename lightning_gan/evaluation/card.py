"""The score card: numbers, how they were measured, and the file that holds both."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightning_gan.errors import InputError, nearest
from lightning_gan.evaluation import scores as scores_of
from lightning_gan.files.bounded import excess
from lightning_gan.files.columns import columns
from lightning_gan.files.whole import write_whole

FORMAT = 1
_VERSIONS = ("lightning-gan", "torch", "torchmetrics", "numpy")
_DEEPEST, _MOST = 40, 100_000
_PARTS = ("scores", "details", "protocol", "checkpoint")


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide scores."""
    return {name: version(name) for name in _VERSIONS}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass(frozen=True)
class ScoreCard:
    """What an evaluation found.

    The file is JSON. A score that is not finite is ``null`` there, and its value is named under
    ``notes``.

    Attributes:
        scores: Every score by its name.
        protocol: Everything that decides the scores, JSON values by nested keys.
        details: Class histogram, confusion and the like, JSON values.
        checkpoint: Which generator it was: path, step, images seen, as far as they are known.
        created: When, in UTC, as ISO 8601 writes it.
    """

    scores: dict[str, float]
    protocol: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)
    checkpoint: dict[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=_now)

    def save(self, path: str | Path) -> Path:
        """Write the card, whole or not at all, in the place of what is there.

        Args:
            path: Where; missing folders are made.
        """
        path = Path(path)
        write_whole(path, self.text())
        return path

    @classmethod
    def load(cls, path: str | Path) -> ScoreCard:
        """Read a card.

        Raises:
            InputError: The file is missing, damaged, from a newer version, or no score card.
        """
        path = Path(path)
        if not os.path.isfile(path):
            found = [str(p) for p in path.parent.glob("*.json")] if path.parent.is_dir() else []
            raise InputError(f"no score card at {path}{nearest(str(path), found)}")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError, RecursionError) as error:
            raise InputError(
                f"{path} is not JSON or is damaged: evaluate the checkpoint again"
            ) from error
        number = content.get("format") if isinstance(content, dict) else None
        if type(number) is not int or not all(isinstance(content.get(p), dict) for p in _PARTS):
            raise InputError(f"{path} is not a score card: lightning-gan evaluate writes them")
        if number > FORMAT:
            raise InputError(
                f"{path} has the format {number} of a newer lightning-gan, and this one reads "
                f"{FORMAT}; try: pip install --upgrade lightning-gan"
            )
        try:
            scores = {
                name: float(content.get("notes", {})[name] if value is None else value)
                for name, value in content["scores"].items()
            }
        except (TypeError, ArithmeticError, ValueError, LookupError) as error:
            raise InputError(
                f"{path} is damaged: a score is not a number; evaluate the checkpoint again"
            ) from error
        parts = {part: content[part] for part in _PARTS[1:]}
        is_step = type(parts["checkpoint"].get("step", 0)) in (int, type(None))
        if not is_step or excess(parts, deepest=_DEEPEST, most=_MOST):
            raise InputError(
                f"{path} is damaged: its parts are not what evaluate writes; evaluate the "
                "checkpoint again"
            )
        return cls(scores, created=str(content.get("created", "")), **parts)

    def table(self) -> str:
        """Return the scores as aligned lines, with the direction that is better."""
        rows = [("score", "value", "better")]
        for name in scores_of.headline(self.scores):
            better = scores_of.direction(name).replace("neither", "")
            rows.append((name, scores_of.shown_score(name, self.scores), better))
        return columns(rows, rule=True)

    def summary(self) -> str:
        """Return in one line what was measured against what, and who looked."""
        protocol = self.protocol
        data, features = protocol["data"], protocol["features"]
        samples = (
            f"{protocol['n_fake']:,} samples ({protocol['generator']['weights']} weights, seed "
            f"{protocol['seed']}) against"
        )
        of = data["class"].rpartition(".")[2]
        if "n_real" not in protocol:
            return f"{samples} the {features['name']} of {of}"
        accuracy = features.get("test_accuracy")
        right = "" if accuracy is None else f", {accuracy:.2%} right on test images"
        return (
            f"{samples} {protocol['n_real']:,} {protocol['split']} images of {of}; "
            f"features: {features['name']}{right}"
        )

    def text(self) -> str:
        """Return the card as JSON."""
        notes = {name: str(value) for name, value in self.scores.items() if not _finite(value)}
        content = {
            "format": FORMAT,
            "scores": self.scores,
            **({"notes": notes} if notes else {}),
            "details": self.details,
            "protocol": self.protocol,
            "checkpoint": self.checkpoint,
            "created": self.created,
        }
        return json.dumps(_valid(content), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _valid(value: Any) -> Any:
    """Return JSON values with null for what JSON cannot say."""
    if isinstance(value, dict):
        return {str(key): _valid(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_valid(item) for item in value]
    return value if _finite(value) else None
