"""Generators on the Hugging Face hub, by ``hf://user/name``; nothing of it is run."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from lightning_gan.components.spec import printable
from lightning_gan.errors import InputError
from lightning_gan.export.folder import DESCRIPTION, PRIOR, WEIGHTS

SCHEME = "hf://"
ADDRESS = re.compile(r"hf://([\w.-]{1,96}/[\w.-]{1,96})(?:@([\w./-]{1,96}))?")


def is_address(path: object) -> bool:
    """Whether a path names something on the hub."""
    return isinstance(path, str) and path.startswith(SCHEME)


def folder_of(address: str) -> Path:
    """Return the folder in the hub's cache that holds a generator, fetched where it is not there.

    Offline (``HF_HUB_OFFLINE=1``) it is looked for in the cache alone.

    Raises:
        InputError: It is no address, ``huggingface_hub`` is missing, or there is no such generator
            or no connection.
    """
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise InputError(f"expected hf://user/name or hf://user/name@revision, got {address!r}")
    if find_spec("huggingface_hub") is None:
        raise InputError(
            f"{address} needs huggingface_hub, which is not installed; "
            "try: pip install 'lightning-gan[hub]'"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name, revision = match.groups()
    files = [DESCRIPTION, WEIGHTS, PRIOR]
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=files))
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"{address} is not in the cache of the Hugging Face hub, and the hub cannot be reached "
            "or HF_HUB_OFFLINE is set: load it once where there is a connection, or name a folder"
        ) from error
    except GatedRepoError as error:
        raise InputError(f"{address} asks for an account: log in with hf auth login") from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise InputError(
            f"{address}: there is no such repository or revision, or it is private: look at its "
            "name, or log in with hf auth login"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{address} cannot be fetched: {printable(error)}") from error
