"""A GAN at rest: its parts put together and checked, its averaged generator, sampling."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal, TypeVar, cast

import torch
from torch import Tensor, nn

from lightning_gan.alternations.base import Alternation
from lightning_gan.augments.base import Augment
from lightning_gan.averages.base import Average
from lightning_gan.balances.base import Balance
from lightning_gan.components.part import Part
from lightning_gan.components.spec import Specified
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.game import freezing, randomness
from lightning_gan.game.batches import PrepareBatch, read_batch
from lightning_gan.game.checks import (
    check_range,
    check_samples,
    head_factors,
)
from lightning_gan.game.conditions import Conditions, NoConditionError
from lightning_gan.game.fitting import check_apart, check_owner, check_parts
from lightning_gan.game.inheriting import AVERAGE, Inheritance
from lightning_gan.game.labels import check_batch_labels
from lightning_gan.game.optimization import LRSchedulerCallable, OptimizerCallable
from lightning_gan.game.origins import origins_in
from lightning_gan.game.references import Referenced, Referencing
from lightning_gan.game.sampler import Sampler
from lightning_gan.game.sampling import draw_inputs
from lightning_gan.game.scheduling import Scheduled
from lightning_gan.game.side import Side, SideSettings
from lightning_gan.game.statistics import reestimate_statistics
from lightning_gan.game.torch_seams import is_compiled
from lightning_gan.generators.base import Generator
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.priors.base import Prior
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.schedules.base import Schedule
from lightning_gan.step import called
from lightning_gan.types import Batch, Player, Progress, SampleRange, map_tensors, range_bounds

Self = TypeVar("Self", bound="GAN")
STATISTICS_BATCH = 256


class GAN(Referencing, Sampler, Specified):
    """A GAN composed of parts: at rest in itself, trained by Game or, as a GANModule, by Lightning.

    Args:
        generator: The generator network.
        discriminator: The discriminator network.
        loss: Both halves of the adversarial objective.
        regularizers: Further terms of the players' objectives, by name.
        alternation: Which players step on a batch. None: D, then G, on every batch.
        augment: Applied to real samples and fakes before the discriminator. None: nothing.
        prior: Distribution of the latents. None: standard normal.
        balance: Sets factors of a player's terms from their gradients. None: all are 1.
        generator_optimizer: Makes the generator's optimizer from its parameters.
            None: Adam, learning rate 2e-4, betas 0.5 and 0.999 (Radford et al. 2016, section 4).
        discriminator_optimizer: The same for the discriminator.
        generator_lr_scheduler: Makes a scheduler, stepped after every step of the optimizer.
        discriminator_lr_scheduler: The same for the discriminator.
        generator_clip_norm: Largest norm of the generator's gradient; None = do not clip.
        generator_clip_value: Largest absolute value of its entries; None = do not clip.
        discriminator_clip_norm: The same for the discriminator.
        discriminator_clip_value: The same for the discriminator.
        generator_weight: Factor of the adversarial term in the generator's objective. At 0 it is
            not computed: the generator is trained by its other terms alone (pretraining). A
            schedule of ``generator_weight`` lets it start late, or grow.
        discriminator_weight: The same for the discriminator, which rests at 0 where it has no other
            term.
        heads: How the losses of a discriminator with several heads are joined.
        head_weights: A factor for each head; None: all are 1.
        ema: How the averaged generator follows the trained one. None: there is none.
        micro_batches: Pieces into which every batch is split to save memory; gradients are
            accumulated over the pieces and each player still steps once.
        generator_batch: Latents of a generator update, in multiples of the batch.
        share_fakes: Let a generator update that follows a discriminator update on the same batch
            use the same fakes; False draws new latents.
        fake_labels: Labels of fakes: "real" takes those of the batch, "uniform" draws classes.
        prepare_batch: Reads a batch of the data: returns a Batch, a pair (samples, condition) or
            samples. None: batches are such already. See BatchKeys for dicts and longer tuples.
        freeze: Parameters that are not trained, by name or pattern: ``"discriminator.blocks.0"``
            is all below it, ``"generator.*.bias"`` a pattern.
        rates: Factors of the learning rate for parameters by name or pattern, as for ``freeze``:
            ``{"generator.mapping": 0.01}``. The last that fits counts, on top of the factors that
            a network declares itself (``parameter_groups``).
        schedules: Numbers that change with the images seen, by path:
            ``{"regularizers.r1.weight": Linear(10.0, 1.0, kimg=50)}``. Those of optimizers are
            ``generator_optimizer.lr``, ``generator_optimizer.betas.1`` and so on.
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

    Attributes:
        progress: How far training has come.
        conditions: Where conditions are drawn from that nobody names.
        origins: Names and fingerprints of what the weights began with, the newest first.
        inheritance: What was taken over from it; None where training begins with new weights.

    Raises:
        InputError: Parts do not fit each other, or a number is out of range.

    Example:
        >>> from lightning_gan import GAN, create_discriminator, create_generator, create_loss
        >>> gan = GAN(
        ...     generator=create_generator("mlp", sample_shape=(1, 8, 8)),
        ...     discriminator=create_discriminator("mlp", sample_shape=(1, 8, 8)),
        ...     loss=create_loss("non_saturating"),
        ... )
        >>> gan.sample(4, seed=0).shape
        torch.Size([4, 1, 8, 8])
    """

    generator: Generator
    prepare_batch: PrepareBatch | None = None  # a subclass may define a method of this name

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        regularizers: dict[str, Regularizer] | None = None,
        alternation: Alternation | None = None,
        augment: Augment | None = None,
        prior: Prior | None = None,
        balance: Balance | None = None,
        generator_optimizer: OptimizerCallable | None = None,
        discriminator_optimizer: OptimizerCallable | None = None,
        generator_lr_scheduler: LRSchedulerCallable | None = None,
        discriminator_lr_scheduler: LRSchedulerCallable | None = None,
        generator_clip_norm: float | None = None,
        generator_clip_value: float | None = None,
        discriminator_clip_norm: float | None = None,
        discriminator_clip_value: float | None = None,
        generator_weight: float = 1.0,
        discriminator_weight: float = 1.0,
        heads: Literal["mean", "sum"] = "mean",
        head_weights: list[float] | None = None,
        ema: Average | None = None,
        micro_batches: int = 1,
        generator_batch: int = 1,
        share_fakes: bool = True,
        fake_labels: Literal["real", "uniform"] = "real",
        prepare_batch: PrepareBatch | None = None,
        freeze: list[str] | None = None,
        rates: dict[str, float] | None = None,
        schedules: dict[str, Schedule] | None = None,
        max_skipped: int | None = 10,
        generator_compile: bool = False,
        discriminator_compile: bool = False,
        graph: bool = False,
    ) -> None:
        super().__init__()
        alternation = Alternation() if alternation is None else alternation
        augment = Augment() if augment is None else augment
        prior = Prior() if prior is None else prior
        for name, value in (("regularizers", regularizers), ("schedules", schedules)):
            if value is not None and not isinstance(value, dict):
                raise InputError(f"{name} must be a dict of names and objects, got {value!r}")
        parts: dict[str, tuple[Any, type]] = {
            "loss": (loss, AdversarialLoss),
            "alternation": (alternation, Alternation),
            "augment": (augment, Augment),
            "prior": (prior, Prior),
            **({"balance": (balance, Balance)} if balance is not None else {}),
            **({"ema": (ema, Average)} if ema is not None else {}),
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
        self.balance = balance
        self.ema = ema
        self.schedules = dict(schedules or {})
        self.generator_settings = SideSettings(
            Player.GENERATOR,
            generator_optimizer,
            generator_lr_scheduler,
            generator_clip_norm,
            generator_clip_value,
            generator_weight,
            generator_compile,
        )
        self.discriminator_settings = SideSettings(
            Player.DISCRIMINATOR,
            discriminator_optimizer,
            discriminator_lr_scheduler,
            discriminator_clip_norm,
            discriminator_clip_value,
            discriminator_weight,
            discriminator_compile,
        )
        self.heads = heads
        self.head_weights = head_factors(head_weights)
        self.micro_batches = micro_batches
        self.generator_batch = generator_batch
        self.share_fakes = share_fakes
        self.fake_labels = fake_labels
        self.max_skipped = max_skipped
        self.graph = graph
        if prepare_batch is not None:  # a component of it has no state
            self.__dict__["prepare_batch"] = prepare_batch
        self._check_options()
        freezing.freeze(generator, discriminator, freeze or [])
        if rates is not None:
            checked = freezing.check_rates(generator, discriminator, rates)
            self.generator_settings.rates = self.discriminator_settings.rates = checked
        for name, part in self.parts().items():
            part.bind(generator, discriminator)
            check_owner(name, part)
        sides = self.sides()
        check_apart(*([side.network, *side.parts] for side in sides))
        for side in sides:  # a wrong learning rate fails here
            side.configure()
        self._scheduled = Scheduled(self, self.schedules, sides)
        self._scheduled.apply(images=0)

        self.generator_ema: nn.Module | None = None
        if ema is not None:
            self.generator_ema = copy.deepcopy(generator).requires_grad_(False).eval()
        self._statistics_stale = True
        self._referenced = Referenced(self.parts())
        self.progress = Progress()
        self.origins: list[dict[str, str]] = []
        self.inheritance: Inheritance | None = None
        self.conditions = Conditions(generator)
        self._sample_range: SampleRange = getattr(generator, "sample_range", None)
        range_bounds(self._sample_range)

    def parts(self) -> dict[str, Part]:
        """Return the parts besides the networks, by the names that reports go by."""
        found: dict[str, Part] = {
            "loss": self.loss,
            "alternation": self.alternation,
            "augment": self.augment,
            "prior": self.prior,
        }
        if self.balance is not None:
            found["balance"] = self.balance
        return {**found, **{f"regularizer/{name}": r for name, r in self.terms().items()}}

    def terms(self) -> dict[str, Regularizer]:
        """Return the regularizers by name."""
        return cast(dict[str, Regularizer], dict(self.regularizers.items()))

    def sides(self) -> tuple[Side, Side]:
        """Return two new sides, generator and discriminator, without optimizers."""

        def owned(player: Player) -> list[nn.Module]:
            return [part for part in self.parts().values() if part.trained_by == player]

        return (
            Side(self.generator_settings, self.generator, owned(Player.GENERATOR)),
            Side(self.discriminator_settings, self.discriminator, owned(Player.DISCRIMINATOR)),
        )

    def train(self: Self, mode: bool = True) -> Self:
        """Set the training mode; the averaged generator stays in eval mode."""
        super().train(mode)
        if getattr(self, "generator_ema", None) is not None:
            self.generator_ema.eval()  # type: ignore[union-attr]
        return self

    def forward(self, z: Tensor, y: Any = None) -> Any:
        """Run the generator that sampling uses on latents (N, Z), as it stands, with gradient."""
        return called(self.sampling_generator(), z, y)

    # What is known of the data ------------------------------------------------------------------

    def read(self, batch: Any) -> Batch:
        """Read a batch of the data as ``prepare_batch`` says.

        Raises:
            InputError: The batch is of another kind.
        """
        return read_batch(self.prepare_batch, batch)

    @property
    def sample_range(self) -> SampleRange:
        """The range of samples that generator or data declare; None where neither does."""
        return self._sample_range

    def declare_range(self, of_data: SampleRange) -> None:
        """Take over the range that the data declare; where both do, ``prepare_batch`` may convert.

        Raises:
            InputError: The generator declares another, and batches are taken as they are.
        """
        own = getattr(self.generator, "sample_range", None)
        as_is = self.prepare_batch is None
        if as_is and None not in (own, of_data) and range_bounds(own) != range_bounds(of_data):
            raise InputError(
                f"the data declare sample_range={of_data!r}, and {type(self.generator).__name__} "
                f"{own!r}: give both the same"
            )
        if own is None and of_data is not None:
            range_bounds(of_data)
            self._sample_range = of_data
            self._tell_range()

    def _tell_range(self) -> None:
        """Tell every augmentation, those inside other parts too."""
        for part in self.modules():
            if isinstance(part, Augment):
                part.declare_range(self._sample_range)

    def check_samples(self, batch: Batch) -> None:
        """Check samples and labels before anything is done with them.

        Raises:
            InputError: They do not fit the networks, or the declared range.
        """
        shape = getattr(self.discriminator, "sample_shape", None) or self.generator.sample_shape
        dtype = next((p.dtype for p in self.discriminator.parameters()), batch.real.dtype)
        check_samples(batch.real, shape, dtype)
        check_batch_labels(self.class_network(), batch)
        check_range(batch.real, self.sample_range)

    def class_network(self) -> nn.Module | None:
        """Return the first network that sees the data's classes, None where neither does."""
        # With labels of its own the generator never sees the data's.
        networks = [self.discriminator, *([self.generator] if self.fake_labels == "real" else [])]
        having = (net for net in networks if getattr(net, "num_classes", None) is not None)
        return next(having, None)

    # Sampling -----------------------------------------------------------------------------------

    def sampling_generator(self) -> nn.Module:
        """Return the averaged generator, its statistics re-estimated where that is due."""
        if self.ema is None or self.generator_ema is None:
            return self.generator
        if self._statistics_stale and self.ema.reestimates:
            source = randomness.seeded(0, torch.device("cpu"))

            device = self._home()

            def draw() -> tuple[Tensor, Any]:
                drawn = draw_inputs(
                    self.generator, self.prior, self.conditions, STATISTICS_BATCH, source
                )
                return cast(tuple[Tensor, Any], map_tensors(lambda x: x.to(device), drawn))

            # Without conditions they stay as they are, for samples whose conditions are given.
            with randomness.preserved(device), suppress(NoConditionError):
                reestimate_statistics(self.generator_ema, draw)
                self._statistics_stale = False
        return self.generator_ema

    def begin_average(self) -> None:
        """Let the averaged generator begin with the weights that training begins with."""
        averaged = self.inheritance is not None and self.inheritance.reaches(AVERAGE)
        if self.generator_ema is not None and self.progress.batches == 0 and not averaged:
            self.generator_ema.load_state_dict(self.generator.state_dict())

    def begun_from(self, origins: list[dict[str, str]], inheritance: Inheritance) -> None:
        """Note whose weights the networks, the averaged one too, have taken over."""
        self.origins, self.inheritance = origins, inheritance
        self.weights_changed()

    def follow_schedules(self, sides: Iterable[Side] = ()) -> None:
        """Set every scheduled number, those of these sides' optimizers too, as images were seen."""
        self._scheduled.apply(self.progress.images, sides)

    def weights_changed(self) -> None:
        """Note that statistics of the averaged generator are to be re-estimated at the next use."""
        self._statistics_stale = True

    # State --------------------------------------------------------------------------------------

    def get_extra_state(self) -> dict[str, Any]:
        """Return the counts, the range of samples, and where weights come from."""
        declared = self._sample_range
        return {
            "progress": self.progress.state_dict(),
            "sample_range": list(declared) if isinstance(declared, tuple) else declared,
            "references": self._referenced.describe(),
            "origins": [dict(each) for each in self.origins],
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_extra_state` returned."""
        self.progress = Progress.from_state_dict(state["progress"])
        declared = state["sample_range"]
        self._sample_range = tuple(declared) if isinstance(declared, list) else declared
        range_bounds(self._sample_range)
        self._tell_range()
        self._referenced.check(state["references"])
        self.origins = origins_in(state)
        self._scheduled.apply(self.progress.images)
        self.weights_changed()

    # Checks -------------------------------------------------------------------------------------

    def _check_options(self) -> None:
        """Check the numbers and choices against the parts.

        Raises:
            InputError: A number is out of range, or an option does not go with a part.
        """
        for name, number in (
            ("micro_batches", self.micro_batches),
            ("generator_batch", self.generator_batch),
        ):
            if type(number) is not int or number < 1:
                raise InputError(f"{name} must be a whole number from 1, got {number!r}")
        limit = self.max_skipped
        if limit is not None and (type(limit) is not int or limit < 1):
            raise InputError(f"max_skipped must be a whole number from 1, or null, got {limit!r}")
        if self.fake_labels not in ("real", "uniform"):
            raise InputError(f"fake_labels must be 'real' or 'uniform', got {self.fake_labels!r}")
        if self.fake_labels == "uniform" and getattr(self.generator, "num_classes", None) is None:
            raise InputError("fake_labels='uniform' needs a generator with num_classes")
        if not callable(self.prepare_batch or read_batch):
            raise InputError(
                "prepare_batch must be a function of a batch, such as BatchKeys(...), got "
                f"{self.prepare_batch!r}"
            )
        if self.heads not in ("mean", "sum"):
            raise InputError(f"heads must be 'mean' or 'sum', got {self.heads!r}")
        for settings in (self.generator_settings, self.discriminator_settings):
            settings.check()
        if self.loss.needs_real_logits_for_generator and self.generator_batch > 1:
            raise InputError(
                f"{type(self.loss).__name__} pairs real samples with fakes: generator_batch must "
                f"be 1, got {self.generator_batch}"
            )
        self.check_compiled()
        parts = (self.generator, self.discriminator, self.loss, *self.terms().values())
        coupled = [type(part).__name__ for part in parts if getattr(part, "couples_samples", False)]
        if self.micro_batches > 1 and coupled:
            warnings.warn(
                f"{', '.join(coupled)} couples the samples of a batch: with micro_batches="
                f"{self.micro_batches} it sees only those of a piece",
                stacklevel=3,
            )

    def check_compiled(self) -> None:
        """Refuse a compiled discriminator that a regularizer differentiates twice.

        Raises:
            InputError: There is one; torch.compile has no second derivative.
        """
        compiled = self.discriminator_settings.compile or is_compiled(self.discriminator)
        twice = [name for name, each in self.terms().items() if each.differentiates]
        if compiled and twice:
            raise InputError(
                f"regularizers {', '.join(twice)} differentiate the discriminator twice, which "
                "torch.compile cannot: leave discriminator_compile false, or leave them out"
            )
