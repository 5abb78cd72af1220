"""The folder that is given to others: a generator in one or several formats, and what they need.

Besides the files of each format it holds

- ``contract.json``: names, shapes, types and ranges of what goes in and comes out, the generator's
  arguments, how latents are drawn, the classes, and by how much each format differs from the
  generator itself
- ``reference.safetensors``: inputs of a few samples and what the generator makes of them
- ``samples.png``: these, where they are images
- ``README.md``: the model card, as the Hugging Face hub reads it
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from lightning_gan.callbacks.pictures.grid import grid
from lightning_gan.callbacks.pictures.shown_range import mapped, shown_bounds
from lightning_gan.callbacks.sink import as_uint8, write_png
from lightning_gan.components.full import arguments_in_full
from lightning_gan.components.spec import encode, is_portable
from lightning_gan.errors import InputError
from lightning_gan.export.card import Origin, card
from lightning_gan.export.folder import stated_range
from lightning_gan.export.formats import FILES, FORMATS, check_formats
from lightning_gan.export.interface import Interface
from lightning_gan.files.claims import is_free, new_folder
from lightning_gan.game import randomness
from lightning_gan.game.conditions import NoConditionError, with_classes
from lightning_gan.game.gan import GAN
from lightning_gan.game.sampling import draw_inputs
from lightning_gan.generators.base import Generator
from lightning_gan.priors.base import Prior
from lightning_gan.tracking import tracked
from lightning_gan.types import columns_in, map_tensors, rows

CONTRACT = "contract.json"
REFERENCE = "reference.safetensors"
PICTURE = "samples.png"
CARD = "README.md"
SAMPLES = 16  # of the reference
TOLERANCE = 1e-3  # of the range of an output, or of 1 where it is less
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Published:
    """What was written.

    Attributes:
        folder: Where.
        differences: By format, the largest difference between an output of the file and that of
            the generator, over all reference samples.
    """

    folder: Path
    differences: dict[str, float]


def publish(
    gan: GAN,
    folder: str | Path,
    formats: Sequence[str] = ("safetensors",),
    *,
    example: Any = None,
    class_names: Sequence[str] | None = None,
    license: str = "unknown",
    seed: int = 0,
    origin: Origin | None = None,
) -> Published:
    """Write the generator that sampling uses to a new folder, for others.

    Each format is read again and run on the reference samples, on one of them and on three; what
    it returns must be what the generator returns.

    Args:
        gan: The module.
        folder: Where; nothing may be there, or an empty folder. It appears whole or not at all.
        formats: Of "safetensors" (loaded with ``load_generator``), "torch_export" (runs in plain
            torch) and "onnx" (runs in onnxruntime).
        example: Conditions of a few samples, N first, for a generator whose condition is no class;
            None takes those of held-out samples, what the generator's ``example_input`` returns,
            or tries an image of the samples' shape.
        class_names: What the classes are called.
        license: For the card, such as "mit".
        seed: Of the reference samples.
        origin: What is known of the training, for the card.

    Raises:
        InputError: The folder is not empty, a format is unknown, lacks its packages or cannot hold
            this generator, a file differs from the generator, or an argument does not fit.
    """
    folder = Path(folder)
    check_formats(formats)
    if not is_free(folder):
        raise InputError(f"{folder} exists and is not empty; choose another folder")
    classes: int | None = getattr(gan.generator, "num_classes", None)
    if class_names is not None and len(class_names) != (classes or 0):
        raise InputError(
            f"class_names must name each of {classes or 0} classes, got {len(class_names)}"
        )
    network = copy.deepcopy(gan.sampling_generator()).to(CPU).requires_grad_(False).eval()
    z, y = reference_inputs(gan, network, example, seed)
    interface = Interface.of(network, z, y)
    inputs = interface.pack(z, y)
    with torch.no_grad():
        outputs = interface.run(inputs)
    differences, any_size = {}, interface.smaller(inputs) is not None
    spec = encode(gan.generator)
    try:
        with new_folder(folder) as made:
            for name in tracked(formats, "exporting", len(formats)):
                run = FORMATS[name](gan, interface, inputs, made)
                differences[name] = _difference(name, interface, run, inputs, outputs)
                any_size = any_size and _takes_other_sizes(name, interface, run, inputs)
            contract = {
                "format": 1,
                "version": version("lightning-gan"),
                "generator": type(network).__name__,
                "spec": spec if is_portable(spec) else None,
                "files": {name: FILES[name] for name in formats},
                **interface.describe(inputs, stated_range(gan), any_size),
                "left_out": list(interface.left_out),
                "prior": _prior(gan),
                "num_classes": classes,
                "class_names": None if class_names is None else list(class_names),
                "reference": {"file": REFERENCE, "samples": len(inputs[0]), "seed": seed},
                "largest_difference": differences,
            }
            (made / CONTRACT).write_text(json.dumps(contract, indent=2) + "\n", encoding="utf-8")
            named = (*zip(interface.inputs, inputs, strict=True), *_named(interface, outputs))
            kept = {name: x.detach().contiguous().clone() for name, x in named}
            (made / REFERENCE).write_bytes(save(kept, metadata={"format": "pt"}))
            drawn = _draw(gan, outputs[0], made / PICTURE)
            text = card(gan, contract, origin or Origin(), license, drawn)
            (made / CARD).write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise InputError(f"{folder} exists and is not empty; choose another folder") from error
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}") from error
    return Published(folder, differences)


def reference_inputs(
    gan: GAN, network: nn.Module, example: Any, seed: int, n: int = SAMPLES
) -> tuple[Tensor, Any]:
    """Return latents and conditions of a few samples.

    Raises:
        InputError: The generator asks for a condition, and nobody knows what it looks like.
    """
    source = randomness.seeded(seed, CPU)
    z, y = draw_inputs(network, gan.prior, gan.conditions, n, source)
    classes = gan.conditions.classes
    if example is not None:
        given = len(next(iter(columns_in(example)), ()))
        if classes is not None or given == 0:
            raise InputError("example expects the conditions of a few samples, N first")
        index = torch.arange(n) % given  # samples again from the first, where there are few
        return z, map_tensors(lambda x: x.to(CPU), rows(example, index, given))
    if classes is not None:
        return z, torch.arange(n) % classes
    if y is None and getattr(network, "num_classes", None) is not None:
        entry: Any = network.class_entry
        y = with_classes(torch.arange(n) % int(network.num_classes), entry, None)  # type: ignore[arg-type]
    if y is None and isinstance(network, Generator):
        y = network.example_input(n)
    guesses = [y] if y is not None or z.shape[1] else []
    shape: Any = tuple(network.sample_shape)  # type: ignore[arg-type]
    if y is None and len(shape) == 3:
        shape = tuple(size or 32 for size in shape)
        guesses.append(torch.rand(n, *shape, generator=source).mul_(2).sub_(1).to(z.dtype))
    for guess in guesses:
        try:
            Interface.of(network, z[:2], rows(guess, slice(2), n))
            return z, guess
        except NoConditionError:
            pass
        except (RuntimeError, LookupError, TypeError, ValueError, AttributeError):
            if guess is y:
                raise
    raise InputError(
        f"{type(network).__name__} asks for a condition that nobody knows: pass one of its inputs, "
        "--input FILE (an image, .npy or .npz), or publish(..., example=...)"
    )


def _difference(
    name: str,
    interface: Interface,
    run: Any,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
) -> float:
    """Return by how much a file differs from the generator.

    Raises:
        InputError: By more than rounding, or it cannot be run on another number of samples.
    """
    largest = 0.0
    for n in (len(inputs[0]), 1, 3):
        part = [x[:n] for x in inputs]
        expected = outputs if n == len(inputs[0]) else interface.run(part)
        try:
            found = run(part)
        except Exception as error:  # each runtime fails in its own way
            raise InputError(
                f"{FILES[name]} does not run on {n} samples: {str(error).splitlines()[0][:300]}"
            ) from error
        largest = max(largest, _compared(name, interface, expected, found, f"{n} samples"))
    return largest


def _takes_other_sizes(name: str, interface: Interface, run: Any, inputs: Sequence[Tensor]) -> bool:
    """Whether generator and file take inputs of another size as well.

    Raises:
        InputError: They do, and the file differs from the generator by more than rounding.
    """
    part = interface.smaller(inputs)
    assert part is not None
    try:
        expected, found = interface.run(part), run(part)
    except Exception:  # each runtime fails in its own way
        return False
    _compared(name, interface, expected, found, "another size")
    return True


def _compared(
    name: str,
    interface: Interface,
    expected: Sequence[Tensor],
    found: Sequence[Tensor],
    what: str,
) -> float:
    """Return the largest difference of outputs.

    Raises:
        InputError: It is more than rounding, or shapes differ.
    """
    largest = 0.0
    for output, ours, theirs in zip(interface.outputs, expected, found, strict=True):
        if ours.shape != theirs.shape:
            raise InputError(
                f"{FILES[name]} returns {output} of shape {tuple(theirs.shape)} for {what}, the "
                f"generator {tuple(ours.shape)}"
            )
        off = (ours.double() - theirs.double()).abs().max().item() if ours.numel() else 0.0
        scale = max(1.0, ours.double().abs().max().item()) if ours.numel() else 1.0
        if not off <= TOLERANCE * scale:
            raise InputError(
                f"{FILES[name]} differs from the generator by {off:.3g} in {output}, which is "
                "more than rounding; nothing was written"
            )
        largest = max(largest, off)
    return largest


def _named(interface: Interface, outputs: Sequence[Tensor]) -> list[tuple[str, Tensor]]:
    return list(zip(interface.outputs, outputs, strict=True))


def _prior(gan: GAN) -> dict[str, Any]:
    """Return how latents are drawn, for people and for programs."""
    kind = type(gan.prior)
    doc = (kind.__doc__ or kind.__name__).strip().partition("\n")[0]
    return {
        "text": "the standard normal distribution" if kind is Prior else doc.rstrip("."),
        "arguments": arguments_in_full(kind, encode(gan.prior).get("init_args", {})),
        "spec": encode(gan.prior),
        "latent_dim": gan.generator.latent_dim,
    }


def _draw(gan: GAN, samples: Tensor, path: Path) -> bool:
    """Draw the reference samples where they are images; return whether."""
    if samples.ndim != 4 or not samples.is_floating_point():
        return False
    picture = grid(mapped(samples.float(), shown_bounds(gan, samples)), 8)
    write_png(as_uint8(picture), path)
    return True
