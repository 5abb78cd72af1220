"""Every term of both players on held-out samples, measured without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lightning_gan.game import randomness
from lightning_gan.game.assembly import Fakes, assemble, uncast_players
from lightning_gan.game.checks import check_generated
from lightning_gan.game.gan import GAN
from lightning_gan.game.objective import Objective, uncast
from lightning_gan.game.preserving import preserved_state
from lightning_gan.game.readings import Readings
from lightning_gan.step import called
from lightning_gan.types import Batch, Player, as_generator_output, map_tensors

CPU = torch.device("cpu")


def evaluated(gan: GAN, batch: Batch, seed: int, device: torch.device) -> tuple[Readings, Tensor]:
    """Measure every term on held-out samples, those that are lazy in training as well.

    Samples are not augmented, and the caller sets the mode of the networks.

    Args:
        gan: The GAN.
        batch: Held-out samples.
        seed: Seed of the latents.
        device: Where the GAN is.

    Returns:
        The readings of both players, and one fake for each sample, of the generator that sampling
        uses.
    """
    terms, parts = gan.terms(), gan.parts().values()
    generator, source = gan.sampling_generator(), randomness.seeded(seed, CPU)
    # Terms may differentiate: what comes in inference mode is copied out of it.
    looks = bool(terms) or gan.loss.plays
    with torch.inference_mode(False), torch.set_grad_enabled(looks), thawed(generator):
        batch = map_tensors(lambda x: x.clone() if x.is_inference() else x, batch)
        n = len(batch.real)
        with preserved_state(gan.prior):
            z = gan.prior.sample(n, gan.generator.latent_dim, generator=source, device=CPU)
        z = z.to(device, batch.real.dtype)
        y = batch.y
        if y is None:
            drawn = gan.conditions.draw(n, source)
            y = map_tensors(lambda x: x.to(device), drawn)
        objective = Objective(gan.loss, terms, gan.augment)
        full = Player.GENERATOR in uncast_players(objective.due(Player.GENERATOR, 0))
        with uncast(device.type, full):
            output = as_generator_output(called(generator, z, y))
        check_generated(generator, output.samples)
        fakes = Fakes(output, y, z)
        readings = Readings(tuple(Player))
        # Outputs are those of both players, unless a part changes what is seen, or puts it in a
        # graph.
        shares = not (gan.loss.plays or any(part.prepares for part in parts))
        shares &= not any(term.differentiates for term in terms.values())

        def draw(count: int) -> Tensor:
            drawn = gan.prior.sample(count, z.shape[1], generator=source, device=CPU)
            return drawn.to(device, z.dtype)

        with preserved_state(gan.generator, gan.discriminator, *parts):
            step = None
            for settings in (gan.generator_settings, gan.discriminator_settings):
                due = objective.due(settings.player, 0)
                if step is None or not shares:
                    images = gan.progress.images
                    step = assemble(gan, settings.player, batch, fakes, due, draw, images)
                    step.augment = None
                else:
                    step = step.seen_by(settings.player)
                _, reading = objective.compute(step, due, settings.weight)
                readings.keep(settings.player, reading)
    return readings, output.samples.detach()


@contextmanager
def thawed(network: nn.Module) -> Iterator[None]:
    """Let an averaged generator, or a frozen one, be differentiated as the trained one is."""
    still = [p for p in network.parameters() if not p.requires_grad and p.is_floating_point()]
    for parameter in still:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in still:
            parameter.requires_grad_(False)
