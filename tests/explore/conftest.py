"""Pages of small generators, each served once for a file of tests."""

from __future__ import annotations

import pytest
from exploring import drawing, painting, serving_of


@pytest.fixture(scope="module")
def classes():
    """Of three classes and three latents."""
    with serving_of(drawing(num_classes=3)) as page:
        yield page


@pytest.fixture(scope="module")
def painter():
    """From an image to one twice as large."""
    with serving_of(painting(scale=2), latent_dim=0, shape=[1, None, None]) as page:
        yield page
