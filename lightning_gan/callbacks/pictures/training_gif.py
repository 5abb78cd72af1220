"""Training as a moving picture."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
from PIL import Image, ImageDraw, ImageFont
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from lightning_gan.callbacks.periodic import check_positive
from lightning_gan.callbacks.pictures.base import Picture
from lightning_gan.callbacks.pictures.latent_manifold import check_plane, manifolds
from lightning_gan.callbacks.pictures.sample_grid import sample_grid
from lightning_gan.callbacks.sink import as_uint8, leaves_files, run_folder
from lightning_gan.errors import InputError
from lightning_gan.files.names import SAMPLES
from lightning_gan.files.whole import unfinished

MILLISECONDS = 100  # of each frame
LAST_MILLISECONDS = 3000
COLORS = 64  # of a frame
GRAYS = 16  # of a gray one: a third of the size of 64, and hardly a difference to be seen
TITLE_HEIGHT = 28  # pixels
TITLE_SIZE = 18


class TrainingGIF(Picture):
    """Make an animated GIF of training from grids or manifolds of the same latents.

    Frames are taken before training, at every period, and at the end; by default every 20 steps up
    to step 2,000, where most happens, and every 200 after that. Each names its step, round or
    epoch, whichever the period counts, and its class where it shows one. They are kept as PNGs in
    ``frames/<name>/`` in the run's folder, and the GIF is put together when training ends, with an
    error too. A resumed run starts with copies of the frames before its checkpoint, where they can
    still be found, and so shows training from its beginning.

    Grids give ``samples/<name>.gif``, columns being classes as in SampleGrid; manifolds, as in
    LatentManifold, give ``samples/<name>-class<k>.gif`` for each class of a conditional generator.

    Args:
        frames: What a frame shows: a "grid" of samples, or the latent "manifold" of a generator
            with two latents.
        name: Name of the GIF, different for each TrainingGIF of a run.
        rows: Rows of a grid.
        columns: Columns of an unconditional generator's grid.
        size: Points on each axis of a manifold.
        seed: Seed of a grid's latents.
        max_frames: Frames of the GIF at most; of more, it takes as many, evenly.
        every_n_steps: Batches between frames; None: none after the dense beginning but the last.
        every_n_rounds: Rounds between frames, in place of steps.
        every_n_epochs: Epochs between frames, in place of steps.
        dense_every: Batches (rounds, epochs) between frames at the beginning; None: as later.
        dense_until: Last batch (round, epoch) of the beginning.

    Raises:
        InputError: A number is below 1, both rounds and epochs are given, one of the dense numbers
            is missing, ``frames`` or ``name`` is no such word, or the module cannot be drawn so.
    """

    def __init__(
        self,
        frames: Literal["grid", "manifold"] = "grid",
        name: str = "training",
        rows: int = 8,
        columns: int = 8,
        size: int = 15,
        seed: int = 0,
        max_frames: int = 400,
        every_n_steps: int | None = 200,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
        dense_every: int | None = 20,
        dense_until: int | None = 2000,
    ) -> None:
        periods = (every_n_steps, every_n_rounds, every_n_epochs, dense_every, dense_until)
        numbers = {"rows": rows, "columns": columns, "size": size, "max_frames": max_frames}
        check_positive("TrainingGIF", **numbers)
        if frames not in ("grid", "manifold"):
            raise InputError(
                f"TrainingGIF: frames must be 'grid' or 'manifold', got {frames!r}; use one of them"
            )
        if not name or Path(name).name != name:
            raise InputError(
                f"TrainingGIF: name must be a file's name, got {name!r}; use a word like 'training'"
            )
        super().__init__(name, seed, *periods)
        self.frames = frames
        self.rows = rows
        self.columns = columns
        self.size = size
        self.max_frames = max_frames
        self._run: Path | None = None  # until training has begun, there is nothing to write
        self._folder = Path()
        self._taken: list[int] = []

    @property
    def state_key(self) -> str:
        """Key of the state in checkpoints, one for each name."""
        return self._generate_state_key(name=self.name)

    def state_dict(self) -> dict[str, Any]:
        """Return where the frames are, and the steps of those that belong to this training."""
        return {"folder": str(self._folder.resolve()), "taken": list(self._taken)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self._folder, self._taken = Path(state_dict["folder"]), list(state_dict["taken"])

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check that the module can be drawn; forget where an earlier training was."""
        self._run = None
        super().setup(trainer, pl_module, stage)

    def check(self, module: Any) -> None:
        """Refuse a module that cannot be drawn, or has no plane of latents for a manifold."""
        super().check(module)
        if self.frames == "manifold":
            check_plane(self, module)

    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the grid, or the manifold of each class."""
        if self.frames == "grid":
            yield from sample_grid(module, self.rows, self.columns, self.sample)
        else:
            yield from manifolds(module, self.size, self.sample)

    def write(self, trainer: pl.Trainer, shown: int | None, picture: Tensor) -> None:
        """Keep one frame, with its title."""
        step = trainer.global_step
        if step not in self._taken[-1:]:
            self._taken.append(step)
        if trainer.is_global_zero and leaves_files(trainer):
            words = [] if shown is None else [f"class {shown}"]
            module = trainer.lightning_module
            words.append(f"{self.cadence.unit} {self.cadence.count(trainer, module):,}")
            self._folder.mkdir(parents=True, exist_ok=True)
            frame = titled(to_pil_image(as_uint8(picture)), ", ".join(words))
            frame.save(self._folder / frame_name(shown, step), compress_level=1)

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Bring the frames before a resumed checkpoint along, and take the first new one."""
        earlier, run = self._folder, run_folder(trainer)
        self._run = run
        self._folder = run / "frames" / self.name
        started = trainer.global_step > 0
        self._taken = [step for step in self._taken if started and step < trainer.global_step]
        if trainer.is_global_zero and leaves_files(trainer):
            self._fetch(earlier)
        super().start(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the last frame, and write the GIFs."""
        super().on_train_end(trainer, pl_module)
        self._assemble(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Write the GIFs of a training that breaks off."""
        self._assemble(trainer)

    def _fetch(self, earlier: Path) -> None:
        """Copy the frames that are taken already from the folder of the run that took them."""
        if not self._taken or earlier.resolve() == self._folder.resolve():
            return
        frames = [path for paths in self._frames(earlier).values() for path in paths]
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in frames:
            shutil.copy2(path, self._folder)
        if not frames:
            rank_zero_info(f"TrainingGIF begins anew: the earlier frames are not in {earlier}")

    def _assemble(self, trainer: pl.Trainer) -> None:
        if self._run is not None and trainer.is_global_zero and leaves_files(trainer):
            for shown, frames in self._frames(self._folder).items():
                path = self._run / SAMPLES / f"{'-'.join([self.name, *shown])}.gif"
                write_gif(thinned(frames, self.max_frames), path)

    def _frames(self, folder: Path) -> dict[tuple[str, ...], list[Path]]:
        """Return the frames of this training, in order, for each class that has frames."""
        found: dict[tuple[str, ...], list[Path]] = {}
        for path in sorted(folder.glob("*.png")) if self._taken else ():
            *shown, step = path.stem.split("-")
            if step.isdigit() and int(step) in self._taken:
                found.setdefault(tuple(shown), []).append(path)
        return found


def frame_name(shown: int | None, step: int) -> str:
    """Return the name of a frame's file.

    Example:
        >>> frame_name(None, 20), frame_name(3, 20)
        ('00000020.png', 'class3-00000020.png')
    """
    return f"{'' if shown is None else f'class{shown}-'}{step:08d}.png"


def titled(picture: Image.Image, title: str) -> Image.Image:
    """Return a picture with a line of text above it."""
    frame = Image.new("RGB", (picture.width, picture.height + TITLE_HEIGHT), "white")
    frame.paste(picture, (0, TITLE_HEIGHT))
    font = ImageFont.load_default(TITLE_SIZE)
    place = (picture.width // 2, TITLE_HEIGHT // 2)
    ImageDraw.Draw(frame).text(place, title, fill="black", font=font, anchor="mm")
    return frame


def thinned(frames: list[Path], most: int) -> list[Path]:
    """Return at most ``most`` frames, evenly chosen, the last always and the first from two on.

    Example:
        >>> [path.name for path in thinned([Path(str(i)) for i in range(9)], 3)]
        ['0', '4', '8']
    """
    if len(frames) <= most:
        return frames
    places = np.linspace(len(frames) - 1, 0, most).round().astype(int)[::-1]
    return [frames[place] for place in places]


def write_gif(frames: list[Path], path: Path) -> None:
    """Write an endless GIF of the frames that are as large as the last, which stays longer."""
    images = [_read(frame) for frame in frames]
    first, *rest = [few_colors(image) for image in images if image.size == images[-1].size]
    durations = [MILLISECONDS] * len(rest) + [LAST_MILLISECONDS]
    with unfinished(path) as beside:  # an earlier GIF stays until this one is whole
        first.save(beside, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)


def few_colors(image: Image.Image) -> Image.Image:
    """Return a picture in 16 grays where it is gray, in its 64 main colors where it is not."""
    red, green, blue = (np.asarray(channel) for channel in image.split())
    if (red == green).all() and (red == blue).all():
        step = 255 / (GRAYS - 1)
        return Image.fromarray((np.round(red / step) * step).astype(np.uint8))
    return image.quantize(COLORS)


def _read(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return file.convert("RGB")
