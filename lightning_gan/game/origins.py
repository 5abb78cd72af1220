"""What a GAN's weights began with: a chain of names and fingerprints, the newest first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lightning_gan.components.spec import printable

KEYS = ("name", "kind", "sha256")
LONGEST = 50  # of a chain
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def origins_in(state: Any) -> list[dict[str, str]]:
    """Return the chain that a saved state holds, as far as it is one."""
    found = state.get("origins") if isinstance(state, Mapping) else None
    return [_clean(each) for each in (found if isinstance(found, list) else ()) if _is_one(each)][
        :LONGEST
    ]


def _is_one(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and all(isinstance(value.get(key), str) for key in KEYS)
        and _FINGERPRINT.fullmatch(value["sha256"]) is not None
    )


def _clean(value: Mapping[str, Any]) -> dict[str, str]:
    return {key: printable(value[key]) for key in KEYS}
