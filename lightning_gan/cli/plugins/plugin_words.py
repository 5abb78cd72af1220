"""The words after ``lightning-gan plugins``: names, and options with or without a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lightning_gan.errors import InputError, nearest


def read_options(
    action: str, words: Sequence[str], options: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Return the names, and the options that are given, each with its value.

    Args:
        action: The word after ``plugins``, for messages.
        words: What follows it.
        options: Each option with a word for its value, "" for one that has none.

    Raises:
        InputError: An option is unknown, or has no value.
    """
    queue, names, given = list(words), [], {}
    while queue:
        word = queue.pop(0)
        if not word.startswith("-"):
            names.append(word)
            continue
        option, equals, value = word.partition("=")
        if option not in options:
            raise InputError(
                f"plugins {action}: unknown option {option!r}{nearest(option, options) or '.'} "
                f"Options: {', '.join(options) or 'none'}"
            )
        if options[option] and not equals:
            value = queue.pop(0) if queue and not queue[0].startswith("-") else ""
        if bool(options[option]) != bool(value):
            what = f"needs a value: {option} {options[option]}" if options[option] else "has none"
            raise InputError(f"plugins {action}: {option} {what}")
        given[option] = value
    return names, given


def one_name(action: str, names: Sequence[str], usage: str) -> str:
    """Return the one name that is given.

    Raises:
        InputError: There are more, or none.
    """
    if len(names) != 1:
        raise InputError(f"expected: lightning-gan plugins {action} {usage}")
    return names[0]
