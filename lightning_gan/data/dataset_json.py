"""Labels in a ``dataset.json``, as StyleGAN's dataset_tool.py writes it beside its images."""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch

from lightning_gan.data.class_numbers import numbered
from lightning_gan.data.file_listing import FileTree
from lightning_gan.errors import InputError

DATASET_JSON = "dataset.json"

Classes = tuple[list[str] | None, list[int] | None]


def read_dataset_json(tree: FileTree, path: str, images: Sequence[str]) -> Classes | None:
    """Read the classes of images; folders then mean nothing.

    The file is ``{"labels": [["00000/img00000000.png", 6], ...]}``, or ``{"labels": null}`` for
    unlabeled images (Karras et al. 2020, dataset_tool.py of stylegan2-ada-pytorch).

    Args:
        tree: Where the file is.
        path: The file; names in it are relative to its folder.
        images: All images below the root.

    Returns:
        Names of the classes and the class of each image, or twice None for unlabeled images. None
        where the file is about something else.

    Raises:
        InputError: It has labels that are no numbers of classes, or none for an image.
    """
    try:
        content = json.loads(tree.read(path))
    except ValueError as error:
        raise InputError(
            f"{path} in {tree.root} is no JSON ({error}): mend or remove it"
        ) from error
    if not isinstance(content, dict) or "labels" not in content:
        return None
    if content["labels"] is None:
        return None, None
    try:
        labels = dict(content["labels"])
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{path} in {tree.root} must have labels as pairs of a name and a number: "
            "mend or remove it"
        ) from error
    folder = path.removesuffix(DATASET_JSON)
    given = []
    for name in images:
        label = labels.get(name.removeprefix(folder))
        if type(label) is not int or label < 0:
            raise InputError(
                f"{path} in {tree.root} must give each image the number of its class, got "
                f"{label!r} for {name}: mend or remove it"
            )
        given.append(label)
    values, found = numbered(torch.tensor(given), f"{path} in {tree.root}")
    return [str(value) for value in values], found.tolist()
