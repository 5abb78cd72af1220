"""The processes of one run: which strategy holds them together, and how they leave together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from subprocess import Popen
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.strategies import StrategyRegistry

from lightning_gan.cli.quiet import silent
from lightning_gan.errors import InputError

# What launchers set; of several processes one has 0 in all of them.
# What clusters set that tell Lightning where machines meet.
MANAGERS = ("SLURM_NTASKS", "LSB_JOBID", "OMPI_COMM_WORLD_SIZE", "KUBERNETES_PORT")
RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")


def strategy(trainer: Mapping[str, Any]) -> Any:
    """Return the strategy; "auto" on several devices is the one made for two players."""
    if trainer["strategy"] != "auto" or (
        trainer["devices"] in (1, "1") and trainer["num_nodes"] == 1
    ):
        return trainer["strategy"]
    options: dict[str, Any] = {
        **{key: trainer[key] for key in ("accelerator", "devices", "num_nodes")},
        **dict.fromkeys(("logger", "enable_progress_bar", "enable_checkpointing"), False),
    }
    with silent("pytorch_lightning.utilities.rank_zero"):  # which lists the devices, twice then
        probe = Trainer(**options)
    return "gan_ddp" if probe.world_size > 1 else "auto"


def is_first_process() -> bool:
    """Whether this process speaks for the run, as far as the environment tells before it starts."""
    return all(os.environ.get(name, "0") in ("", "0") for name in RANKS)


def check_machines(trainer: Mapping[str, Any]) -> None:
    """Refuse a run over machines that cannot meet, and say what others wait for.

    Raises:
        InputError: Nothing says where they meet.
    """
    nodes = trainer.get("num_nodes")
    if not isinstance(nodes, int) or nodes < 2 or trainer.get("plugins"):
        return
    address = os.environ.get("MASTER_ADDR")
    if address is None and not any(name in os.environ for name in MANAGERS):
        raise InputError(
            f"trainer.num_nodes: got {nodes}, and nothing says where the machines meet; start the "
            "command with torchrun, or with MASTER_ADDR, MASTER_PORT and NODE_RANK on each of them"
        )
    if is_first_process():
        where = f" at {address}:{os.environ.get('MASTER_PORT', '')}" if address else ""
        others = "1 other machine" if nodes == 2 else f"{nodes - 1} other machines"
        print(f"waiting for {others}{where}", flush=True)


def release(trainer: Trainer) -> list[Popen[bytes]]:
    """Return the processes that Lightning has started, which it does not watch any longer.

    It kills all when one leaves with an error, this one in the middle of its last words included.
    """
    watched: list[Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
    released = list(watched)
    watched.clear()
    return released


@contextmanager
def ended_together(trainer: Trainer) -> Iterator[None]:
    """End the processes that Lightning has started when this one, which speaks for them, fails."""
    try:
        yield
    except BaseException:
        for process in release(trainer):
            process.kill()
        raise


def leave(trainer: Trainer, code: int) -> int:
    """Return the exit code when all processes of the run are ready to leave with theirs."""
    release(trainer)
    trainer.strategy.barrier()  # torchrun ends the others when one leaves with an error
    return code


def check_precision(precision: Any) -> None:
    """Refuse float16 as it was asked for: on a CPU, Lightning puts bfloat16 in its place.

    Raises:
        InputError: It was.
    """
    if str(precision) in ("16", "16-mixed", "16-true"):
        raise InputError(
            f"trainer.precision={precision} needs one loss scale for each of two players, which "
            "Lightning cannot give; use trainer.precision=bf16-mixed"
        )


def check_strategy(name: Any) -> None:
    """Refuse strategies by name while there is one process; others are looked at when they start.

    Raises:
        InputError: Two players cannot be trained with it.
    """
    if not isinstance(name, str) or name not in StrategyRegistry:
        return
    plain = name.startswith("ddp") and not name.endswith("find_unused_parameters_true")
    if plain or name.startswith(("fsdp", "deepspeed")):
        raise InputError(
            f"trainer.strategy={name} cannot train two players that take turns; "
            "use trainer.strategy=gan_ddp"
        )
