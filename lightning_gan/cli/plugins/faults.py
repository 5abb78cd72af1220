"""What the metadata of a component say against using it."""

from __future__ import annotations

from lightning_gan.components import installed, registry
from lightning_gan.components.registry import Entry


def fault(entry: Entry) -> str:
    """Return what the metadata say against an entry, or "": nothing is imported."""
    if entry.disabled:
        return f"disabled by {installed.DISABLE}"
    missing = installed.missing_module(entry.value)
    if missing:
        return (
            f"half installed: there is no module {missing}, pip install --force-reinstall "
            f"{entry.distribution}"
        )
    return registry.outdated(entry.distribution)
