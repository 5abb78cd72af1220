"""GANModule: a GAN as a LightningModule."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import torch
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from lightning_gan.components.following import following
from lightning_gan.components.spec import build, printable
from lightning_gan.errors import InputError
from lightning_gan.game import freezing, randomness
from lightning_gan.game.devices import device_of
from lightning_gan.game.gan import GAN
from lightning_gan.game.held_out import evaluated
from lightning_gan.game.inheriting import Inheritance
from lightning_gan.game.labels import check_before_transfer
from lightning_gan.training import log
from lightning_gan.training.checkpoint import KEY, description_of, read_checkpoint
from lightning_gan.training.refused import check_offers
from lightning_gan.training.seams.transfer import is_there
from lightning_gan.training.session import Session
from lightning_gan.training.starting import init_from

Self = TypeVar("Self", bound="GANModule")


class GANModule(GAN, LightningModule):
    """A GAN that Lightning trains, saves, validates and samples from.

    Arguments and errors are those of :class:`~lightning_gan.game.gan.GAN`. A subclass may override
    any of Lightning's hooks, without a thought of ours: clipping, the guard, resuming and the log
    live in a session of their own.

    Attributes:
        session: The training that goes on, or was the last; None before the first.
        latest: The latest values that were logged, and after how many batches.

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

    automatic_optimization = False
    session: Session | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let a subclass override hooks without losing what ours do in them."""
        super().__init_subclass__(**kwargs)
        for name, ours in (
            ("configure_callbacks", _with_session),
            ("on_save_checkpoint", _with_description),
            ("on_load_checkpoint", _with_states),
        ):
            theirs = getattr(cls, name)
            if theirs is not getattr(GANModule, name) and not hasattr(theirs, "keeps_ours"):
                setattr(cls, name, ours(theirs))

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; the hook's name, which Lightning notes 30 times a step, the short way.

        ``nn.Module`` first asks of every value whether it is a parameter, module or buffer.
        """
        if name in ("_current_fx_name", "session"):
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    @property
    def latest(self) -> log.Latest:
        """The latest values that were logged."""
        found: log.Latest = self.__dict__.setdefault("_latest", log.Latest())
        return found

    @property
    def latest_metrics(self) -> dict[str, Tensor]:
        """The latest values that were logged, by key."""
        return self.latest.metrics

    @property
    def latest_metrics_step(self) -> int:
        """After how many batches of the fit they were logged."""
        return self.latest.step

    # Fine-tuning --------------------------------------------------------------------------------

    def init_from(
        self,
        path: str | Path,
        *,
        strict: bool = False,
        only: str | None = None,
        average: bool = False,
        rename: Mapping[str, str] | None = None,
    ) -> Inheritance:
        """Begin with the weights of a file; see :func:`lightning_gan.training.starting.init_from`.

        That is fine-tuning: counts and optimizers start anew. ``trainer.fit(gan, ckpt_path=...)``
        goes on with a training as if it had never stopped.
        """
        return init_from(self, path, strict=strict, only=only, average=average, rename=rename)

    # Training -----------------------------------------------------------------------------------

    def configure_callbacks(self) -> list[Callback]:
        """Bring the session along, and refuse what a Trainer offers and a GAN cannot take."""
        randomness.chosen_seed()
        with suppress(RuntimeError):  # asked for without a Trainer
            check_offers(self.trainer, self)
        return [Session(self, self.latest)]

    def configure_optimizers(self) -> Any:
        """Build the players' optimizers; the order, generator first, is that of the checkpoint."""
        made = []
        for side in self.sides():
            side.configure()
            if side.optimizer is not None:
                scheduler = {"scheduler": side.scheduler, "interval": "step"}
                scheduled = {} if side.scheduler is None else {"lr_scheduler": scheduler}
                made.append({"optimizer": side.optimizer, **scheduled})
        return made

    def _apply_batch_transfer_handler(
        self, batch: Any, device: torch.device | None = None, dataloader_idx: int = 0
    ) -> Any:
        """Move a batch as Lightning does, unless there is nothing to do; see seams/transfer."""
        session = self.session
        if session is not None and session.hands_over and is_there(batch, session.device):
            return batch
        if session is not None and session.device.type != "cpu":  # where a wrong label is fatal
            check_before_transfer(self.class_network(), self.prepare_batch, batch)
        return super()._apply_batch_transfer_handler(batch, device, dataloader_idx)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Let the players that the alternation names step on one batch."""
        if self.session is None:
            raise InputError(
                "GANModule.training_step needs a Trainer that trains the module; in a loop of your "
                "own, use lightning_gan.Game(gan).play(real, y)"
            )
        self.session.train_batch(batch)

    # Lightning asks for the signature at every batch, and Python makes it anew each time.
    training_step.__signature__ = inspect.signature(training_step)  # type: ignore[attr-defined]

    # Evaluation ---------------------------------------------------------------------------------

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        """Log losses and terms on held-out samples as ``val/...``; see :meth:`test_step`."""
        return self._evaluation_step("val", batch, batch_idx, dataloader_idx)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        """Log losses and terms on test samples as ``test/...``.

        Returns:
            ``real``, ``fake`` and ``y`` of the batch, for callbacks that compare them: one fake for
            each sample, with its condition, of the generator that sampling uses.
        """
        return self._evaluation_step("test", batch, batch_idx, dataloader_idx)

    def _evaluation_step(self, stage: str, batch: Any, *index: int) -> dict[str, Any]:
        read = self.read(batch)
        if index[0] == 0:
            self.check_samples(read)
        if not any(index):  # of several loaders the first
            self.conditions.hold(read.real, read.y)
        seed = randomness.derive(self.trainer.global_rank, *index)
        with randomness.preserved(self.device):
            readings, fake = evaluated(self, read, seed, self.device)
        found = {
            f"{stage}/{key}": value
            for key, value in log.named(readings).items()
            if key.startswith(("loss/", "regularizer/"))
        }
        size = len(read.real)
        self.log_dict(found, on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
        return {"real": read.real, "fake": fake, "y": read.y}

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Return one sample for each element of the batch, with its condition where it has any."""
        read = self.read(batch)
        parts = (self.trainer.global_rank, 2, batch_idx, dataloader_idx)
        seed = randomness.derive(randomness.base_seed(), *parts)
        return self.generate(len(read.real), read.y, seed)

    # Checkpoints --------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the spec that rebuilds the module, and the states of all ranks."""
        if KEY not in checkpoint:
            states = None if self.session is None else self.session.states()
            checkpoint[KEY] = description_of(self, states)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Freeze what was frozen; keep the states of ranks until training starts."""
        saved = checkpoint.get(KEY, {})
        names = saved.get("frozen", ())
        frozen = freezing.freeze_again(self.generator, self.discriminator, names)
        if self.session is not None:
            self.session.go_on_from(saved)
            if frozen:
                rank_zero_warn(
                    f"{len(frozen)} parameters such as {frozen[0]} stay frozen, as they were when "
                    "the checkpoint was written; to train them as well, begin a training of its "
                    "own: GANModule.load_from_checkpoint(path, freeze=[])"
                )
        self.weights_changed()

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
                ``generator=net`` for a network that could not be saved by its spec. ``freeze``
                alone then says what is frozen.

        Raises:
            InputError: The file is missing, damaged or foreign, its weights do not fit, an
                argument must be passed, or there is no such device.
            PluginError: A component is not installed or not trusted.
        """
        device = device_of(map_location)
        if not weights_only:
            raise InputError(
                "weights_only=False is refused: a GANModule's checkpoint needs no code"
            )
        checkpoint = read_checkpoint(checkpoint_path, map_location="cpu")
        with randomness.preserved(torch.device("cpu")), following(strict):
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
        if "freeze" in arguments:
            checkpoint[KEY]["frozen"] = []
        module.on_load_checkpoint(checkpoint)
        return module if device is None else module.to(device)


Hook = Callable[..., Any]


def _keeping(wrapper: Hook, theirs: Hook) -> Hook:
    wrapper.keeps_ours = True  # type: ignore[attr-defined]
    return functools.update_wrapper(wrapper, theirs)


def _with_session(theirs: Hook) -> Hook:
    def configure_callbacks(self: GANModule) -> list[Callback]:
        found = theirs(self) or []
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        there = any(isinstance(each, Session) for each in found)
        return found if there else [*found, *GANModule.configure_callbacks(self)]

    return _keeping(configure_callbacks, theirs)


def _with_description(theirs: Hook) -> Hook:
    def on_save_checkpoint(self: GANModule, checkpoint: dict[str, Any]) -> None:
        GANModule.on_save_checkpoint(self, checkpoint)
        theirs(self, checkpoint)

    return _keeping(on_save_checkpoint, theirs)


def _with_states(theirs: Hook) -> Hook:
    def on_load_checkpoint(self: GANModule, checkpoint: dict[str, Any]) -> None:
        GANModule.on_load_checkpoint(self, checkpoint)
        theirs(self, checkpoint)

    return _keeping(on_load_checkpoint, theirs)
