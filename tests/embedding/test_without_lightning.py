"""The game is plain torch: nothing of Lightning is imported by playing it."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import sys
found = sorted(name for name in sys.modules if name.split(".")[0].startswith(
    ("pytorch_lightning", "lightning_fabric", "lightning_utilities", "torchmetrics", "hydra")
) or name == "lightning" or name.startswith("lightning."))
assert not found, found
"""
PARTS = """
import torch
from lightning_gan import create_discriminator, create_generator, create_loss, create_regularizer
shape = (1, 4, 4)
generator = create_generator("mlp", sample_shape=shape, latent_dim=3, hidden=(8,))
discriminator = create_discriminator("mlp", sample_shape=shape, hidden=(8,))
loss, terms = create_loss("non_saturating"), {"r1": create_regularizer("r1")}
real = torch.rand(4, *shape) * 2 - 1
"""
GAME = """
from lightning_gan.game.game import Game
from lightning_gan.game.gan import GAN
game = Game(GAN(generator, discriminator, loss, terms))
game.play(real)
game.load_state_dict(game.state_dict())
assert game.gan.sample(2).shape == (2, *shape)
"""
ADVERSARY = """
from lightning_gan.game.adversary import Adversary
adversary = Adversary(discriminator, loss, terms)
fake = generator(torch.randn(4, 3))
adversary.step(real, fake)
adversary.generator_loss(fake, real).backward()
adversary.load_state_dict(adversary.state_dict())
"""


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)


def test_playing_imports_no_lightning():
    done = run(PARTS + GAME + ADVERSARY + CHECK)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_check_finds_lightning():
    done = run("import sys; sys.modules['lightning.pytorch'] = sys" + CHECK)
    assert "AssertionError: ['lightning.pytorch']" in done.stderr
