"""The adversarial game, played batch by batch in plain torch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from lightning_gan.components.part import Part
from lightning_gan.errors import InputError, NotFiniteError
from lightning_gan.game import randomness, ranks
from lightning_gan.game.assembly import Fakes, assemble, uncast_players
from lightning_gan.game.checks import check_generated
from lightning_gan.game.conditions import class_entry, with_classes
from lightning_gan.game.engine import Engine
from lightning_gan.game.gan import GAN
from lightning_gan.game.graphs.capturable import check_graph, check_optimizers
from lightning_gan.game.graphs.steps import GraphedSteps, graphed_steps
from lightning_gan.game.guard import Guard
from lightning_gan.game.labels import check_later_labels
from lightning_gan.game.loop_checks import check_tensor
from lightning_gan.game.objective import Due, Objective, uncast
from lightning_gan.game.preserving import preserved_state
from lightning_gan.game.readings import Reading, Readings, read_outputs, tell
from lightning_gan.game.sampling import floating_dtype, repeat_labels
from lightning_gan.game.side import Side
from lightning_gan.game.single import check_single, of_one_sample
from lightning_gan.game.straight import add_gradients, advance
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep, called
from lightning_gan.types import (
    Batch,
    Player,
    Progress,
    as_generator_output,
    rows,
)

GENERATOR, DISCRIMINATOR = Player.GENERATOR, Player.DISCRIMINATOR
LOST_EVERY = 50  # batches between looks at the updates left out


class Game:
    """A GAN in play: its two sides, the guard over them, and the source of latents.

    In a loop of one's own, on the device where the GAN is; with ``torch.distributed`` initialized,
    all ranks begin with the weights of rank 0, and gradients are averaged over all of them::

        game = Game(gan)
        for real, y in loader:
            game.play(real, y)
        torch.save(game.state_dict(), "game.pt")

    Global random states (dropout, augmentations) are the loop's own; to resume exactly, save and
    restore them beside ``state_dict``.

    Args:
        gan: The GAN, its networks where they are trained. Its schedules, averaged generator and
            counts follow the game.
        engine: Computes gradients and steps; None: plain torch.
        seed: Seed of the latents, mixed with the rank; None: torch's initial seed.
        sides: Generator's and discriminator's sides with optimizers that were made elsewhere; None:
            they are made as the GAN says.

    Attributes:
        gan: The GAN.
        sides: Both sides, the generator's first.
        generator: The generator's side.
        discriminator: The discriminator's side.
        notes_norms: Whether gradient norms are computed for the readings.
        gives_up: Whether ``max_skipped`` updates left out in a row, or a scheduler that has come
            to its end, end the game.
        last_batch: Samples in the last batch of an epoch, where somebody knows.

    Raises:
        InputError: An optimizer or scheduler refuses its arguments.
    """

    def __init__(
        self,
        gan: GAN,
        *,
        engine: Engine | None = None,
        seed: int | None = None,
        sides: tuple[Side, Side] | None = None,
    ) -> None:
        self.gan = gan
        self.engine = Engine() if engine is None else engine
        self.sides = gan.sides() if sides is None else sides
        self.generator, self.discriminator = self.sides
        for side in self.sides if sides is None else ():
            side.configure()
        terms = gan.terms()
        self.objective = Objective(gan.loss, terms, gan.augment, gan.balance)
        self.guard = Guard()
        self.notes_norms = False
        self.gives_up = True
        self.last_batch: int | None = None
        self.capturing = False  # as a CUDA graph
        self.graphs: GraphedSteps | None = None
        self.noise: torch.Generator | None = None
        self.seed = torch.initial_seed() if seed is None else seed
        self._waiting_noise: Tensor | None = None
        self._checked = False
        self._dtype: torch.dtype | None = None  # of the generator
        self._acting = [term for term in terms.values() if _acts_after_updates(term)]
        self._may_observe: dict[str, Part] = {
            "alternation": gan.alternation,
            "prior": gan.prior,
            **self.objective.named,
        }
        self._observers: dict[str, Part] = {}
        self._asked: frozenset[Player] = frozenset()  # who is measured without a step

    @property
    def progress(self) -> Progress:
        """How far training has come."""
        return self.gan.progress

    def side(self, player: Player) -> Side:
        """Return one of the two sides."""
        return self.generator if player is GENERATOR else self.discriminator

    def begin(self, device: torch.device) -> None:
        """Take stock before the first batch, or anew after something was frozen or moved.

        Args:
            device: Where the networks are.

        Raises:
            InputError: ``graph`` is set, and the steps cannot be captured.
        """
        self.generator.take_stock()
        self.discriminator.take_stock()
        gan = self.gan
        gan.begin_average()
        parts = [part for part in gan.parts().values() if part is not gan.alternation]
        self.guard.watch(gan.generator, gan.discriminator, *parts)
        self.noise = torch.Generator(device)
        self._set_noise(self.noise)
        self._dtype = floating_dtype(gan.generator)
        if gan.graph:
            check_graph(gan, device)
            check_optimizers(*self.sides)
        self.graphs = graphed_steps(self, device) if gan.graph else None

    # One batch ------------------------------------------------------------------------------

    def play(self, real: Tensor, y: Any = None, extra: Mapping[str, Any] | None = None) -> Readings:
        """Let the players that the alternation names step on one batch.

        Args:
            real: Real samples, shape (N, *sample_shape).
            y: Their condition, or None.
            extra: What terms ask for besides, by name.

        Returns:
            Detached scalars on the device.

        Raises:
            InputError: The batch does not fit the networks, or a scheduler has come to its end.
            NotFiniteError: ``max_skipped`` updates in a row were left out.
        """
        batch, gan = Batch(real, y, extra or {}), self.gan
        if self.noise is None:
            check_tensor(real, "real samples", gan.discriminator)
            self._share_weights()
            self.begin(real.device)
        if not self._checked:
            gan.check_samples(batch)
            if self.last_batch is not None:
                check_single(gan, batch, self.last_batch)
            self._checked = True
        else:
            check_later_labels(gan.class_network(), batch)
        gan.follow_schedules(self.sides)
        phases = self._phases()
        self._observers = observers = {n: p for n, p in self._may_observe.items() if p.observes}
        if observers:
            asked = [part.measures for part in observers.values()]
            self._asked = frozenset[Player]().union(*asked)
        self.guard.begin()
        try:
            readings = (self if self.graphs is None else self.graphs).train(batch, phases)
        except ValueError as error:
            said = of_one_sample(error, gan, len(real))
            if said is None:
                raise
            raise InputError(f"the batch is {said}") from error
        self._finish(real.shape[0], readings)
        if self.gives_up and (self.generator.ended or self.discriminator.ended):
            raise InputError(self.generator.ended or self.discriminator.ended)
        if self.gives_up and gan.progress.batches % LOST_EVERY == 0:
            lost = self.lost()
            if lost is not None:
                raise NotFiniteError(
                    f"NaN or infinite losses or gradients: {lost} were left out, and the weights "
                    "are as before them; lower a learning rate, or clip gradients"
                )
        return readings

    def _share_weights(self) -> None:
        """Let all ranks begin with what rank 0 has; states of parts go on as each rank's own."""
        gan = self.gan
        modules = [gan.generator, gan.discriminator, gan.generator_ema]
        if gan.progress.batches == 0:
            modules += gan.parts().values()
        buffers = [b for module in modules if module is not None for b in module.buffers()]
        ranks.broadcast([*gan.parameters(), *buffers])

    def train(self, batch: Batch, phases: tuple[Player, ...]) -> Readings:
        """Let players step on one batch."""
        readings = Readings(())
        if not phases:
            self._look(batch, readings)
        simultaneous, fakes = self.gan.alternation.simultaneous, None
        waiting: list[Side] = []
        for index, player in enumerate(phases):
            side, keep = self.side(player), self._next_shares(phases[index : index + 2], batch)
            acts, fakes = self._update(side, batch, fakes, keep, phases, readings)
            if acts and simultaneous:
                waiting.append(side)
            elif acts:
                self._step(side, readings)
        for side in waiting:
            self._step(side, readings)
        self.guard.settle(asks=self.graphs is None)  # graphs read buffers in place
        return readings

    def _update(
        self,
        side: Side,
        batch: Batch,
        reused: Fakes | None,
        keep: bool,
        phases: tuple[Player, ...],
        readings: Readings,
    ) -> tuple[bool, Fakes | None]:
        """Compute one player's gradients on one batch, in ``micro_batches`` pieces.

        Args:
            side: Whose gradients.
            batch: The batch.
            reused: Fakes of the phase before, with their graph, to be used again; or None.
            keep: Whether the next phase uses these fakes.
            phases: The players that step on this batch.
            readings: Where to note what was computed.

        Returns:
            Whether there was anything to minimise, and the fakes for the next phase.
        """
        torch.clear_autocast_cache()  # one context spans the whole batch, and weights have changed
        player, weight = side.player, side.settings.weight
        due = self.objective.due(player, self.progress.steps(player))
        if weight == 0 and not due:
            return False, None
        assert side.optimizer is not None
        side.optimizer.zero_grad()
        acts, reading, fakes, factors = False, Reading(), reused, None
        for piece in _pieces(batch, self.gan.micro_batches):
            # Outside of what is frozen: a generator's update may use their graph as well.
            fakes = reused or self._draw_fakes(player, piece, keep, due)
            with self._others_frozen(side):
                step = self._adversarial_step(player, piece, fakes, due)
                objective, found = self.objective.compute(step, due, weight, factors)
                factors = found.factors if self.gan.balance is not None else None
                share = piece.real.shape[0] / batch.real.shape[0]
                if objective is not None:
                    add_gradients(self.engine, objective, share)
                    acts = True
                self._measure(player.opponent, step, phases, share, readings)
            read_outputs(step, found, signs=bool(self._observers))
            if share == 1:
                reading = found
            else:
                reading.add(found, share)
        readings.keep(player, reading)
        return acts, (fakes if keep else None)

    def _step(self, side: Side, readings: Readings) -> None:
        norm = advance(
            side,
            self.gan,
            engine=self.engine,
            guard=self.guard,
            terms=self._acting,
            notes_norm=self.notes_norms,
        )
        readings.phases = (*readings.phases, side.player)
        reading = readings.of(side.player)
        if self.notes_norms and reading is not None and reading.gradient_norm is None:
            reading.gradient_norm = norm

    def _finish(self, n: int, readings: Readings) -> None:
        """Bring ranks, counts, averaged generator and observers up to date after a batch of n."""
        self.guard.note()
        gan, world = self.gan, ranks.world_size()
        if world > 1:  # so that saving rank 0's buffers never changes a run
            networks = (gan.generator, gan.discriminator)
            ranks.average([b for net in networks for b in net.buffers() if b.is_floating_point()])
        images = n * world
        gan.progress = gan.progress.after_batch(images)
        if gan.ema is not None and gan.generator_ema is not None:
            gan.ema.update(gan.generator_ema, gan.generator, gan.progress.images, images)
        gan.weights_changed()
        if self._observers:
            tell(self._observers, readings, gan.progress)

    # What one batch is made of ----------------------------------------------------------------

    def _phases(self) -> tuple[Player, ...]:
        alternation = self.gan.alternation
        who, phases = type(alternation).__name__, alternation.phases(self.progress)
        if not isinstance(phases, (tuple, list)) or not all(isinstance(p, Player) for p in phases):
            raise InputError(f"{who}.phases must return a tuple of Player, got {phases!r}")
        phases = tuple(phases)
        if alternation.simultaneous and len(set(phases)) < len(phases):
            raise InputError(
                f"{who} is simultaneous and lets a player step twice "
                f"on one batch: {', '.join(player.value for player in phases)}"
            )
        for player in phases:
            if self.side(player).optimizer is None:
                raise InputError(
                    f"{who} lets the {player.value} step, and all of it is frozen: thaw some of "
                    "it, or choose an alternation in which it does not step"
                )
        return phases

    def _next_shares(self, phases: tuple[Player, ...], batch: Batch) -> bool:
        """Whether the second of two phases uses the fakes of the first."""
        gan = self.gan
        if not gan.share_fakes or phases != (DISCRIMINATOR, GENERATOR):
            return False
        if gan.generator_batch > 1 or gan.micro_batches > 1:
            return False
        if not torch.is_autocast_enabled(batch.real.device.type):
            return True
        next_due = self.objective.due(GENERATOR, self.progress.generator_steps)
        return GENERATOR not in uncast_players(next_due)

    def _others_frozen(self, side: Side) -> AbstractContextManager[None]:
        """Spare weight gradients that this player's update does not need."""
        if side.player is GENERATOR:
            return self.discriminator.frozen()
        simultaneous = self.gan.alternation.simultaneous  # the generator's gradients may wait
        if self.generator.parts or simultaneous:
            return self.generator.frozen(parts_alone=not simultaneous)
        return nullcontext()

    def _draw_fakes(self, player: Player, batch: Batch, keep: bool, due: Due) -> Fakes:
        """Generate fakes for a batch; with a graph in G's phase or where they are kept."""
        gan, y = self.gan, batch.y
        multiple = gan.generator_batch if player is GENERATOR else 1
        n = batch.real.shape[0] * multiple
        if multiple > 1:
            y = repeat_labels(y, multiple, batch.real.shape[0])
        if gan.fake_labels == "uniform":
            y = self._uniform_classes(n, y)
        z = self.draw_latents(n)
        full = GENERATOR in uncast_players(due)
        with torch.set_grad_enabled(keep or player is GENERATOR), uncast(z.device.type, full):
            made = called(gan.generator, z, y) if y is None else gan.generator(z, y)
            output = as_generator_output(made)
        check_generated(gan.generator, output.samples)
        return Fakes(output, y, z)

    def _uniform_classes(self, n: int, y: Any) -> Any:
        assert self.noise is not None
        classes, entry = self.gan.generator.num_classes, class_entry(self.gan.generator)
        drawn = torch.randint(
            classes,  # type: ignore[arg-type]
            (n,),
            generator=self.noise,
            device=self.noise.device,
        )
        return with_classes(drawn, entry, y)

    def draw_latents(self, n: int) -> Tensor:
        """Draw training latents, shape (n, Z), from the game's own generator."""
        assert self.noise is not None
        dim = self.gan.generator.latent_dim
        z = self.gan.prior.sample(n, dim, generator=self.noise, device=self.noise.device)
        return z if self._dtype is None else z.to(self._dtype)

    def _adversarial_step(
        self, player: Player, batch: Batch, fakes: Fakes, due: Due
    ) -> AdversarialStep:
        images = None if self.capturing else self.progress.images
        return assemble(self.gan, player, batch, fakes, due, self.draw_latents, images)

    # Looking ------------------------------------------------------------------------------------

    def _measure(
        self,
        player: Player,
        step: AdversarialStep,
        phases: tuple[Player, ...],
        share: float,
        readings: Readings,
    ) -> None:
        """Measure a player that does not step on this batch, where an observer asks for it."""
        if player in phases or not self._observers or player not in self._asked:
            return
        loss = self.objective.measure(step, player)
        reading = readings.of(player)
        if reading is None:
            readings.keep(player, Reading(loss=loss * share if share < 1 else loss))
        elif reading.loss is not None:
            reading.loss = reading.loss + loss * share

    def _look(self, batch: Batch, readings: Readings) -> None:
        """Measure the players that an observer asks for, on a batch on which nobody steps."""
        if not (self._observers and self._asked):
            return
        with torch.no_grad(), preserved_state(self.gan.generator):
            fakes = self._draw_fakes(DISCRIMINATOR, batch, keep=False, due=())
        for player in Player:
            if player in self._asked:
                step = self._adversarial_step(player.opponent, batch, fakes, ())
                due = self.objective.due(step.player, self.progress.steps(step.player))
                with preserved_state(*self.gan.parts().values()):
                    self.objective.prepare(step, due)
                    reading = Reading(loss=self.objective.measure(step, player))
                read_outputs(step, reading, signs=True)
                readings.keep(player, reading)

    def lost(self) -> str | None:
        """Return which player has been left out too often in a row since the last call, if any."""
        limit = self.gan.max_skipped
        for side in self.sides:
            most = side.skipped.most_in_a_row()
            if limit is not None and most is not None and most >= limit:
                return f"{most} updates of the {side.player.value} in a row"
        return None

    # State --------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return weights, states of parts and optimizers, counts, and the source of latents."""
        noise = self._waiting_noise if self.noise is None else self.noise.get_state()
        sides = [side.state_dict() for side in self.sides]
        gan = self.gan.state_dict()
        return {"gan": gan, "sides": sides, "noise": noise, "rank": ranks.rank()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned.

        Each rank goes on exactly with a state that it saved itself. With another rank's it draws
        its latents anew, so that no two ranks draw the same.
        """
        self.gan.load_state_dict(state["gan"])
        for side, own in zip(self.sides, state["sides"], strict=True):
            side.load_state_dict(own)
        self._waiting_noise = state["noise"]
        if state["rank"] != ranks.rank():
            self._waiting_noise = None
            warnings.warn(
                f"the state that rank {ranks.rank()} loads was saved by rank {state['rank']}: "
                "latents are drawn anew; to go on exactly, let every rank save and load its own",
                stacklevel=2,
            )
        if self.noise is not None:
            self._set_noise(self.noise)

    def _set_noise(self, noise: torch.Generator) -> None:
        """Set the source of latents to what was saved, or as seed, rank and batches seen say."""
        saved, self._waiting_noise = self._waiting_noise, None
        if saved is not None and saved.numel() == noise.get_state().numel():
            noise.set_state(saved.cpu())
        else:  # of another kind of device, whose states are others
            seed = randomness.derive(self.seed, ranks.rank(), 0, self.gan.progress.batches)
            noise.manual_seed(seed)


def _acts_after_updates(term: Regularizer) -> bool:
    return type(term).after_update is not Regularizer.after_update


def _pieces(batch: Batch, count: int) -> Iterator[Batch]:
    """Split a batch into ``count`` nearly equal pieces."""
    if count == 1:
        yield batch
        return
    n = len(batch.real)
    size = -(-n // count)
    for start in range(0, n, size):
        part = slice(start, start + size)
        yield Batch(batch.real[part], rows(batch.y, part, n), rows(batch.extra, part, n))
