"""How much memory is taken to be there, and what happens where it does not suffice."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gan.data import ArrayImages, Digits, ImageFolder, RandomImages, memory
from lightning_gan.errors import InputError

resource = pytest.importorskip("resource")
GB = 10**9
HOST = {"proc/meminfo": "MemTotal: 99 kB\nMemAvailable: 64000000 kB\n"}
HOST_LEFT = 64_000_000 * 1024


def left(limit, used):
    """All but an eighth, which stays for everything else."""
    return limit - used - (limit - used) // 8


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Writes the files in which Linux tells, and returns what is available then."""
    monkeypatch.setattr(memory, "ROOT", tmp_path)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY,) * 2)

    def available(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return memory.available_memory()

    return available


def v2(path, limit, used, cache=0, high="max"):
    folder = "sys/fs/cgroup" + path.rstrip("/")
    return {
        f"{folder}/memory.max": f"{limit}\n",
        f"{folder}/memory.high": f"{high}\n",
        f"{folder}/memory.current": f"{used}\n",
        f"{folder}/memory.stat": f"anon 5\ninactive_file {cache}\n",
    }


def v1(path, limit, used, cache=0):
    folder = "sys/fs/cgroup/memory" + path.rstrip("/")
    return {
        f"{folder}/memory.limit_in_bytes": f"{limit}\n",
        f"{folder}/memory.usage_in_bytes": f"{used}\n",
        f"{folder}/memory.stat": f"inactive_file 1\ntotal_inactive_file {cache}\n",
    }


OF_V2 = {"proc/self/cgroup": "0::/user/job\n"}
OF_V1 = {"proc/self/cgroup": "9:pids:/\n4:cpu,memory:/docker/abc\n0::/\n"}
NO_LIMIT = 9223372036854771712


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, HOST_LEFT),
        (OF_V2 | v2("/user/job", "max", GB), HOST_LEFT),
        (OF_V2 | v2("/user/job", 2 * GB, GB // 2), left(2 * GB, GB // 2)),
        (OF_V2 | v2("/user/job", 2 * GB, GB, GB // 2), left(2 * GB, GB // 2)),
        (OF_V2 | v2("/user/job", 2 * GB, 0, high=GB), left(GB, 0)),
        (OF_V2 | v2("/user/job", "max", 7) | v2("/user", 3 * GB, GB), left(3 * GB, GB)),
        (OF_V2 | v2("/", 3 * GB, GB), left(3 * GB, GB)),  # inside a container: its root
        ({"proc/self/cgroup": "0::/../other\n"} | v2("/", 3 * GB, GB), left(3 * GB, GB)),
        (OF_V2 | v2("/user/job", GB, 2 * GB), 0),
        (OF_V1 | v1("/docker/abc", 2 * GB, GB), left(2 * GB, GB)),
        (OF_V1 | v1("/docker/abc", 2 * GB, GB, GB // 2), left(2 * GB, GB // 2)),
        (OF_V1 | v1("/docker/abc", NO_LIMIT, GB), HOST_LEFT),
        (OF_V1 | v1("/", 2 * GB, GB), left(2 * GB, GB)),
        (OF_V1 | v1("/docker/abc", NO_LIMIT, 0) | v1("/docker", 2 * GB, 0), left(2 * GB, 0)),
        ({"proc/self/cgroup": "damaged\n\n0:\n"}, HOST_LEFT),
        (OF_V2 | {"sys/fs/cgroup/memory.max": "nonsense"}, HOST_LEFT),
    ],
)  # fmt: skip
def test_the_smallest_limit_of_machine_and_groups_counts(system, files, expected):
    assert system(HOST | files) == expected


def test_the_machine_counts_where_groups_have_more(system):
    little = {"proc/meminfo": "MemAvailable: 1000 kB\n"}
    assert system(little | OF_V2 | v2("/user/job", 2 * GB, 0)) == 1_024_000


@pytest.mark.parametrize(("kind", "place"), [("RLIMIT_AS", 0), ("RLIMIT_DATA", 5)])
def test_limits_of_the_process_count(system, monkeypatch, kind, place):
    limits = {getattr(resource, kind): 2 * GB}
    monkeypatch.setattr(resource, "getrlimit", lambda one: (limits.get(one, -1), -1))
    pages = ["0"] * 7
    pages[place] = "1000"
    used = 1000 * resource.getpagesize()
    assert system(HOST | {"proc/self/statm": " ".join(pages)}) == left(2 * GB, used)


def test_images_of_a_small_group_are_read_from_their_file(system, tmp_path):
    system(HOST | OF_V2 | v2("/user/job", 3000, 0))
    root = tmp_path / "set"
    root.mkdir()
    np.save(root / "images.npy", np.zeros((40, 1, 8, 8), np.uint8))
    assert not ArrayImages(str(root), batch_size=4).from_files
    np.save(root / "images.npy", np.zeros((42, 1, 8, 8), np.uint8))
    assert ArrayImages(str(root), batch_size=4).from_files


LIMITED = """
import json, resource, sys
import torch
from lightning_gan.data import ArrayImages, base

used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 150_000_000,) * 2)

def result(**options):
    try:
        data = ArrayImages(sys.argv[1], batch_size=2, **options)
        data.setup()
        return [data.from_files, list(next(iter(data.train_dataloader())).shape)]
    except Exception as error:
        return [type(error).__name__, str(error)]

results = [result()]
base.available_memory = lambda: None  # a limit that nothing tells of, found in allocating
print(json.dumps([*results, result(), result(in_memory=True)]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are Linux's")
def test_a_limit_of_the_address_space_ends_no_run(tmp_path):
    with (tmp_path / "images.npy").open("wb") as file:  # 400 MB of nothing
        header = {"descr": "|u1", "fortran_order": False, "shape": (400, 1, 1000, 1000)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 400_000_000)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        [True, [2, 1, 1000, 1000]],
        [True, [2, 1, 1000, 1000]],
        [
            "InputError",
            "memory for the images could not be allocated: set image_size to a smaller size",
        ],
    ]


class Failing:
    """Fails to allocate for some images; small ones, such as batches, are made."""

    def __init__(self, error):
        self.error, self.whole = error, torch.empty

    def __call__(self, shape, *words, **options):
        if isinstance(shape, tuple) and shape[:1] >= (10,):
            raise self.error
        return self.whole(shape, *words, **options)


FAILURES = [
    MemoryError(),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: error 12"),
    RuntimeError("can't start new thread"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=["python", "torch", "thread"])
def test_a_folder_whose_memory_cannot_be_allocated(tmp_path, monkeypatch, failure):
    for number in range(14):
        Image.new("L", (4, 4), number).save(tmp_path / f"{number:02}.png")
    data = ImageFolder(str(tmp_path), batch_size=4)
    monkeypatch.setattr(torch, "empty", Failing(failure))
    said = (
        "memory for 14 images could not be allocated: they are read from their files in every "
        "epoch, which more num_workers (now 0) make faster"
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(said)}$"):
        data.setup()
    assert data.from_files
    seen = torch.cat(list(data.train_dataloader()))
    assert len(seen[:, 0, 0, 0].unique()) == len(seen) == 12


def test_an_image_too_large_to_decode(tmp_path, monkeypatch):
    for number in range(14):
        Image.new("L", (4, 4), number).save(tmp_path / f"{number:02}.png")

    def fail(data, window=None):
        raise MemoryError

    monkeypatch.setattr("lightning_gan.data.image_files.read_pixels", fail)
    data = ImageFolder(str(tmp_path), batch_size=4, holdout=0)
    with pytest.warns(UserWarning, match="read from their files"):
        data.setup()  # where there may be room for one at a time
    with pytest.raises(InputError) as caught:
        list(data.val_dataloader())
    assert str(caught.value) == (
        f"the image 00.png in {tmp_path} takes more memory than there is: leave it out, or make it "
        "smaller"
    )


def test_images_that_come_from_nowhere_else_cannot_leave_memory(monkeypatch):
    def fail(self, split):
        raise MemoryError

    monkeypatch.setattr(RandomImages, "load", fail)
    with pytest.raises(InputError, match="memory for the images could not be allocated: set im"):
        RandomImages().setup()


def test_other_errors_stay_what_they_are(monkeypatch):
    def load(self, split):
        raise RuntimeError("something else")

    monkeypatch.setattr(Digits, "load", load)
    with pytest.raises(RuntimeError, match="^something else$"):
        Digits().setup()
