"""A GAN at rest: its parts, its averaged generator, sampling, saving and loading."""

from __future__ import annotations

import copy
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor, nn

from lightning_gan.alternations.base import Alternation
from lightning_gan.augments.base import Augment
from lightning_gan.components.spec import Specified, build, is_portable, printable
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.ema import EMA, reestimate_statistics
from lightning_gan.errors import InputError
from lightning_gan.game import randomness
from lightning_gan.game.checks import check_options, check_parts, split_batch
from lightning_gan.game.guard import Guard
from lightning_gan.game.optimization import LRSchedulerCallable, OptimizerCallable, make_optimizer
from lightning_gan.game.sampling import class_labels, draw_inputs, generate
from lightning_gan.generators.base import Generator
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.priors.base import Prior
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.schedules import Schedule, apply_schedules
from lightning_gan.training.checkpoint import FORMAT, KEY, read_checkpoint
from lightning_gan.training.graphs.steps import GraphedSteps
from lightning_gan.training.meter import Meter
from lightning_gan.training.seams.strategy import gather_objects
from lightning_gan.types import Player, Progress

Self = TypeVar("Self", bound="GAN")
STATISTICS_BATCH = 256


class GAN(Specified, LightningModule):
    """The parts of a GAN, put together and checked; GANModule adds their training.

    Arguments and errors are those of :class:`~lightning_gan.training.module.GANModule`.
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
        max_skipped: int | None = 10,
        generator_compile: bool = False,
        discriminator_compile: bool = False,
        graph: bool = False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        alternation = Alternation() if alternation is None else alternation
        augment = Augment() if augment is None else augment
        prior = Prior() if prior is None else prior
        for name, value in (("regularizers", regularizers), ("schedules", schedules)):
            if value is not None and not isinstance(value, dict):
                raise InputError(f"{name} must be a dict of names and objects, got {value!r}")
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
            Player.GENERATOR: (generator_optimizer, generator_lr_scheduler),
            Player.DISCRIMINATOR: (discriminator_optimizer, discriminator_lr_scheduler),
        }
        self.generator_clip_norm = generator_clip_norm
        self.generator_clip_value = generator_clip_value
        self.discriminator_clip_norm = discriminator_clip_norm
        self.discriminator_clip_value = discriminator_clip_value
        self.micro_batches = micro_batches
        self.generator_batch = generator_batch
        self.share_fakes = share_fakes
        self.fake_labels = fake_labels
        self.max_skipped = max_skipped
        self.generator_compile = generator_compile
        self.discriminator_compile = discriminator_compile
        self.graph = graph
        check_options(self)
        for player, makers in self._make_optimizer.items():  # a wrong learning rate fails here
            if any(p.requires_grad for p in getattr(self, player.value).parameters()):
                make_optimizer(player, getattr(self, player.value), *makers)
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
        self._warned = False
        self._guard = Guard()
        self._saved_ranks: list[dict[str, Any]] | None = None
        self._saved_seed: int | None = None
        self._made: dict[Player, dict[str, Any]] = {}
        self._configured: dict[str, Any] = {}
        self._configured_then: dict[str, Any] | None = None
        self._global_random: dict[str, Tensor] | None = None
        self._graphs: GraphedSteps | None = None
        self._captures = False

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; the hook's name, which Lightning notes 30 times a step, the short way.

        ``nn.Module`` first asks of every value whether it is a parameter, module or buffer.
        """
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def train(self: Self, mode: bool = True) -> Self:
        """Set the training mode; the averaged generator stays in eval mode."""
        super().train(mode)
        if getattr(self, "generator_ema", None) is not None:
            self.generator_ema.eval()  # type: ignore[union-attr]
        return self

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        """Run the generator that sampling uses on latents (N, Z), as it stands, with gradient."""
        samples: Tensor = self.sampling_generator()(z, y)
        return samples

    # Sampling -----------------------------------------------------------------------------------

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Return one sample for each element of the batch, with its labels where it has any."""
        x, y = split_batch(batch)
        parts = (self.trainer.global_rank, 2, batch_idx, dataloader_idx)
        return self._generate(len(x), y, randomness.derive(randomness.base_seed(), *parts))

    def sample(
        self,
        n: int,
        labels: Any = None,
        seed: int | None = None,
        z: Tensor | None = None,
        autocast: torch.dtype | None = None,
    ) -> Tensor:
        """Draw samples from the averaged generator where there is one, in eval mode.

        Every random state is left as it was found.

        Args:
            n: Number of samples.
            labels: A class, or n classes as a sequence or int64 tensor; whatever else the
                generator takes is passed on. None draws classes uniformly where the generator is
                conditional.
            seed: Seed of the latents and drawn classes, the same samples on every call; None for
                other samples every time.
            z: Latents, shape (n, Z), such as the points of an interpolation. None draws them.
            autocast: Generate in mixed precision of this type, torch.bfloat16 or torch.float16:
                two or three times as fast on hardware that has it, and slightly other images. None
                generates in the network's own.

        Returns:
            Samples, shape (n, *sample_shape), on the module's device; images in [-1, 1].

        Raises:
            InputError: ``n`` is negative, labels or latents are of another number or range, or
                ``autocast`` is another type.
        """
        if not isinstance(n, int) or n < 0:
            raise InputError(f"n must be a whole number from 0, got {n!r}")
        if z is not None and tuple(z.shape) != (shape := (n, self.generator.latent_dim)):
            raise InputError(f"latents z must have shape {shape}, got {tuple(z.shape)}")
        if autocast not in (None, torch.bfloat16, torch.float16):
            raise InputError(f"autocast must be torch.bfloat16 or torch.float16, got {autocast!r}")
        if seed is None:
            seed = torch.Generator().seed()
        if labels is not None:
            labels = class_labels(labels, n, getattr(self.generator, "num_classes", None))
        return self._generate(n, labels, seed, z, autocast)

    def _generate(
        self,
        n: int,
        y: Any,
        seed: int,
        z: Tensor | None = None,
        autocast: torch.dtype | None = None,
    ) -> Tensor:
        generator = self.sampling_generator()
        return generate(generator, self.prior, n, y, seed, self.device, z, autocast)

    def sampling_generator(self) -> nn.Module:
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

    # Checkpoints --------------------------------------------------------------------------------

    def get_extra_state(self) -> dict[str, Any]:
        """Return the counts, those of updates left out among them."""
        return {
            "progress": self.progress.state_dict(),
            "skipped": self._guard.state_dict(),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_extra_state` returned."""
        self.progress = Progress.from_state_dict(state["progress"])
        if "skipped" in state:  # not in checkpoints from before updates were left out
            self._guard.load_state_dict(state["skipped"])
        apply_schedules(self, self.schedules, self.progress.images)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the spec that rebuilds the module, and the random states and means of all ranks."""
        states = None
        if self._noise is not None:
            own = randomness.get_states(self.device, self._noise)
            states = gather_objects({**own, "meter": self._meter.state_dict()})
        spec = self.spec()
        missing = sorted(n for n, value in spec["init_args"].items() if not is_portable(value))
        if missing and not self._warned:
            self._warned = True
            again = ", ".join(f"{name}=..." for name in missing)
            rank_zero_warn(
                "the checkpoint's weights are complete, but these arguments cannot be saved; pass "
                f"them again: load_from_checkpoint(path, {again})"
            )
        checkpoint[KEY] = {
            "format": FORMAT,
            "version": version("lightning-gan"),
            "spec": spec,
            "random": states,
            "seed": randomness.chosen_seed(),
            "configured": self._configured,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep random states and settings until training starts, where that is what comes next."""
        resumes = self._trainer is not None and self.trainer.state.fn == TrainerFn.FITTING
        saved = checkpoint.get(KEY, {}) if resumes else {}
        self._saved_ranks, self._saved_seed = saved.get("random"), saved.get("seed")
        self._configured_then = saved.get("configured")
        self._statistics_stale = True

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls: type[Self],
        checkpoint_path: str | Path,
        map_location: str | torch.device | None = None,
        *,
        strict: bool = True,
        trust: bool = False,
        weights_only: bool = True,
        **arguments: Any,
    ) -> Self:
        """Rebuild a GANModule from a file alone, with ``weights_only=True``.

        Args:
            checkpoint_path: A checkpoint that Lightning wrote.
            map_location: Device of the module. None: the CPU.
            strict: Whether the weights must fit exactly.
            trust: Import whatever class or function the file names. Without it only registered
                components, torch's own, and component classes this program has imported already.
            weights_only: Always True: nothing but tensors and plain values is read.
            **arguments: Constructor arguments that replace those of the file, as objects, such as
                ``generator=net`` for a network that could not be saved by its spec.

        Raises:
            InputError: The file is missing, damaged or foreign, its weights do not fit, or an
                argument must be passed.
            PluginError: A component is not installed or not trusted.
        """
        if not weights_only:
            raise InputError(
                "weights_only=False is refused: a GANModule's checkpoint needs no code"
            )
        checkpoint = read_checkpoint(checkpoint_path, map_location="cpu")
        with randomness.preserved(torch.device("cpu")):
            module = build(checkpoint[KEY]["spec"], trust=trust, given=arguments)
        if not isinstance(module, cls):
            raise InputError(
                f"{checkpoint_path} holds a {type(module).__name__}, not a {cls.__name__}"
            )
        try:
            module.load_state_dict(checkpoint["state_dict"], strict=strict)
        except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{checkpoint_path}: its state does not fit: {printable(error)}"
            ) from error
        module.on_load_checkpoint(checkpoint)
        return module if map_location is None else module.to(map_location)
