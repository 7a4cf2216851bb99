"""Parts of a stored network, which may be anybody's: its config, its tensors, and whether they fit each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vqspeech.errors import InputError, decoding
from vqspeech.yaml_text import read_yaml

#: Numbers in a network, at most (4 GB in float32): more is a damaged or a hostile config.
_LARGEST = 1 << 30

Config = TypeVar("Config", bound=msgspec.Struct)
Network = TypeVar("Network", bound=nn.Module)


def read_config(path: Path, kind: type[Config]) -> Config:
    """Read the config of a stored network.

    Raises:
        InputError: it is no such config; names the key.
    """
    tree = read_yaml(path)
    with decoding("not the config of a model", where=path, hint="take it from the backup"):
        return msgspec.convert(tree, kind)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        InputError: it is damaged, or holds a number that is not finite.
    """
    with decoding("damaged", where=path, hint="take it from the backup"):
        tensors = load_file(path)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise InputError(f"{name[:80]} holds NaN or infinite numbers", where=path, hint="take it from the backup")
    return tensors


class _Undrawn(TorchFunctionMode):
    """Leaves random first weights undrawn: on the meta device, drawing imports torch's compiler, for a second."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call ``func``, unless it fills a tensor with random numbers."""
        given = kwargs or {}
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        if func is torch.randn:
            return torch.empty(*args, **given)
        # torch.nn.init announces each of its functions here, and then calls the two above.
        if getattr(func, "__module__", None) == "torch.nn.init" and func.__name__ in ("normal_", "uniform_"):
            return given.get("tensor", args[0] if args else None)
        return func(*args, **given)


def build(make: Callable[[], Network], *, where: Path | str) -> Network:
    """Make a network of a config, unless it would fill the memory.

    Args:
        make: makes it.
        where: the config, for the message.

    Raises:
        InputError: it would be too large, or no network can be of such sizes.
    """
    hint = "correct its sizes"
    with decoding("no network can be of these sizes", where=where, hint=hint):
        with torch.device("meta"), _Undrawn():  # shapes alone, without memory
            size = sum(tensor.numel() for tensor in make().state_dict().values())
        if size > _LARGEST:
            raise InputError(f"a network of {size:,} numbers", where=where, hint=hint)
        return make()


def fill(network: nn.Module, tensors: Mapping[str, Tensor], *, where: Path) -> None:
    """Give a network its stored tensors.

    Raises:
        InputError: they do not fit.
    """
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        problem = str(error).splitlines()[1] if "\n" in str(error) else str(error)
        raise InputError(f"does not fit config.yaml: {problem}", where=where, hint="copy the whole folder") from None
