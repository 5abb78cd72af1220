"""GANModule: phases, backward passes, optimizer steps, the step count and the averaged generator.

No network and no objective lives here. What happens to one batch reads from top to bottom:
:meth:`GANModule.training_step` asks the alternation which players step, ``_update`` computes one
player's gradients, ``_step`` moves that player, and the two ``_..._loss`` methods are the two
halves of the game.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, cast

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_gan import randomness
from lightning_gan.alternations.base import Alternation
from lightning_gan.augments.base import Augment
from lightning_gan.checkpoint import FORMAT, KEY, read_checkpoint
from lightning_gan.checks import (
    check_labels,
    check_options,
    check_parts,
    check_samples,
    split_batch,
)
from lightning_gan.clock import one_count
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.ema import EMA, reestimate_statistics
from lightning_gan.errors import InputError
from lightning_gan.feedback import collect, measure_opponent, readings
from lightning_gan.generators.base import Generator
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.meter import Meter
from lightning_gan.optimization import (
    LRSchedulerCallable,
    OptimizerCallable,
    clip,
    gradient_norm,
    make_optimizer,
)
from lightning_gan.priors.base import Prior
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.sampling import class_labels, draw_inputs, generate, slice_labels
from lightning_gan.schedules import Schedule, apply_schedules
from lightning_gan.spec import Specified, build
from lightning_gan.strategy import average, gather_objects
from lightning_gan.types import AdversarialStep, Player, Progress, map_labels

Self = TypeVar("Self", bound="GANModule")
GENERATOR, DISCRIMINATOR = Player.GENERATOR, Player.DISCRIMINATOR
STATISTICS_BATCH = 256


class Fakes(NamedTuple):
    """Generated samples, shape (M, *sample_shape), and the labels and latents they came from."""

    x: Tensor
    y: Any
    z: Tensor


class GANModule(Specified, LightningModule):
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

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        regularizers: dict[str, Regularizer] | None = None,
        alternation: Alternation | None = None,
        augment: Augment | None = None,
        prior: Prior | None = None,
        generator_optimizer: OptimizerCallable | None = None,
        discriminator_optimizer: OptimizerCallable | None = None,
        generator_lr_scheduler: LRSchedulerCallable | None = None,
        discriminator_lr_scheduler: LRSchedulerCallable | None = None,
        generator_clip_norm: float | None = None,
        generator_clip_value: float | None = None,
        discriminator_clip_norm: float | None = None,
        discriminator_clip_value: float | None = None,
        ema: EMA | None = None,
        micro_batches: int = 1,
        generator_batch: int = 1,
        share_fakes: bool = True,
        fake_labels: Literal["real", "uniform"] = "real",
        schedules: dict[str, Schedule] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        alternation, augment, prior = (
            alternation or Alternation(),
            augment or Augment(),
            prior or Prior(),
        )
        parts = {
            "loss": (loss, AdversarialLoss),
            "alternation": (alternation, Alternation),
            "augment": (augment, Augment),
            "prior": (prior, Prior),
            **({"ema": (ema, EMA)} if ema is not None else {}),
            **{
                f"regularizers.{name}": (r, Regularizer) for name, r in (regularizers or {}).items()
            },
            **{f"schedules[{path!r}]": (s, Schedule) for path, s in (schedules or {}).items()},
        }
        check_parts(generator, discriminator, parts, regularizers or {})
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.regularizers = nn.ModuleDict(regularizers or {})
        self.alternation = alternation
        self.augment = augment
        self.prior = prior
        self.ema = ema
        self.schedules = dict(schedules or {})
        self._make_optimizer = {
            GENERATOR: (generator_optimizer, generator_lr_scheduler),
            DISCRIMINATOR: (discriminator_optimizer, discriminator_lr_scheduler),
        }
        self._clip = {
            GENERATOR: (generator_clip_norm, generator_clip_value),
            DISCRIMINATOR: (discriminator_clip_norm, discriminator_clip_value),
        }
        self.micro_batches = micro_batches
        self.generator_batch = generator_batch
        self.share_fakes = share_fakes
        self.fake_labels = fake_labels
        check_options(self, self._clip)
        apply_schedules(self, self.schedules, images=0)

        self.generator_ema: nn.Module | None = None
        if ema is not None:
            self.generator_ema = copy.deepcopy(generator).requires_grad_(False).eval()
        self._statistics_stale = True
        self.progress = Progress()
        self.latest_metrics: dict[str, Tensor] = {}
        self.latest_metrics_step = 0
        self._meter = Meter()
        self._trainable: dict[Player, list[nn.Parameter]] = {}
        self._lr_schedulers: dict[Player, Any] = {}
        self._first_batch_checked = False
        self._noise: torch.Generator | None = None
        self._saved_random: list[dict[str, Tensor]] | None = None

    # One batch ------------------------------------------------------------------------------

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Let the players that the alternation names step on one batch ``(x, y)`` or ``x``."""
        real, y = split_batch(batch)
        if not self._first_batch_checked:
            self._check_first_batch(real, y)
        apply_schedules(self, self.schedules, self.progress.images)
        phases = tuple(Player(player) for player in self.alternation.phases(self.progress))
        fakes: Fakes | None = None
        seen: dict[str, Tensor] = {}
        with one_count(self.trainer, list(self._optimizers().values())):
            for index, player in enumerate(phases):
                keep = self._next_shares(phases[index : index + 2])
                readings_, fakes = self._update(player, real, y, fakes, keep, phases)
                seen = {**readings_, **seen}
                if not self.alternation.simultaneous:
                    self._step(player)
            if self.alternation.simultaneous:
                for player in phases:
                    self._step(player)
            self._end_batch(phases, len(real), seen)

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
        adversarial_loss = getattr(self, f"_{player.value}_loss")
        due = self._due_regularizers(player)
        seen: dict[str, Tensor] = {}
        self._optimizers()[player].zero_grad()
        with self._frozen(DISCRIMINATOR) if player is GENERATOR else nullcontext():
            for piece, piece_y in _pieces(real, y, self.micro_batches):
                fakes = reused or self._draw_fakes(player, len(piece), piece_y, graph=keep)
                step = self._adversarial_step(player, piece, piece_y, fakes, due)
                terms = {f"loss/{player.value}": adversarial_loss(step).mean()}
                for name, regularizer in due.items():
                    term = getattr(regularizer, player.value)(step)
                    if term is not None:
                        factor = regularizer.weight * regularizer.interval
                        terms[f"regularizer/{name}"] = term.mean() * factor
                share = len(piece) / len(real)
                self.manual_backward(torch.stack(list(terms.values())).sum() * share)
                for key, value in {**terms, **self._readings(step, phases)}.items():
                    seen[key] = seen.get(key, 0) + value.detach() * share
        return seen, (fakes if keep else None)

    def _step(self, player: Player) -> None:
        """Let one player's optimizer and scheduler step on the gradients that are there."""
        self._optimizers()[player].step()
        if self._lr_schedulers[player] is not None:
            self._lr_schedulers[player].step()
        with torch.no_grad():
            for _, regularizer in self._regularizers():
                regularizer.after_update(player, getattr(self, player.value))
        self.progress = self.progress.after_step(player)

    def _end_batch(self, phases: tuple[Player, ...], n: int, seen: dict[str, Tensor]) -> None:
        """Bring ranks, counts, averaged generator, observers and log up to date."""
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
            for observer in observers:
                observer.observe(feedback)
        for key, value in seen.items():
            if not key.startswith("sign/"):
                self._meter.add(key, value)
        if self._is_logging_batch():
            self._log_means()

    # What one batch is made of ----------------------------------------------------------------

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
            return Fakes(self.generator(z, y), y, z)

    def _draw_latents(self, n: int) -> Tensor:
        """Draw training latents, shape (n, Z), from the module's own generator."""
        dim = self.generator.latent_dim
        return self.prior.sample(n, dim, generator=self._noise, device=self.device)

    def _due_regularizers(self, player: Player) -> dict[str, Regularizer]:
        """Return the regularizers that take part in a player's next update."""
        updates = self.progress.steps(player)
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
            images_seen=self.progress.images,
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

    def _optimizers(self) -> dict[Player, LightningOptimizer]:
        generator, discriminator = cast(list[LightningOptimizer], self.optimizers())
        return {GENERATOR: generator, DISCRIMINATOR: discriminator}

    def _regularizers(self) -> Iterator[tuple[str, Regularizer]]:
        return cast(Iterator[tuple[str, Regularizer]], iter(self.regularizers.items()))

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
        self._lr_schedulers = {player: m.get("lr_scheduler") for player, m in made.items()}
        return [made[GENERATOR], made[DISCRIMINATOR]]

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Log the gradient's norm now and then, and clip it; ranks are averaged by now."""
        generator = self._optimizers()[GENERATOR].optimizer
        player = GENERATOR if optimizer is generator else DISCRIMINATOR
        if self._is_logging_batch():
            self._meter.add(f"grad_norm/{player.value}", gradient_norm(self._trainable[player]))
        clip(self._trainable[player], *self._clip[player])

    def on_fit_start(self) -> None:
        """Take stock of what is trainable."""
        if self.trainer.precision == "16-mixed":
            raise InputError(
                "trainer.precision=16-mixed shares one loss scale between two players; "
                "use trainer.precision=bf16-mixed"
            )
        # Lightning advises to save weights from before the step, which a finished batch must not.
        warnings.filterwarnings("ignore", "Using ModelCheckpoint with manual optimization")
        self._trainable = {
            player: [p for p in getattr(self, player.value).parameters() if p.requires_grad]
            for player in Player
        }
        self._first_batch_checked = False
        if self.generator_ema is not None:
            self.generator_ema.train()  # Lightning warns of modules in eval mode at this point

    def on_train_start(self) -> None:
        """Seed this rank's random states, or take up those of the checkpoint."""
        if self.generator_ema is not None:
            self.generator_ema.eval()
        rank = self.trainer.global_rank
        seed = randomness.base_seed()
        self._noise = randomness.seeded(randomness.derive(seed, rank, 0), self.device)
        torch.manual_seed(randomness.derive(seed, rank, 1))
        saved, self._saved_random = self._saved_random, None
        if saved is None:
            return
        if len(saved) == self.trainer.world_size:
            randomness.set_states(saved[rank], self._noise, self.device)
        else:
            warnings.warn(
                f"the checkpoint was written by {len(saved)} processes and training goes on with "
                f"{self.trainer.world_size}: noise is drawn anew from here on",
                stacklevel=2,
            )

    def on_train_end(self) -> None:
        """Send the last, unfinished means to the loggers."""
        means = self._means()
        if not means:
            return
        for logger in self.trainer.loggers:
            logger.log_metrics(
                {key: value.item() for key, value in means.items()}, self.trainer.global_step - 1
            )
        self.latest_metrics, self.latest_metrics_step = means, self.trainer.global_step

    def train(self: Self, mode: bool = True) -> Self:
        """Set the training mode; the averaged generator stays in eval mode."""
        super().train(mode)
        if getattr(self, "generator_ema", None) is not None:
            self.generator_ema.eval()  # type: ignore[union-attr]
        return self

    def _is_logging_batch(self) -> bool:
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and (self.trainer.global_step + 1) % every == 0

    def _means(self) -> dict[str, Tensor]:
        """Return and forget the means since the last log, averaged over ranks."""
        means = self._meter.flush()
        if means and self.trainer.world_size > 1:
            values = torch.stack([value.float() for value in means.values()])
            average([values])
            means = dict(zip(means, values.unbind(), strict=True))
        return means

    def _log_means(self) -> None:
        """Send the means since the last log to the loggers and the progress bar."""
        means = self._means()
        counts = {
            f"progress/{name}": torch.tensor(float(getattr(self.progress, name)))
            for name in ("images", "rounds", "discriminator_steps", "generator_steps")
        }
        losses = {key: value for key, value in means.items() if key.startswith("loss/")}
        rest = {key: value for key, value in means.items() if key not in losses}
        self.log_dict(losses, prog_bar=True)
        self.log_dict({**rest, **counts})
        self.latest_metrics = {**means, **counts}
        self.latest_metrics_step = self.trainer.global_step + 1

    def _check_first_batch(self, real: Tensor, y: Any) -> None:
        shape = getattr(self.discriminator, "sample_shape", None) or self.generator.sample_shape
        check_samples(real, shape)
        networks = (self.generator, self.discriminator)
        classes = [getattr(network, "num_classes", None) for network in networks]
        check_labels(y, len(real), next((k for k in classes if k is not None), None))
        self._first_batch_checked = True

    # Evaluation and sampling --------------------------------------------------------------------

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log both adversarial losses on held-out samples as ``val/loss/...``."""
        self._evaluation_step("val", batch, batch_idx)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Log both adversarial losses on test samples as ``test/loss/...``."""
        self._evaluation_step("test", batch, batch_idx)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Return one sample for each element of the batch, with its labels where it has any."""
        x, y = split_batch(batch)
        seed = randomness.derive(randomness.base_seed(), self.trainer.global_rank, 2, batch_idx)
        return self._generate(len(x), y, seed)

    def sample(self, n: int, labels: Any = None, seed: int | None = None) -> Tensor:
        """Draw samples from the averaged generator where there is one, in eval mode.

        Every random state is left as it was found.

        Args:
            n: Number of samples.
            labels: A class, or n classes as a sequence or int64 tensor; whatever else the
                generator takes is passed on. None draws classes uniformly where the generator is
                conditional.
            seed: Seed of the latents and drawn classes, the same samples on every call; None for
                other samples every time.

        Returns:
            Samples, shape (n, *sample_shape), on the module's device; images in [-1, 1].

        Raises:
            InputError: ``n`` is negative, or labels are of another number or out of range.
        """
        if n < 0:
            raise InputError(f"n must be 0 or more, got {n}")
        if seed is None:
            seed = torch.Generator().seed()
        if labels is not None:
            labels = class_labels(labels, n, getattr(self.generator, "num_classes", None))
        return self._generate(n, labels, seed)

    def _generate(self, n: int, y: Any, seed: int) -> Tensor:
        generator = self._sampling_generator()
        return generate(generator, self.prior, n, y, seed, self.device)

    def _sampling_generator(self) -> nn.Module:
        """Return the averaged generator, its statistics re-estimated where that is due."""
        if self.ema is None or self.generator_ema is None:
            return self.generator
        if self._statistics_stale and self.ema.reestimates:
            source = randomness.seeded(0, torch.device("cpu"))

            def draw() -> tuple[Tensor, Any]:
                z, y = draw_inputs(self.generator, self.prior, STATISTICS_BATCH, source)
                return z.to(self.device), None if y is None else y.to(self.device)

            with randomness.preserved(self.device):
                reestimate_statistics(self.generator_ema, draw)
            self._statistics_stale = False
        return self.generator_ema

    def _evaluation_step(self, stage: str, batch: Any, batch_idx: int) -> None:
        real, y = split_batch(batch)
        with randomness.preserved(self.device):
            fake = self._generate(
                len(real), y, randomness.derive(self.trainer.global_rank, batch_idx)
            )
            step = self._adversarial_step(DISCRIMINATOR, real, y, Fakes(fake, y, fake), {})
            losses = {
                f"{stage}/loss/discriminator": self._discriminator_loss(step).mean(),
                f"{stage}/loss/generator": self._generator_loss(step).mean(),
            }
        self.log_dict(losses, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(real))

    # Checkpoints --------------------------------------------------------------------------------

    def get_extra_state(self) -> dict[str, Any]:
        """Return the counts and the unfinished means."""
        return {"progress": self.progress.state_dict(), "meter": self._meter.state_dict()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_extra_state` returned."""
        self.progress = Progress.from_state_dict(state["progress"])
        self._meter.load_state_dict(state["meter"])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the spec that rebuilds the module and the random states of all ranks."""
        states = None
        if self._noise is not None:
            states = gather_objects(randomness.get_states(self._noise, self.device))
        checkpoint[KEY] = {
            "format": FORMAT,
            "version": version("lightning-gan"),
            "spec": self.spec(),
            "random": states,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the random states until training starts."""
        self._saved_random = checkpoint.get(KEY, {}).get("random")
        self._statistics_stale = True

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls: type[Self],
        checkpoint_path: str | Path,
        map_location: Any = None,
        *,
        strict: bool = True,
        trust: bool = False,
        **arguments: Any,
    ) -> Self:
        """Rebuild a GANModule from a file alone, with ``weights_only=True``.

        Args:
            checkpoint_path: A checkpoint that Lightning wrote.
            map_location: Where tensors go, as in ``torch.load``.
            strict: Whether the weights must fit exactly.
            trust: Import whatever class or function the file names. Without it only registered
                components, torch's own, and component classes this program has imported already.
            **arguments: Constructor arguments that replace those of the file, as objects, such as
                ``generator=net`` for a network that could not be saved by its spec.

        Raises:
            InputError: The file is missing, damaged or foreign, or an argument must be passed.
            PluginError: A component is not installed or not trusted.
        """
        checkpoint = read_checkpoint(checkpoint_path, map_location)
        with randomness.preserved(torch.device("cpu")):
            module = build(checkpoint[KEY]["spec"], trust=trust, given=arguments)
        if not isinstance(module, cls):
            raise InputError(
                f"{checkpoint_path} holds a {type(module).__name__}, not a {cls.__name__}"
            )
        module.load_state_dict(checkpoint["state_dict"], strict=strict)
        module.on_load_checkpoint(checkpoint)
        module._saved_random = None  # only a resumed run goes on with the same noise
        return module


def _pieces(real: Tensor, y: Any, count: int) -> Iterator[tuple[Tensor, Any]]:
    """Split a batch into ``count`` nearly equal pieces."""
    size = -(-len(real) // count)
    for start in range(0, len(real), size):
        part = slice(start, start + size)
        yield real[part], slice_labels(y, part)
