"""The two halves of a trained autoencoder: as plain modules, and as files for plain torch."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan import InputError, load_generator
from lightning_gan_tokenizer.networks import Autoencoder
from lightning_gan_tokenizer.vq import VQAutoencoder

ENCODER, DECODER, DESCRIPTION = "encoder.pt2", "decoder.pt2", "tokenizer.json"
TOLERANCE = 1e-4  # of a file's output
TIES = 0.1  # share of codes that rounding may choose otherwise
SMALLEST = 3  # samples and places of a side in the example that is exported


class Encoder(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to codes: of VQ int64 (N, h, w), of KL means (N, c, h, w).

    Args:
        network: The autoencoder, which is copied.
    """

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.network = _copied(network)
        self.network.decoder = None  # type: ignore[assignment]

    def forward(self, images: Tensor) -> Tensor:
        """Return the codes of images."""
        return self.network.encode(images)


class Decoder(nn.Module):
    """Codes, as the encoder makes them, to images (N, C, H, W) in [-1, 1].

    Args:
        network: The autoencoder, which is copied.
    """

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.network = _copied(network)
        self.network.encoder = None  # type: ignore[assignment]

    def forward(self, codes: Tensor) -> Tensor:
        """Return the images of codes."""
        return self.network.decode(codes)


def encoder(path: str | Path) -> Encoder:
    """Return the half that makes codes of images, in eval mode on the CPU, without gradient.

    Args:
        path: A checkpoint, the folder of a run, or an exported folder; the averaged network where
            there is one.

    Raises:
        InputError: There is none, or it holds another generator.
    """
    return Encoder(_load(path))


def decoder(path: str | Path) -> Decoder:
    """Return the half that makes images of codes; see :func:`encoder`."""
    return Decoder(_load(path))


def export(path: str | Path, folder: str | Path) -> Path:
    """Write both halves to a new folder, for programs that have torch alone.

    ``encoder.pt2`` and ``decoder.pt2`` are programs of torch.export, for any number of images of
    any size that the network takes, of two codes a side or more. Each is read again and run before
    the folder is there.
    ``tokenizer.json`` says what goes in and comes out.

    Args:
        path: A checkpoint, the folder of a run, or an exported folder.
        folder: Where; nothing may be there, or an empty folder. It appears whole or not at all.

    Returns:
        The folder.

    Raises:
        InputError: The folder is not empty, there is no autoencoder at ``path``, or a file differs
            from the network.
    """
    out = Path(folder)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not empty; choose another folder")
    network = _load(path)
    about = describe(network)
    first, second = Encoder(network), Decoder(network)
    factor, channels = network.factor, network.sample_shape[0]
    height, width = SMALLEST * factor, (SMALLEST + 1) * factor
    source = torch.Generator().manual_seed(0)
    images = torch.rand(SMALLEST, channels, height, width, generator=source) * 2 - 1
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out.parent, prefix=".unfinished-") as unfinished:
            made = Path(unfinished, "tokenizer")
            made.mkdir()
            _write(first, images, made / ENCODER, factor)
            _write(second, first(images), made / DECODER, 1)
            (made / DESCRIPTION).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            made.rename(out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}") from error
    return out


def describe(network: Autoencoder) -> dict[str, Any]:
    """Return what goes into the halves of an autoencoder and comes out."""
    channels, *sides = network.sample_shape
    places = [side // network.factor for side in sides]
    about: dict[str, Any] = {
        "images": {"shape": [channels, *sides], "dtype": "float32", "range": [-1, 1]},
        "factor": network.factor,
    }
    if isinstance(network, VQAutoencoder):
        about["codes"] = {"shape": places, "dtype": "int64"}
        about["codes"]["values"] = network.codebook.num_embeddings
    else:
        about["codes"] = {"shape": [network.decoder.conv_in.in_channels, *places]}
        about["codes"]["dtype"] = "float32"
    return about


def _copied(network: Autoencoder) -> Autoencoder:
    """Return a copy on the CPU, in eval mode and without gradient."""
    made = copy.deepcopy(network).cpu().eval().requires_grad_(False)
    return made.to(memory_format=torch.contiguous_format)  # which torch.export saves as it is


def _load(path: str | Path) -> Autoencoder:
    """Return the autoencoder at a path.

    Raises:
        InputError: There is none.
    """
    network = load_generator(path).generator
    if not isinstance(network, Autoencoder):
        raise InputError(
            f"expected a vq_autoencoder or a kl_autoencoder at {path}, got {type(network).__name__}"
        )
    return network


def _write(half: nn.Module, given: Tensor, file: Path, factor: int) -> None:
    """Export a half, read it again, and compare.

    Args:
        half: The half.
        given: What it is exported with; the last two sides are open, and the number.
        file: Where to.
        factor: What the sides are multiples of.

    Raises:
        InputError: The file says something else.
    """
    last = given.dim() - 1
    rows, columns = torch.export.Dim("rows", min=2), torch.export.Dim("columns", min=2)
    shapes = {0: torch.export.Dim("n", min=1), last - 1: factor * rows, last: factor * columns}
    torch.export.save(torch.export.export(half, (given,), dynamic_shapes=(shapes,)), file)
    read = torch.export.load(file).module()
    for part in (given, given[:1], given[..., : 2 * factor, : 3 * factor]):
        expected, found = half(part), read(part)
        if expected.shape != found.shape or expected.dtype != found.dtype:
            raise InputError(f"{file.name} returns {found.shape}, the network {expected.shape}")
        if expected.is_floating_point():
            off, most = (expected - found).abs().max().item(), TOLERANCE
        else:
            off, most = (expected != found).float().mean().item(), TIES
        if not off <= most:
            raise InputError(f"{file.name} differs from the network by {off:.3g}; nothing is kept")
