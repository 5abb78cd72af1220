"""GANModule: phases, backward passes, optimizer steps and the step count.

No network and no objective lives here. What happens to one batch reads from top to bottom:
:meth:`GANModule.training_step` asks the alternation which players step, ``_update`` computes one
player's gradients, ``_step`` moves that player, and the two ``_..._loss`` methods are the two
halves of the game.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple, cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_gan.errors import InputError
from lightning_gan.game import randomness
from lightning_gan.game.checks import (
    check_generated,
    check_labels,
    check_range,
    check_samples,
    split_batch,
)
from lightning_gan.game.compilation import compile_networks
from lightning_gan.game.feedback import collect, measure_opponent, preserved_buffers, readings
from lightning_gan.game.gan import GAN
from lightning_gan.game.optimization import clip, gradient_norm, make_optimizer, spare_gpu_queries
from lightning_gan.game.sampling import slice_labels
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.schedules import apply_schedules
from lightning_gan.training import log, resuming
from lightning_gan.training.graphs.checks import check_graph
from lightning_gan.training.graphs.steps import graphed_steps
from lightning_gan.training.seams import hooks, saving
from lightning_gan.training.seams.clock import one_count
from lightning_gan.training.seams.strategy import average, check_trainer, gather_objects
from lightning_gan.types import AdversarialStep, Player, Progress, map_labels

GENERATOR, DISCRIMINATOR = Player.GENERATOR, Player.DISCRIMINATOR


class Fakes(NamedTuple):
    """Generated samples, shape (M, *sample_shape), and the labels and latents they came from."""

    x: Tensor
    y: Any
    z: Tensor


class GANModule(GAN):
    """A GAN composed of parts, trained by alternating updates.

    Args:
        generator: The generator network.
        discriminator: The discriminator network.
        loss: Both halves of the adversarial objective.
        regularizers: Further terms of the players' objectives, by name.
        alternation: Which players step on a batch. None: D, then G, on every batch.
        augment: Applied to real samples and fakes before the discriminator. None: nothing.
        prior: Distribution of the latents. None: standard normal.
        generator_optimizer: Makes the generator's optimizer from its parameters.
            None: Adam, learning rate 2e-4, betas 0.5 and 0.999 (Radford et al. 2016, section 4).
        discriminator_optimizer: The same for the discriminator.
        generator_lr_scheduler: Makes a scheduler, stepped after every step of the optimizer.
        discriminator_lr_scheduler: The same for the discriminator.
        generator_clip_norm: Largest norm of the generator's gradient; None = do not clip.
        generator_clip_value: Largest absolute value of its entries; None = do not clip.
        discriminator_clip_norm: The same for the discriminator.
        discriminator_clip_value: The same for the discriminator.
        ema: How the averaged generator follows the trained one. None: there is none.
        micro_batches: Pieces into which every batch is split to save memory; gradients are
            accumulated over the pieces and each player still steps once.
        generator_batch: Latents of a generator update, in multiples of the batch.
        share_fakes: Let a generator update that follows a discriminator update on the same batch
            use the same fakes; False draws new latents.
        fake_labels: Labels of fakes: "real" takes those of the batch, "uniform" draws classes.
        schedules: Numbers that change with the images seen, by path:
            ``{"regularizers.r1.weight": Linear(10.0, 1.0, kimg=50)}``.
        max_skipped: Updates with NaN or infinite losses or gradients are left out, on all ranks
            alike, and counted as ``skipped/<player>``. This many of one player in a row end
            training with NotFiniteError, at the next log (every 50 batches where there is none);
            None: nothing ends it.
        generator_compile: Compile the generator with torch.compile when training starts; it takes
            a minute and, on CPUs, seldom pays.
        discriminator_compile: The same for the discriminator, which then cannot have a regularizer
            that differentiates it twice.
        graph: On a GPU, capture the steps on a batch as a CUDA graph and replay it: the same
            updates, without Python's time for each kernel. Batches that are logged and the first
            of each kind are computed step by step. Python code of the parts runs when a graph is
            captured and not again. One process, fused Adam or AdamW; the graphs keep memory of
            their own for activations and gradients.

    Raises:
        InputError: Parts do not fit each other, or a number is out of range.

    Example:
        >>> from lightning_gan import GANModule, create_discriminator, create_generator, create_loss
        >>> gan = GANModule(
        ...     generator=create_generator("mlp", sample_shape=(1, 8, 8)),
        ...     discriminator=create_discriminator("mlp", sample_shape=(1, 8, 8)),
        ...     loss=create_loss("non_saturating"),
        ... )
        >>> gan.sample(4, seed=0).shape
        torch.Size([4, 1, 8, 8])
    """

    # One batch ------------------------------------------------------------------------------

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Let the players that the alternation names step on one batch ``(x, y)`` or ``x``."""
        real, y = split_batch(batch)
        if not self._first_batch_checked:
            self._check_samples(real, y)
            self._first_batch_checked = True
        apply_schedules(self, self.schedules, self.progress.images)
        phases = self._phases()
        play = self._play if self._graphs is None else self._graphs.play
        with one_count(self.trainer, self._optimizers().values()):
            self._end_batch(phases, len(real), play(real, y, phases))
        if self.trainer.enable_validation:  # whose loader may draw from torch's global state
            self._global_random = randomness.get_states(self.device)

    def _play(self, real: Tensor, y: Any, phases: tuple[Player, ...]) -> dict[str, Tensor]:
        """Let players step on one batch; return detached scalars for the log and the observers."""
        fakes: Fakes | None = None
        seen = {} if phases else self._look(real, y)
        self._guard.begin()
        for index, player in enumerate(phases):
            keep = self._next_shares(phases[index : index + 2])
            readings_, fakes = self._update(player, real, y, fakes, keep, phases)
            seen = {**readings_, **seen}
            if not self.alternation.simultaneous:
                self._step(player)
        if self.alternation.simultaneous:
            for player in phases:
                self._step(player)
        self._guard.settle()
        return seen

    def _discriminator_loss(self, step: AdversarialStep) -> Tensor:
        real, fake = step.real_output.logits, step.fake_output.logits
        return self.loss.discriminator(real, fake)

    def _generator_loss(self, step: AdversarialStep) -> Tensor:
        needs_real = self.loss.needs_real_logits_for_generator
        real = step.real_output.logits if needs_real else None
        return self.loss.generator(step.fake_output.logits, real)

    def _update(
        self,
        player: Player,
        real: Tensor,
        y: Any,
        reused: Fakes | None,
        keep: bool,
        phases: tuple[Player, ...],
    ) -> tuple[dict[str, Tensor], Fakes | None]:
        """Compute one player's gradients on one batch, in ``micro_batches`` pieces.

        Args:
            player: Whose gradients.
            real: Real samples, shape (N, *sample_shape).
            y: Their labels.
            reused: Fakes of the phase before, with their graph, to be used again; or None.
            keep: Whether the next phase uses these fakes.
            phases: The players that step on this batch.

        Returns:
            Detached scalars for the log and the observers, and the fakes for the next phase.
        """
        torch.clear_autocast_cache()  # one context spans the whole batch, and weights have changed
        due = self._due_regularizers(player, self.progress)
        seen: dict[str, Tensor] = {}
        self._optimizers()[player].zero_grad()
        with self._frozen(DISCRIMINATOR) if player is GENERATOR else nullcontext():
            for piece, piece_y in _pieces(real, y, self.micro_batches):
                fakes = reused or self._draw_fakes(player, len(piece), piece_y, graph=keep)
                step = self._adversarial_step(player, piece, piece_y, fakes, due)
                objective, terms = self._objective(step, due)
                share = len(piece) / len(real)
                # No gradient of an objective that is not finite is: 0 times it is NaN.
                factor = 0 * objective.detach() + share
                with self._uncast():  # or autocast would round what ran in full precision
                    self.manual_backward(objective, gradient=factor)
                for key, value in {**terms, **self._readings(step, phases)}.items():
                    part = value.detach() * share if share < 1 else value.detach()
                    seen[key] = seen[key] + part if key in seen else part
        return seen, (fakes if keep else None)

    def _objective(
        self, step: AdversarialStep, due: dict[str, Regularizer]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what a player minimises on one piece, and its terms by their keys in the log."""
        player = step.player.value
        losses = getattr(self, f"_{player}_loss")(step)
        if not isinstance(losses, Tensor):
            raise InputError(
                f"{type(self.loss).__name__}.{player} must return a tensor, got {losses!r}"
            )
        objective = losses.mean()
        terms = {f"loss/{player}": objective}
        for name, regularizer in due.items():
            with self._uncast(step.full_precision):
                term = getattr(regularizer, player)(step)
            if term is not None:
                both = all(regularizer.acts_on(each) for each in Player)
                key = f"regularizer/{name}" + (f"/{player}" if both else "")
                terms[key] = term.mean() * regularizer.weight
                objective = objective + terms[key] * regularizer.interval
        return objective, terms

    def _step(self, player: Player) -> None:
        """Let one player's optimizer step on the gradients that are there."""
        self._optimizers()[player].step()
        with torch.no_grad():
            for _, regularizer in self._regularizers():
                regularizer.after_update(player, getattr(self, player.value))
        self._count_step(player)

    def _count_step(self, player: Player) -> None:
        """Bring a player's learning rate and count up to date after its step."""
        if self._lr_schedulers[player] is not None:
            self._lr_schedulers[player].step()
        self.progress = self.progress.after_step(player)

    def _end_batch(self, phases: tuple[Player, ...], n: int, seen: dict[str, Tensor]) -> None:
        """Bring ranks, counts, averaged generator, observers and log up to date."""
        self._guard.note()
        if self.trainer.world_size > 1:  # so that saving rank 0's buffers never changes a run
            networks = (self.generator, self.discriminator)
            average([b for net in networks for b in net.buffers() if b.is_floating_point()])
        images = n * self.trainer.world_size
        self.progress = self.progress.after_batch(images)
        if self.ema is not None and self.generator_ema is not None:
            self.ema.update(self.generator_ema, self.generator, self.progress.images, images)
            self._statistics_stale = True
        observers = self._observers()
        if observers:
            feedback = collect(seen, self.progress, phases)
            for observer in observers if feedback is not None else ():
                observer.observe(feedback)
        for key, value in seen.items():
            if not key.startswith("sign/"):
                self._meter.add(key, value)
        step = self.trainer.global_step + 1
        if self._logs_batch():
            self._log(step)
        if step % (self._log_period() or 50) == 0 and self._guard.is_lost(self.max_skipped):
            self.trainer.should_stop = True

    # What one batch is made of ----------------------------------------------------------------

    def _phases(self) -> tuple[Player, ...]:
        phases = self.alternation.phases(self.progress)
        if not isinstance(phases, (tuple, list)) or not all(isinstance(p, Player) for p in phases):
            raise InputError(
                f"{type(self.alternation).__name__}.phases must return a tuple of Player, "
                f"got {phases!r}"
            )
        phases = tuple(phases)
        if self.alternation.simultaneous and len(set(phases)) < len(phases):
            raise InputError(
                f"{type(self.alternation).__name__} is simultaneous and lets a player step twice "
                f"on one batch: {', '.join(player.value for player in phases)}"
            )
        return phases

    def _next_shares(self, phases: tuple[Player, ...]) -> bool:
        """Whether the second of two phases uses the fakes of the first."""
        single = self.generator_batch == 1 and self.micro_batches == 1
        return self.share_fakes and single and phases == (DISCRIMINATOR, GENERATOR)

    def _draw_fakes(self, player: Player, n: int, y: Any, graph: bool) -> Fakes:
        """Generate fakes for n real samples; with a graph in G's phase or where asked for."""
        multiple = self.generator_batch if player is GENERATOR else 1
        if self.fake_labels == "uniform":
            shape, classes = (n * multiple,), self.generator.num_classes
            y = torch.randint(classes, shape, generator=self._noise, device=self.device)  # type: ignore[arg-type]
        elif multiple > 1:
            y = map_labels(lambda labels: torch.cat([labels] * multiple), y)
        z = self._draw_latents(n * multiple)
        with torch.set_grad_enabled(graph or player is GENERATOR):
            fakes = Fakes(self.generator(z, y), y, z)
        check_generated(self.generator, fakes.x)
        return fakes

    def _draw_latents(self, n: int) -> Tensor:
        """Draw training latents, shape (n, Z), from the module's own generator."""
        dim = self.generator.latent_dim
        return self.prior.sample(n, dim, generator=self._noise, device=self.device)

    def _due_regularizers(self, player: Player, progress: Progress) -> dict[str, Regularizer]:
        """Return the regularizers that take part in a player's next update."""
        updates = progress.steps(player)
        return {
            name: regularizer
            for name, regularizer in self._regularizers()
            if regularizer.is_due(player, updates)
        }

    def _adversarial_step(
        self, player: Player, real: Tensor, y: Any, fakes: Fakes, due: dict[str, Regularizer]
    ) -> AdversarialStep:
        """Assemble one update, with the inputs in the graph that a regularizer differentiates."""
        inputs = frozenset[str]().union(*(each.differentiates for each in due.values()))
        fake = fakes.x
        if "real" in inputs:
            real = real.detach().requires_grad_()
        if player is DISCRIMINATOR:
            fake = fake.detach().requires_grad_("fake" in inputs)
        return AdversarialStep(
            player,
            real=real,
            y=y,
            fake=fake,
            fake_y=fakes.y,
            z=fakes.z,
            generator=self.generator,
            discriminator=self.discriminator,
            augment=self.augment,
            draw_latents=self._draw_latents,
            images_seen=None if self._captures else self.progress.images,
            full_precision=bool(inputs),
        )

    def _observers(self) -> list[Any]:
        parts = (self.alternation, self.augment, *self.regularizers.values())
        return [part for part in parts if getattr(part, "observes", False)]

    def _readings(self, step: AdversarialStep, phases: tuple[Player, ...]) -> dict[str, Tensor]:
        """Return an update's logits and, for observers, the opponent's loss where it rests."""
        observers = self._observers()
        found = readings(step, signs=bool(observers))
        opponent = step.player.opponent
        if opponent not in phases and any(opponent in part.measures for part in observers):
            found.update(measure_opponent(step, self.loss))
        return found

    def _look(self, real: Tensor, y: Any) -> dict[str, Tensor]:
        """Measure the players that an observer asks for, on a batch on which nobody steps."""
        asked = frozenset[Player]().union(*(part.measures for part in self._observers()))
        found: dict[str, Tensor] = {}
        if asked:
            with torch.no_grad(), preserved_buffers(self.generator):
                fakes = self._draw_fakes(DISCRIMINATOR, len(real), y, graph=False)
            for player in asked:
                step = self._adversarial_step(player.opponent, real, y, fakes, {})
                found.update(measure_opponent(step, self.loss))
        return found

    def _optimizers(self) -> dict[Player, LightningOptimizer]:
        generator, discriminator = cast(list[LightningOptimizer], self.optimizers())
        return {GENERATOR: generator, DISCRIMINATOR: discriminator}

    def _regularizers(self) -> Iterator[tuple[str, Regularizer]]:
        return cast(Iterator[tuple[str, Regularizer]], iter(self.regularizers.items()))

    def _uncast(self, uncast: bool = True) -> AbstractContextManager[Any]:
        """Suspend autocast, where ``uncast`` says so."""
        if uncast and torch.is_autocast_enabled(self.device.type):
            return torch.autocast(self.device.type, enabled=False)
        return nullcontext()

    @contextmanager
    def _frozen(self, player: Player) -> Iterator[None]:
        """Spare the weight gradients of a player; what was frozen by the user stays frozen."""
        for parameter in self._trainable[player]:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self._trainable[player]:
                parameter.requires_grad_(True)

    # Lightning's hooks ------------------------------------------------------------------------

    def configure_optimizers(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Build both optimizers; the order, generator first, is that of the checkpoint."""
        made = {
            player: make_optimizer(player, getattr(self, player.value), *makers)
            for player, makers in self._make_optimizer.items()
        }
        self._made, self._configured = made, resuming.configured(made)
        self._lr_schedulers = {player: m.get("lr_scheduler") for player, m in made.items()}
        return [made[GENERATOR], made[DISCRIMINATOR]]

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradient, and pass over it if it is not finite; ranks are averaged by now."""
        player = GENERATOR if optimizer is self.trainer.optimizers[0] else DISCRIMINATOR
        parameters = [p for g in optimizer.param_groups for p in g["params"] if p.grad is not None]
        max_norm, max_value = (
            getattr(self, f"{player.value}_clip_{kind}") for kind in ("norm", "value")
        )
        logs, norm = self._logs_batch(), None
        if logs or max_norm is not None:  # before a bad gradient is dropped
            norm = gradient_norm(parameters)
        if norm is not None and logs:
            self._meter.add(f"grad_norm/{player.value}", norm)
        self._guard.judge(player, optimizer, parameters)  # before clipping, which hides infinity
        clip(parameters, norm, max_norm, max_value)

    def on_fit_start(self) -> None:
        """Refuse trainers that cannot train two players; take stock of what is trainable."""
        check_trainer(self.trainer)
        if self.graph:
            check_graph(self, self.trainer, GANModule)
        saving.install(self.trainer)
        spare_gpu_queries()
        compile_networks(self)
        # Lightning advises to save weights from before the step, which a finished batch must not.
        warnings.filterwarnings("ignore", "Using ModelCheckpoint with manual optimization")
        self._trainable = {
            player: [p for p in getattr(self, player.value).parameters() if p.requires_grad]
            for player in Player
        }
        if self._configured_then:
            resuming.check_kinds(self._configured_then, self._configured)
        begun = [each["batches"] for each in gather_objects(self.progress.state_dict())]
        if len(set(begun)) > 1:
            raise InputError(
                f"the processes begin at different steps, {begun}: give ckpt_path one file that "
                "all of them can read"
            )
        self._first_batch_checked = False
        if self.generator_ema is not None:
            if self.progress.batches == 0:  # weights may have been loaded since construction
                self.generator_ema.load_state_dict(self.generator.state_dict())
            self.generator_ema.train()  # Lightning warns of modules in eval mode at this point

    def on_train_start(self) -> None:
        """Seed this rank's random states, or take up those of the checkpoint."""
        if self.generator_ema is not None:
            self.generator_ema.eval()
        stateful = (self.loss, self.augment, *self.regularizers.values())
        self._guard.watch(self.generator, self.discriminator, *stateful)
        then, self._configured_then = self._configured_then, None
        changed = resuming.take_effect(then, self._configured, self._made) if then else []
        if changed:
            rank_zero_warn(f"changed from here on: {'; '.join(changed)}")
        rank = self.trainer.global_rank
        # Another fit of the same module goes on with other noise.
        seed, batches = randomness.base_seed(), self.progress.batches
        self._noise = randomness.seeded(randomness.derive(seed, rank, 0, batches), self.device)
        torch.manual_seed(randomness.derive(seed, rank, 1, batches))
        saved, self._saved_ranks = self._saved_ranks, None
        if saved is not None:
            self._take_up(saved)
        self._graphs = graphed_steps(self) if self.graph else None
        hooks.pass_over_empty(self.trainer)

    def _take_up(self, saved: list[dict[str, Any]]) -> None:
        """Go on with the random states and unfinished means of this rank."""
        then = {"processes": len(saved), "seed_everything": self._saved_seed}
        now = {"processes": self.trainer.world_size, "seed_everything": randomness.chosen_seed()}
        if None in (then["seed_everything"], now["seed_everything"]):
            now["seed_everything"] = then["seed_everything"]  # nobody chose another
        changed = [f"{key} {then[key]} -> {now[key]}" for key in now if then[key] != now[key]]
        if changed:
            rank_zero_warn(
                f"training goes on with {', '.join(changed)}: noise is drawn anew from here on"
            )
            return
        own = saved[self.trainer.global_rank]
        randomness.set_states(own, self.device, self._noise)
        if "meter" in own:  # not in checkpoints from before
            self._meter.load_state_dict(own["meter"], self.device)

    def on_validation_end(self) -> None:
        """Let training go on with the random state that it had before validation."""
        saved, self._global_random = self._global_random, None
        if saved is not None and not self.trainer.sanity_checking:
            randomness.set_states(saved, self.device)

    def on_train_end(self) -> None:
        """Send the last, unfinished means to the loggers; say why training ended, if it was lost.

        Callbacks have acted before: the last checkpoint is there.

        Raises:
            NotFiniteError: ``max_skipped`` updates in a row were left out.
        """
        hooks.restore(self.trainer)
        self._graphs = None
        if self._meter:
            self._log(self.trainer.global_step)
        self._guard.is_lost(self.max_skipped)
        self._guard.raise_if_lost(self._advice())

    def _logs_batch(self) -> bool:
        """Whether values are logged at the end of the present batch."""
        period = self._log_period()
        return period > 0 and (self.trainer.global_step + 1) % period == 0

    def _log_period(self) -> int:
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every

    def _log(self, step: int) -> None:
        """Log the means since the last time, averaged over ranks, and the counts.

        Args:
            step: Batches of this fit, up to and with the last one that the means are about.
        """
        means = log.averaged(self._meter.flush(), self.device)
        self.latest_metrics = {**means, **self._guard.counts(), **log.counts(self.progress)}
        self.latest_metrics_step = step
        log.send(self.trainer, self.latest_metrics, step)

    def _advice(self) -> str:
        """Return where training ends, the checkpoint to go on from, and what to change."""
        saving = self.trainer.checkpoint_callback
        paths = [getattr(saving, name, "") for name in ("last_model_path", "best_model_path")]
        kept = next((path for path in paths if path), None)
        rates = " and ".join(
            f"the {player.value}'s, {optimizer.param_groups[0]['lr']:.2g}"
            for player, optimizer in self._optimizers().items()
        )
        return (
            f"training ends at step {self.trainer.global_step:,}"
            f"{f' and the last checkpoint is {kept}' if kept else ''}; lower a learning rate "
            f"({rates}), or set generator_clip_norm=1 and discriminator_clip_norm=1"
        )

    def _check_samples(self, real: Tensor, y: Any) -> None:
        """Check samples and labels before anything is done with them."""
        networks: list[nn.Module] = [self.discriminator]
        if self.fake_labels == "real":  # otherwise the generator never sees the data's labels
            networks.append(self.generator)
        classes = [getattr(network, "num_classes", None) for network in networks]
        shape = getattr(self.discriminator, "sample_shape", None) or self.generator.sample_shape
        dtype = next((p.dtype for p in self.discriminator.parameters()), real.dtype)
        check_samples(real, shape, dtype)
        check_labels(y, len(real), next((k for k in classes if k is not None), None))
        check_range(real)

    # Evaluation ---------------------------------------------------------------------------------

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log both adversarial losses on held-out samples as ``val/loss/...``."""
        self._evaluation_step("val", batch, batch_idx, dataloader_idx)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log both adversarial losses on test samples as ``test/loss/...``."""
        self._evaluation_step("test", batch, batch_idx, dataloader_idx)

    def _evaluation_step(self, stage: str, batch: Any, *index: int) -> None:
        real, y = split_batch(batch)
        if index[0] == 0:
            self._check_samples(real, y)
        with randomness.preserved(self.device):
            fake = self._generate(len(real), y, randomness.derive(self.trainer.global_rank, *index))
            fakes = Fakes(fake, y, fake.new_empty(len(fake), 0))
            step = self._adversarial_step(DISCRIMINATOR, real, y, fakes, {})
            step.augment = nn.Identity()
            losses = {
                f"{stage}/loss/discriminator": self._discriminator_loss(step).mean(),
                f"{stage}/loss/generator": self._generator_loss(step).mean(),
            }
        self.log_dict(losses, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(real))


def _pieces(real: Tensor, y: Any, count: int) -> Iterator[tuple[Tensor, Any]]:
    """Split a batch into ``count`` nearly equal pieces."""
    if count == 1:
        yield real, y
        return
    size = -(-len(real) // count)
    for start in range(0, len(real), size):
        part = slice(start, start + size)
        yield real[part], slice_labels(y, part)
