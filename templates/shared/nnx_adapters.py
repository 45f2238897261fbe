"""Low-rank adapters (LoRA, Hu et al., 2021) in place of linear layers, read and written
as PEFT does.

y = base(x) + alpha / rank x A B, where B starts as zeros, so that a new adapter changes
nothing.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from nnx_checkpoints import (
    Stored,
    flat_state,
    raise_problems,
    read_json,
    resolve_rows,
    write_atomically,
)


class Int8(nnx.Module):
    """A linear layer that does not train: its kernel as int8, a step for each
    output."""

    def __init__(self, layer: nnx.Linear | nnx.LinearGeneral, axes: tuple[int, ...]):
        self.layer, self.axes, self.ins = layer, axes, tuple(range(len(axes)))
        self.plain_dtype = layer.kernel.dtype
        kernel = layer.kernel[...].astype(jnp.float32)
        most = jnp.abs(kernel).max(self.ins)
        steps = jnp.where(most > 0, most / 127, 1)
        self.steps = nnx.Variable(steps)
        rounded: Any = nnx.Variable(jnp.round(kernel / steps).astype(jnp.int8))
        layer.kernel = rounded

    @property
    def kernel(self) -> nnx.Variable[jax.Array]:
        return self.layer.kernel

    def __call__(self, x: jax.Array) -> jax.Array:
        dtype = self.layer.dtype or x.dtype
        kernel, axes = self.kernel[...].astype(dtype), (self.axes, self.ins)
        y = jnp.tensordot(x.astype(dtype), kernel, axes) * self.steps[...].astype(dtype)
        bias = self.layer.bias
        return y if bias is None else y + bias[...].astype(dtype)

    def plain(self) -> nnx.Linear | nnx.LinearGeneral:
        """The layer with a kernel of its own dtype again."""
        kernel = self.kernel[...] * self.steps[...]
        self.layer.kernel = nnx.Param(kernel.astype(self.plain_dtype))
        return self.layer


class LoRA(nnx.Module):
    """A linear layer and its adapter: base(x) + scale x A B, where B starts at 0."""

    def __init__(
        self,
        base: nnx.Linear | nnx.LinearGeneral,
        rank: int,
        alpha: float,
        *,
        rngs: nnx.Rngs,
    ):
        self.base: nnx.Linear | nnx.LinearGeneral | Int8 = base
        self.scale = alpha / rank
        self.axes = base.axis if isinstance(base, nnx.LinearGeneral) else (-1,)
        ins = tuple(range(len(self.axes)))
        shape = base.kernel.shape
        init = nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform", ins)
        a = init(rngs.params(), (*shape[: len(ins)], rank), jnp.float32)
        self.lora_a = nnx.LoRAParam(a)
        self.lora_b = nnx.LoRAParam(jnp.zeros((rank, *shape[len(ins) :])))

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.base(x)
        a, b = (w[...].astype(y.dtype) for w in (self.lora_a, self.lora_b))
        axes = self.axes, tuple(range(len(self.axes)))
        low = jnp.tensordot(x.astype(y.dtype), a, axes)
        return y + self.scale * jnp.tensordot(low, b, 1)

    def merged(self) -> nnx.Module:
        """The layer that was adapted, with the adapter in its kernel."""
        layer = self.base.plain() if isinstance(self.base, Int8) else self.base
        kernel = layer.kernel
        change = jnp.tensordot(self.lora_a[...], self.lora_b[...], 1)
        kernel[...] = (kernel[...] + self.scale * change).astype(kernel.dtype)
        return layer


def adapters_of(model: nnx.Module) -> list[tuple[tuple[Any, ...], LoRA]]:
    """The adapters of a model, and where they are."""
    modules = nnx.iter_modules(model)
    return [(path, layer) for path, layer in modules if isinstance(layer, LoRA)]


def put_layer(model: Any, path: tuple[Any, ...], layer: nnx.Module) -> None:
    """Put a layer in the place of another."""
    for key in path[:-1]:
        model = model[key] if isinstance(key, int) else getattr(model, key)
    if isinstance(path[-1], int):
        model[path[-1]] = layer
    else:
        setattr(model, path[-1], layer)


def adapt(
    model: Any, names: tuple[str, ...], rank: int, alpha: float, seed: int, int8: bool
) -> Any:
    """Give the layers of these names an adapter where they have none."""
    rngs = nnx.Rngs(seed)
    old = [path for path, _ in adapters_of(model)]
    for path, layer in list(nnx.iter_modules(model)):
        name = ".".join(key for key in path if isinstance(key, str))
        if not isinstance(layer, nnx.Linear | nnx.LinearGeneral):
            continue
        if name in names and path not in old:
            adapter = LoRA(layer, rank, alpha, rngs=rngs)
            if int8:
                adapter.base = Int8(layer, adapter.axes)
            put_layer(model, path, adapter)
    return model


def merge_adapters(model: Any) -> Any:
    """A plain model that computes the same; the adapted one stays as it is."""
    plain = nnx.clone(model)
    for path, layer in adapters_of(plain):
        put_layer(plain, path, layer.merged())
    return plain


Names = dict[tuple[Any, ...], tuple[str, list[int] | None]]


class AdapterMatrix(NamedTuple):
    """A or B of an adapter as PEFT has it: a matrix, of weights in another order."""

    name: str
    weight: nnx.LoRAParam[Any]
    order: tuple[int, ...]
    flips: bool  # A is (rank, in)

    def pack(self) -> np.ndarray:
        """The matrix."""
        part = np.asarray(self.weight[...], np.float32).transpose(self.order)
        matrix = part.reshape(-1, part.shape[-1])
        return np.ascontiguousarray(matrix.T if self.flips else matrix)

    def unpack(self, tensor: np.ndarray) -> jax.Array:
        """The weights of a matrix; a ValueError where it is another."""
        shape = [self.weight.shape[axis] for axis in self.order]
        part = tensor.T if self.flips else tensor
        if part.shape != (math.prod(shape[:-1]), shape[-1]):
            raise ValueError(f"{self.name} is {tensor.shape}, which does not fit")
        if not jnp.issubdtype(tensor.dtype, jnp.floating):
            raise ValueError(f"{self.name} is of dtype {tensor.dtype}, a weight is not")
        part = part.reshape(shape).transpose(np.argsort(self.order))
        return jnp.asarray(part, self.weight.dtype)


class Adapted(NamedTuple):
    """An adapter, and the name of what it adapts."""

    name: str
    parts: tuple[AdapterMatrix, AdapterMatrix]


def adapted(model: nnx.Module, names: Names) -> Iterator[Adapted]:
    """The adapters of a model, each named as what it adapts."""
    for path, layer in adapters_of(model):
        if (*path, "kernel") not in names:
            here = ".".join(map(str, path))
            raise ValueError(f"{here} shares a tensor: merge the adapters instead")
        name, order = names[*path, "kernel"]
        order = order or list(range(layer.base.kernel.ndim))
        count = len(layer.axes)
        ins = tuple(a for a in order if a < count)
        outs = tuple(a - count + 1 for a in order if a >= count)
        stem = f"base_model.model.{name}.lora_"
        a = AdapterMatrix(f"{stem}A.weight", layer.lora_a, (*ins, count), True)
        b = AdapterMatrix(f"{stem}B.weight", layer.lora_b, (*outs, 0), False)
        yield Adapted(name, (a, b))


def targets(mine: list[str], names: Names) -> list[str]:
    """What PEFT finds these layers by: their last names, where no other has them."""
    last = {name.split(".")[-1] for name in mine}
    others = {name.split(".")[-1] for name, _ in names.values() if name not in mine}
    shared = last & others or any(name.isdigit() for name in last)
    return sorted(mine if shared else last)


def kernel_names(model: nnx.Module, table: tuple[Stored, ...]) -> Names:
    """The tensors that hold one weight each, with the order of its axes there."""
    plain = nnx.eval_shape(lambda: merge_adapters(model))
    names: Names = {}
    for row in resolve_rows(plain, flat_state(plain), table):
        if len(row.paths) == len(row.names) == len(row.names[0]) == 1:
            order = row.row.order(len(row.shapes[0]))
            names[row.paths[0]] = row.names[0][0].removesuffix(".weight"), order
    return names


def own_names(model: nnx.Module) -> Names:
    """The kernels of layers, named as the model has them."""
    paths = (path for path, _ in nnx.iter_modules(model))
    return {(*path, "kernel"): (".".join(map(str, path)), None) for path in paths}


def write_adapters(
    model: nnx.Module, path: str | Path, names: Names, settings: dict[str, Any]
) -> None:
    """Write adapters as PEFT does: A as (rank, in), B as (out, rank)."""
    from safetensors.numpy import save

    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    found = list(adapted(model, names))
    tensors = {part.name: part.pack() for one in found for part in one.parts}
    modules = targets([one.name for one in found], names)
    text = json.dumps({**settings, "target_modules": modules}, indent=2)
    packed = save(tensors, {"format": "pt"})
    write_atomically(path / "adapter_model.safetensors", [packed])
    write_atomically(path / "adapter_config.json", [text.encode()])


def read_adapters(
    model: nnx.Module, path: str | Path, names: Names, settings: dict[str, Any]
) -> list[jax.Array]:
    """What PEFT wrote for A and B of each adapter; what does not fit is one error."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(path)
    config = read_json(path / "adapter_config.json")
    wrong = {k: config.get(k, v) for k, v in settings.items() if config.get(k, v) != v}
    problems = [f"{k} is {v!r}, not {settings[k]!r}" for k, v in wrong.items()]
    try:
        tensors = load_file(path / "adapter_model.safetensors")
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    values = []
    for part in (part for one in adapted(model, names) for part in one.parts):
        if part.name not in tensors:
            problems.append(f"{part.name} is missing")
            continue
        try:
            values.append(part.unpack(tensors.pop(part.name)))
        except ValueError as error:
            problems.append(str(error))
    problems += [f"{name} is used by nothing" for name in tensors]
    raise_problems(f"{path} does not fit:", problems)
    return values
