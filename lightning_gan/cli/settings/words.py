"""What an object says of its arguments, in the words of the command: ``data.batch_size``.

An object knows its arguments by their names alone; where it stands in the settings, the command
knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lightning_gan.components.taking import arguments_of
from lightning_gan.errors import InputError

SHORT = 300  # characters of somebody else's error


def short(error: BaseException) -> str:
    """Return the beginning of a message on one line; our own messages are whole."""
    text = " ".join(str(error).split())
    return text if len(text) <= SHORT or isinstance(error, InputError) else f"{text[:SHORT]}..."


def in_settings(text: str, key: str, cls: type) -> str:
    """Return a message of an object's with the settings where it has arguments.

    Args:
        text: What it says; an argument that it begins with, or that it tells to set or to leave
            out, gets its key.
        key: Where the object stands in the settings.
        cls: Its class.

    Example:
        >>> class Data:
        ...     def __init__(self, batch_size=1, root="."): ...
        >>> in_settings("batch_size must be positive, or set root to a folder", "data", Data)
        'data.batch_size must be positive, or set data.root to a folder'
        >>> in_settings("there are no images", "data", Data)
        'data: there are no images'
    """
    names = "|".join(arguments_of(cls))
    if not names:
        return f"{key}: {text}"
    found = re.sub(
        rf"(^|\bset |\buse |\bleave |\bor |\bin |\(|\bgot )({names})\b(?!\()", rf"\1{key}.\2", text
    )
    return found if found.startswith(key) or f"{key}." in found else f"{key}: {found}"


def explained_by(error: InputError, owners: Mapping[str, object]) -> InputError:
    """Return an error of an object that acts, in the words of the settings.

    Args:
        error: What was raised, with its traceback.
        owners: Objects by their keys; who raised it is the innermost of them on the way there, or
            what acts for one of them (``acts_for``), that has an argument it speaks of.
    """
    step, spoken = error.__traceback__, str(error)
    keys: list[str] = []
    while step is not None:
        actor = step.tb_frame.f_locals.get("self")
        actor = vars(actor).get("acts_for", actor) if hasattr(actor, "__dict__") else actor
        keys += [k for k, owner in owners.items() if owner is actor and owner is not None]
        step = step.tb_next
    for key in reversed(keys):  # the innermost that has such an argument
        said = in_settings(spoken, key, type(owners[key]))
        if said != f"{key}: {spoken}":
            return InputError(said)
    return error
