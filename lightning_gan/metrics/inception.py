"""Inception-v3 features as the published FID and inception scores use them, by torch-fidelity."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor

from lightning_gan.errors import InputError, nearest
from lightning_gan.metrics.features import FeatureExtractor, Features, to_uint8

_SILENCE = 20.0  # seconds after which a download without an answer is given up
_UNREADABLE = (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError)


class InceptionFeatures(FeatureExtractor):
    """Return the 2048 pooled features and 1008 logits of Inception-v3 (Szegedy et al. 2016).

    Network, weights and resizing are torch-fidelity's, which agree with the TensorFlow graph of
    Salimans et al. (2016) and Heusel et al. (2017); the logits are those without bias, from which
    the inception score is computed. Gray images are repeated to three channels. The 1008 classes
    are ImageNet's, whatever classes the data have.

    Args:
        weights: File with torch-fidelity's weights; None for the one that torch-fidelity downloads
            on first use and keeps.

    Raises:
        InputError: torch-fidelity is not installed, or the weights are not there, cannot be
            downloaded or are other weights.
    """

    name = "inception"
    feature_dim = 2048
    num_classes = 1008
    resize = "bilinear to 299x299 as TensorFlow 1 does, by torch-fidelity"

    def __init__(self, weights: str | Path | None = None) -> None:
        super().__init__()
        try:
            from torch_fidelity import feature_extractor_inceptionv3 as inception
        except ImportError as error:
            raise InputError(
                "Inception features need torch-fidelity, which is not installed: "
                "pip install 'lightning-gan[inception]'"
            ) from error
        url = inception.URL_INCEPTION_V3
        kept = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
        path = Path(os.path.expanduser(weights)) if weights is not None else kept
        if weights is not None or kept.is_file():
            _check_weights(path, url)
        try:
            with torch.random.fork_rng(devices=[]), _answering():
                self.net = inception.FeatureExtractorInceptionV3(
                    "inception-v3-compat",
                    ["2048", "logits_unbiased"],
                    feature_extractor_weights_path=str(path) if path.is_file() else None,
                )
        except (HTTPException, *_UNREADABLE) as error:
            if path.is_file():
                raise InputError(_other_weights(path, url)) from error
            raise InputError(
                f"Inception's weights could not be downloaded ({_first_line(error)}): fetch {url} "
                f"and put the file into {kept.parent}, or set weights to its path"
            ) from error
        self.eval()

    def forward(self, images: Tensor) -> Features:
        """Return the features and class logits of a batch.

        Args:
            images: float in [-1, 1], shape (N, C, H, W) with C 1 or 3.

        Raises:
            InputError: The images have neither one nor three channels.
        """
        if images.shape[1] not in (1, 3):
            raise InputError(
                f"Inception features need images of 1 or 3 channels, got {images.shape[1]}"
            )
        features, logits = self.net(to_uint8(images).expand(-1, 3, -1, -1))
        return Features(features, logits)

    def protocol(self) -> dict[str, Any]:
        """Return the protocol of the base, and the version of torch-fidelity."""
        return {**super().protocol(), "torch_fidelity": version("torch-fidelity")}


def _check_weights(path: Path, url: str) -> None:
    """Refuse what is no file of tensors; torch-fidelity would run any code in it."""
    if not path.is_file():
        beside = [file.name for file in path.parent.glob("*.pth")]
        raise InputError(
            f"weights must be the path of Inception's weights, there is no file "
            f"{path}{nearest(path.name, beside)}: fetch {url}"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise InputError(_other_weights(path, url)) from error
    if not isinstance(content, dict):
        raise InputError(_other_weights(path, url))


def _other_weights(path: Path, url: str) -> str:
    return f"{path} does not hold torch-fidelity's weights of Inception: fetch {url} anew"


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def _answering() -> Iterator[None]:
    """Let connections fail that have no timeout of their own and stay without an answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
