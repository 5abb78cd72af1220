"""Images of two domains: pairs for pix2pix, sets without pairs for CycleGAN."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from image2image.edges import EdgeDigits, Source, digits
from image2image.loader import Augmentation, JointLoader
from lightning_gan import InputError
from lightning_gan.data import ImageData, ImageFolder

Direction = Literal["AtoB", "BtoA"]
DIRECTIONS = ("AtoB", "BtoA")
LAYOUTS = "folders A and B, or trainA and trainB (with testA and testB)"


class TwoDomains(LightningDataModule, ABC):
    """What data modules of two domains share: loaders, places in them, and their checks.

    Args:
        train: The data of domain A and of domain B; or one whose images hold both, side by side.
        test: The same for validation; None: the held-out images of ``train``.
        size: (height, width) that images are resized to; None keeps theirs.
        jitter: Pixels by which images of training grow before they are cut back at random.
        mirror: Whether images of training are mirrored at random.
        val_batch_size: Images in a batch of validation; None: as in training.
        paired: Whether the images of both domains are pairs.
        seed: Of the order of training batches and of what is drawn, at least 0.

    Raises:
        InputError: The domains do not fit each other, or a number is out of range.
    """

    sample_range = "symmetric"
    num_classes = None

    def __init__(
        self,
        train: Sequence[ImageData],
        test: Sequence[ImageData] | None,
        *,
        paired: bool,
        size: tuple[int, int] | None = None,
        jitter: int = 0,
        mirror: bool = False,
        val_batch_size: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if jitter < 0:
            raise InputError(f"jitter must be at least 0, got {jitter}")
        if val_batch_size is not None and val_batch_size < 1:
            raise InputError(f"val_batch_size must be at least 1, got {val_batch_size}")
        self.val_batch_size = val_batch_size
        self._train, self._test = list(train), list(test or train)
        self._size = size
        self._augmentation = Augmentation(jitter, mirror, paired, seed)
        self._train_loader: JointLoader | None = None
        self._resumed: dict[str, Any] = {}
        for data in (self._train, self._test):
            _check_sizes([each.sample_shape for each in data])
        if [shape[0] for shape in self._shapes(self._test)] != [
            shape[0] for shape in self._shapes(self._train)
        ]:
            raise InputError("images for testing must have the channels of those for training")

    @property
    def shapes(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Shape (C, H, W) of an image of domain A and of one of domain B, as they are served."""
        a, b = self._shapes(self._train)
        return a, b

    @property
    @abstractmethod
    def sample_shape(self) -> tuple[int, int, int]:
        """Shape of one sample."""

    @abstractmethod
    def batch(self, a: Tensor, b: Tensor) -> tuple[Tensor, Any]:
        """Return samples and their condition of images of both domains."""

    def prepare_data(self) -> None:
        """Download what is absent."""
        for data in self._datas():
            data.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        """Load the images that a stage needs."""
        for data in self._datas():
            data.trainer = self.trainer  # which tells it of processes
            only = "test" if data not in self._train else stage
            data.setup(only)

    def train_dataloader(self) -> Batches:
        """Return the loader of shuffled batches."""
        loaders = [data.train_dataloader() for data in self._train]
        rank = 0 if self.trainer is None else self.trainer.global_rank
        self._train_loader = JointLoader(loaders, self._size, self._augmentation, rank)
        if self._resumed:
            self._train_loader.load_state_dict(self._resumed)
            self._resumed = {}
        return Batches(self._train_loader, self)

    def val_dataloader(self) -> Batches:
        """Return the loader of all held-out images, in order."""
        loaders = [data.val_dataloader() for data in self._test]
        if self.val_batch_size is not None:
            for loader in loaders:
                loader.batch_size = self.val_batch_size
        return Batches(JointLoader(loaders, self._size), self)

    def test_dataloader(self) -> Batches:
        """Return the loader of all held-out images, in order."""
        return self.val_dataloader()

    def predict_dataloader(self) -> Batches:
        """Return the loader of all held-out images, in order."""
        return self.val_dataloader()

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the training batches."""
        return {} if self._train_loader is None else self._train_loader.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next training loader go on at a saved place."""
        if self.trainer is None or self.trainer.state.fn == "fit":
            self._resumed = state_dict

    def _datas(self) -> list[ImageData]:
        return [*self._train, *(data for data in self._test if data not in self._train)]

    def _shapes(self, data: Sequence[ImageData]) -> list[tuple[int, int, int]]:
        found = []
        for channels, height, width in (each.sample_shape for each in data):
            width = width // 2 if len(data) == 1 else width
            found.append((channels, *(self._size or (height, width))))
        return found * 2 if len(found) == 1 else found


