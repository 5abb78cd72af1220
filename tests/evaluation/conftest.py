from __future__ import annotations

import looking
import pytest
import toys

from lightning_gan.data import RandomImages


@pytest.fixture
def data():
    return RandomImages(shape=(1, 4, 4), n=64, num_classes=2, batch_size=8)


@pytest.fixture
def gan():
    return toys.gan(generator=looking.Halves(), discriminator=toys.discriminator(num_classes=2))
