"""Figures made without pyplot: no window, no backend, nothing global is touched."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

DPI = 100


def new_figure(width: int, height: int) -> Any:
    """Return an empty matplotlib figure.

    Args:
        width: Pixels.
        height: Pixels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def freed() -> Iterator[None]:
    """Free the figures that are made and dropped in here.

    A figure is thousands of objects that refer to each other. Python looks for such cycles among
    old objects only when there are a quarter more of them: memory would grow for hours before. So
    they are not let grow old.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.collect(0)
        if enabled:
            gc.enable()


def figure_pixels(figure: Any) -> Tensor:
    """Return a figure as a picture for the sink, uint8 of shape (3, H, W).

    Example:
        >>> figure_pixels(new_figure(80, 50)).shape
        torch.Size([3, 50, 80])
    """
    figure.canvas.draw()
    pixels = torch.tensor(np.asarray(figure.canvas.buffer_rgba()))
    return pixels[..., :3].permute(2, 0, 1).contiguous()