class Batches:
    """The batches of a loader of two domains, as networks and terms want them.

    Args:
        loader: The loader.
        data: Who says what a batch is.
    """

    def __init__(self, loader: JointLoader, data: TwoDomains) -> None:
        self.loader, self.data = loader, data

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Any:
        return (self.data.batch(a, b) for a, b in self.loader)

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the batches."""
        return self.loader.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at a saved place."""
        self.loader.load_state_dict(state)


class Pairs(TwoDomains):
    """Pairs: what should come out as the sample, what is put in as its condition.

    Batches are (target, input). :attr:`condition_channels` are those of the input.

    Args:
        train: The data of domain A and of domain B; or one whose images hold both, side by side.
        test: The same for validation; None: the held-out images of ``train``.
        direction: "AtoB" makes images of B out of those of A, "BtoA" the other way round.
        **options: Arguments of :class:`TwoDomains`.

    Raises:
        InputError: The domains do not fit each other, or an argument is out of range.
    """

    def __init__(
        self,
        train: Sequence[ImageData],
        test: Sequence[ImageData] | None,
        direction: Direction = "AtoB",
        **options: Any,
    ) -> None:
        if direction not in DIRECTIONS:
            raise InputError(f"direction must be AtoB or BtoA, got {direction!r}")
        super().__init__(train, test, paired=True, **options)
        self.direction = direction

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """Shape of one sample, an image of the domain that is made."""
        return self.shapes[self.direction == "AtoB"]

    @property
    def condition_channels(self) -> int:
        """Channels of an input."""
        return self.shapes[self.direction == "BtoA"][0]

    def batch(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Return targets and inputs."""
        return (b, a) if self.direction == "AtoB" else (a, b)


class Unpaired(TwoDomains):
    """Images of two domains without pairs, one of each side by side in a sample.

    Batches are (x, y): x holds an image of A on the left and one of B on the right, and y is a dict
    of both, ``a`` and ``b``, which a two-way generator translates.

    Args:
        train: The data of domain A and of domain B.
        test: The same for validation; None: the held-out images of ``train``.
        **options: Arguments of :class:`TwoDomains`.

    Raises:
        InputError: Images of both domains differ in shape, or an argument is out of range.
    """

    def __init__(
        self, train: Sequence[ImageData], test: Sequence[ImageData] | None, **options: Any
    ) -> None:
        super().__init__(train, test, paired=False, **options)
        a, b = self.shapes
        if a[0] != b[0]:
            raise InputError(
                f"images of both domains must have the same channels, got {a[0]} in A and {b[0]} "
                "in B: set channels to 1 or 3"
            )

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """Shape of one sample, which is two images wide."""
        channels, height, width = self.shapes[0]
        return channels, height, 2 * width

    def batch(self, a: Tensor, b: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return images of both domains side by side, and each by its name."""
        return torch.cat([a, b], dim=-1), {"a": a, "b": b}


class ImagePairs(Pairs):
    """Pairs of images in folders.

    In ``root`` are folders A and B, or trainA and trainB (with testA and testB), whose files have
    the same names but for their endings. Or images that hold a pair each, A on the left and B on
    the right: in ``root`` itself, or in its folder train (with test or val). Files are those that
    :class:`~lightning_gan.data.ImageFolder` reads, at their own depth and with all their channels.

    Args:
        root: The folder.
        direction: "AtoB" makes images of B out of those of A, "BtoA" the other way round.
        batch_size: Pairs in a batch, on each process.
        val_batch_size: The same for validation, of whose first batch pictures are drawn; None: as
            in training.
        image_size: Side in pixels to which images are resized, to a square; None keeps their size.
        crop: "center" resizes the shorter side and keeps the middle, None squashes. Images side
            by side are squashed.
        channels: 1 for gray, 3 for color, or None: as many as the files have.
        holdout: Fraction of the pairs held out for validation, where there is no folder for it.
        in_memory: Decode all images once and hold them; None: where they fit.
        num_workers: Processes that read files ahead, for each domain.
        jitter: Pixels by which images of training grow before they are cut back at random.
        mirror: Whether pairs of training are mirrored at random.
        a: Further arguments of ImageFolder for domain A, such as ``{"white": 4095}``.
        b: The same for domain B.
        seed: Of the order of training batches and of what is drawn.

    Raises:
        InputError: Folders or names do not fit, or an argument is out of range.
    """

    def __init__(
        self,
        root: str,
        direction: Direction = "AtoB",
        batch_size: int = 1,
        val_batch_size: int | None = None,
        image_size: int | None = None,
        crop: Literal["center"] | None = "center",
        channels: int | None = None,
        holdout: float = 0.1,
        in_memory: bool | None = None,
        num_workers: int = 0,
        jitter: int = 0,
        mirror: bool = False,
        a: dict[str, Any] | None = None,
        b: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        place = Path(root).expanduser()
        options: dict[str, Any] = {
            "batch_size": batch_size,
            "channels": channels,
            "holdout": holdout,
            "in_memory": in_memory,
            "num_workers": num_workers,
            "seed": seed,
        }
        names = _domains(place)
        size = None
        if names is None:
            if b:
                raise InputError("b is for folders of two domains; a is for images side by side")
            train, test = _side_by_side(place, options, a)
            size = None if image_size is None else (image_size, image_size)
        else:
            options |= {"image_size": image_size, "crop": crop}
            train, test = _folders(place, names, options, a, b)
            for data in (train, test or train):
                _check_names(data)
        super().__init__(
            train, test, direction, size=size, jitter=jitter, mirror=mirror,
            val_batch_size=val_batch_size, seed=seed,
        )  # fmt: skip


class UnpairedImages(Unpaired):
    """Images of two domains in folders, without pairs.

    In ``root`` are folders A and B, or trainA and trainB (with testA and testB). Files are those
    that :class:`~lightning_gan.data.ImageFolder` reads, at their own depth and with all their
    channels. An epoch ends with the larger domain; the smaller one begins again meanwhile.

    Args:
        root: The folder.
        batch_size: Images of each domain in a batch, on each process.
        val_batch_size: The same for validation, of whose first batch pictures are drawn; None: as
            in training.
        image_size: Side in pixels to which images are resized, to a square; None keeps their size.
        crop: "center" resizes the shorter side and keeps the middle, None squashes.
        channels: 1 for gray, 3 for color, or None: as many as the files have.
        holdout: Fraction of the images held out for validation, where there is no folder for it.
        in_memory: Decode all images once and hold them; None: where they fit.
        num_workers: Processes that read files ahead, for each domain.
        jitter: Pixels by which images of training grow before they are cut back at random.
        mirror: Whether images of training are mirrored at random.
        a: Further arguments of ImageFolder for domain A, such as ``{"white": 4095}``.
        b: The same for domain B.
        seed: Of the order of training batches and of what is drawn.

    Raises:
        InputError: Folders do not fit, images of both domains differ in shape, or an argument is
            out of range.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 1,
        val_batch_size: int | None = None,
        image_size: int | None = None,
        crop: Literal["center"] | None = "center",
        channels: int | None = None,
        holdout: float = 0.1,
        in_memory: bool | None = None,
        num_workers: int = 0,
        jitter: int = 0,
        mirror: bool = False,
        a: dict[str, Any] | None = None,
        b: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        place = Path(root).expanduser()
        names = _domains(place)
        if names is None:
            raise InputError(f"root {place} must hold {LAYOUTS}")
        options = {
            "batch_size": batch_size,
            "image_size": image_size,
            "crop": crop,
            "channels": channels,
            "holdout": holdout,
            "in_memory": in_memory,
            "num_workers": num_workers,
            "seed": seed,
        }
        train, test = _folders(place, names, options, a, b)
        super().__init__(
            train, test, jitter=jitter, mirror=mirror, val_batch_size=val_batch_size, seed=seed
        )


class EdgePairs(Pairs):
    """Handwritten digits and their edges, in pairs: domain A is edges, domain B digits.

    Args:
        source: "mnist", which is downloaded on first use, or "digits", which comes along.
        root: Folder that holds ``MNIST/raw``.
        download: Download MNIST where it is absent.
        direction: "AtoB" makes digits of edges, "BtoA" edges of digits.
        batch_size: Pairs in a batch, on each process.
        image_size: Side of the images.
        seed: Of the order of training batches.
    """

    def __init__(
        self,
        source: Source = "mnist",
        root: str = "data",
        download: bool = True,
        direction: Direction = "AtoB",
        batch_size: int = 16,
        image_size: int = 32,
        seed: int = 0,
    ) -> None:
        found = digits(source, root, download, image_size)
        train = [
            EdgeDigits(found, edges, batch_size=batch_size, seed=seed) for edges in (True, False)
        ]
        super().__init__(train, None, direction, seed=seed)


class EdgesUnpaired(Unpaired):
    """Edges of handwritten digits, and other digits: no digit is in both domains while training.

    Domain A holds the edges of every second training image, domain B the digits of the others.
    Held-out images are pairs, so that they can be compared.

    Args:
        source: "mnist", which is downloaded on first use, or "digits", which comes along.
        root: Folder that holds ``MNIST/raw``.
        download: Download MNIST where it is absent.
        batch_size: Images of each domain in a batch, on each process.
        image_size: Side of the images.
        seed: Of the order of training batches.
    """

    def __init__(
        self,
        source: Source = "mnist",
        root: str = "data",
        download: bool = True,
        batch_size: int = 16,
        image_size: int = 32,
        seed: int = 0,
    ) -> None:
        found = digits(source, root, download, image_size)
        train = [
            EdgeDigits(found, edges, place, batch_size=batch_size, seed=seed)
            for place, edges in enumerate((True, False))
        ]
        super().__init__(train, None, seed=seed)


def _domains(root: Path) -> tuple[str, str] | None:
    """Return the names of the folders of both domains; None where there are none.

    Raises:
        InputError: There is no root, or one of the two folders is missing.
    """
    if not root.is_dir():
        raise InputError(f"root {root} is no folder")
    for names in (("trainA", "trainB"), ("A", "B")):
        there = [name for name in names if (root / name).is_dir()]
        if len(there) == 1:
            missing = next(name for name in names if name not in there)
            raise InputError(f"root {root} has a folder {there[0]} and none {missing}: add it")
        if there:
            return names
    return None


def _folders(
    root: Path,
    names: tuple[str, str],
    options: Mapping[str, Any],
    a: Mapping[str, Any] | None,
    b: Mapping[str, Any] | None,
) -> tuple[list[ImageData], list[ImageData] | None]:
    """Return the data of both domains for training, and for testing where there are folders."""
    own = [_checked("a", a, options), _checked("b", b, options)]
    tests = [root / name.replace("train", "test") for name in names]
    separate = names[0] == "trainA" and all(test.is_dir() for test in tests)
    if separate:
        options = {**options, "holdout": 0.0}
    train: list[ImageData] = []
    for name, given in zip(names, own, strict=True):
        train.append(ImageFolder(str(root / name), labels=False, **{**options, **given}))
    if not separate:
        return train, None
    test: list[ImageData] = []
    for place, given, trained in zip(tests, own, train, strict=True):
        given = {**options, **given, "channels": trained.sample_shape[0]}
        test.append(ImageFolder(str(place), labels=False, **given))
    return train, test


def _side_by_side(
    root: Path, options: Mapping[str, Any], own: Mapping[str, Any] | None
) -> tuple[list[ImageData], list[ImageData] | None]:
    """Return the data of images that hold a pair each."""
    given = {**options, **_checked("a", own, options)}
    if not (root / "train").is_dir():
        return [ImageFolder(str(root), labels=False, **given)], None
    test = next((root / name for name in ("test", "val") if (root / name).is_dir()), None)
    if test is None:
        return [ImageFolder(str(root / "train"), labels=False, **given)], None
    given["holdout"] = 0.0
    train = ImageFolder(str(root / "train"), labels=False, **given)
    given["channels"] = train.sample_shape[0]
    return [train], [ImageFolder(str(test), labels=False, **given)]


def _checked(
    name: str, given: Mapping[str, Any] | None, options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the arguments of one domain's folder.

    Raises:
        InputError: Some are for both domains.
    """
    given = given or {}
    common = [key for key in given if key in options and key != "channels"]
    if common or "labels" in given:
        key = common[0] if common else "labels"
        raise InputError(f"{name}.{key} cannot differ between the domains: set {key}")
    return given


def _check_names(data: Sequence[ImageData]) -> None:
    """Refuse folders of which a file has no partner.

    Raises:
        InputError: One has none.
    """
    a, b = (
        [str(PurePosixPath(name).with_suffix("")) for name in folder.file_names]
        for folder in data
        if isinstance(folder, ImageFolder)
    )
    if a == b:
        return
    alone = sorted(set(a) ^ set(b))
    if alone:
        here, there = ("A", "B") if alone[0] in a else ("B", "A")
        raise InputError(
            f"{len(alone)} images have no partner of the same name: {alone[0]} is in {here} and "
            f"not in {there}"
        )
    twice = next(name for name in a + b if max(a.count(name), b.count(name)) > 1)
    raise InputError(f"two images of one domain are called {twice}: rename one")


def _check_sizes(shapes: Sequence[tuple[int, ...]]) -> None:
    """Refuse domains of different sizes.

    Raises:
        InputError: They have, or an image cannot be cut in two.
    """
    if len(shapes) == 1:
        if shapes[0][2] % 2:
            raise InputError(
                f"an image with a pair side by side has an even width, got {shapes[0][2]} pixels"
            )
        return
    (_, *a), (_, *b) = shapes
    if a != b:
        raise InputError(
            f"images of A have {a[1]}x{a[0]} pixels and those of B {b[1]}x{b[0]}: set image_size"
        )
