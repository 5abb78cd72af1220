"""Frozen weights that come from a file of their own: checkpoints name it and leave them out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from lightning_gan.components.part import Part
from lightning_gan.components.spec import printable
from lightning_gan.errors import InputError, StateError
from lightning_gan.files.fingerprint import fingerprint
from lightning_gan.game.torch_seams import with_versions_of


class Referencing(nn.Module):
    """A module of parts whose state leaves out frozen weights that come from somewhere else."""

    _referenced: Referenced

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return weights and states, without frozen weights that come from somewhere else."""
        state = super().state_dict(*args, **kwargs)
        prefix = kwargs.get("prefix", args[1] if len(args) > 1 else "")
        for name in self._referenced.names(self):
            state.pop(prefix + name, None)
        return state

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Take over what :meth:`state_dict` returned; what it leaves out stays as it is.

        Raises:
            StateError: It is that of other parts.
        """
        left_out = self._referenced.names(self)
        if left_out:
            own, given = super().state_dict(), state_dict
            state_dict = OrderedDict({**{name: own[name] for name in left_out}, **state_dict})
            state_dict = with_versions_of(state_dict, given)
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except RuntimeError as error:
            found = _difference(state_dict, super().state_dict(), strict) or printable(error)
            raise StateError(
                f"{found}; put together the parts that were there when it was saved"
            ) from error


def _difference(saved: Mapping[str, Any], own: Mapping[str, Any], strict: bool) -> str | None:
    """Return the first thing in which two states differ, in words."""
    shapes = [{k: getattr(v, "shape", None) for k, v in state.items()} for state in (saved, own)]
    there, here = shapes
    if strict and there.keys() - here.keys():
        name = next(name for name in there if name not in here)
        return f"the saved state holds {printable(name)}, and there is none now"
    if strict and here.keys() - there.keys():
        name = next(name for name in here if name not in there)
        return f"the saved state holds no {name}, and there is one now"
    for name in there:
        if name in here and there[name] != here[name]:
            was, now = (tuple(shape or ()) for shape in (there[name], here[name]))
            return f"{name} has shape {was} in the saved state, and {now} now"
    return None


class Referenced:
    """The parts whose frozen weights are saved by reference.

    Args:
        parts: All parts, by name.
    """

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = {name: part for name, part in parts.items() if part.weights_from}
        self._fingerprints: dict[str, str] = {}

    def names(self, root: nn.Module) -> list[str]:
        """Return the names, below ``root``, of the parameters that are left out."""
        if not self._parts:
            return []
        left_out = {
            id(parameter)
            for part in self._parts.values()
            for parameter in part.parameters()
            if not parameter.requires_grad
        }
        named = root.named_parameters(remove_duplicate=False)
        return [name for name, parameter in named if id(parameter) in left_out]

    def describe(self) -> dict[str, dict[str, str]]:
        """Return where they come from, and a fingerprint of them, by part."""
        return {
            name: {"from": str(part.weights_from), "sha256": self._fingerprint(name, part)}
            for name, part in self._parts.items()
        }

    def check(self, saved: Mapping[str, Any]) -> None:
        """Check that the weights are those that were there when a file was written.

        Raises:
            InputError: They are others.
        """
        for name, part in self._parts.items():
            then = saved.get(name)
            if then is not None and then["sha256"] != self._fingerprint(name, part):
                raise InputError(
                    f"{name} ({type(part).__name__}) was saved with weights from {then['from']}, "
                    f"and those from {part.weights_from} are others: give it the same file"
                )

    def _fingerprint(self, name: str, part: Part) -> str:
        if name not in self._fingerprints:
            parts: list[Tensor | str] = []
            for key, parameter in part.named_parameters():
                parts += [] if parameter.requires_grad else [key, parameter]
            self._fingerprints[name] = fingerprint(*parts)
        return self._fingerprints[name]
