"""Low-rank adapters of linear layers (LoRA, Hu et al., 2021), in files as PEFT's.

An adapted layer computes `base(x) + alpha / rank * x @ A @ B`. B is initialized with
zeros, so that a new adapter changes nothing.
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
    """A frozen linear layer with an int8 kernel, and a float32 scale for each output.

    Args:
      layer: the layer, whose kernel is replaced.
      axes: the axes of the input that the kernel sums over.
    """

    def __init__(self, layer: nnx.Linear | nnx.LinearGeneral, axes: tuple[int, ...]):
        self.layer, self.axes, self.ins = layer, axes, tuple(range(len(axes)))
        self.plain_dtype = layer.kernel.dtype
        kernel = layer.kernel[...].astype(jnp.float32)
        largest = jnp.abs(kernel).max(self.ins)
        scale = jnp.where(largest > 0, largest / 127, 1)
        self.kernel_scale = nnx.Variable(scale)
        quantized: Any = nnx.Variable(jnp.round(kernel / scale).astype(jnp.int8))
        layer.kernel = quantized

    @property
    def kernel(self) -> nnx.Variable[jax.Array]:
        return self.layer.kernel

    def __call__(self, x: jax.Array) -> jax.Array:
        dtype = self.layer.dtype or x.dtype
        kernel, axes = self.kernel[...].astype(dtype), (self.axes, self.ins)
        y = jnp.tensordot(x.astype(dtype), kernel, axes)
        y *= self.kernel_scale[...].astype(dtype)
        bias = self.layer.bias
        return y if bias is None else y + bias[...].astype(dtype)

    def plain(self) -> nnx.Linear | nnx.LinearGeneral:
        """The layer with a kernel of its former dtype."""
        kernel = self.kernel[...] * self.kernel_scale[...]
        self.layer.kernel = nnx.Param(kernel.astype(self.plain_dtype))
        return self.layer


class LoRA(nnx.Module):
    """A linear layer with an adapter: `base(x) + alpha / rank * x @ A @ B`.

    A is initialized as by `nn.Linear` of PyTorch, as PEFT does; B with zeros.
    """

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
        """The linear layer, with the adapter added to its kernel."""
        layer = self.base.plain() if isinstance(self.base, Int8) else self.base
        kernel = layer.kernel
        delta = jnp.tensordot(self.lora_a[...], self.lora_b[...], 1)
        kernel[...] = (kernel[...] + self.scale * delta).astype(kernel.dtype)
        return layer


def adapters_of(model: nnx.Module) -> list[tuple[tuple[Any, ...], LoRA]]:
    """The adapters of a model, and their paths."""
    modules = nnx.iter_modules(model)
    return [(path, layer) for path, layer in modules if isinstance(layer, LoRA)]


def replace_layer(model: Any, path: tuple[Any, ...], layer: nnx.Module) -> None:
    """Replace the layer at a path."""
    for key in path[:-1]:
        model = model[key] if isinstance(key, int) else getattr(model, key)
    if isinstance(path[-1], int):
        model[path[-1]] = layer
    else:
        setattr(model, path[-1], layer)


def adapt(
    model: Any, names: tuple[str, ...], rank: int, alpha: float, seed: int, int8: bool
) -> Any:
    """Add adapters to the linear layers of a model, in place; those that have one keep
    it.

    Args:
      model: the model.
      names: the layers' paths, without positions in lists.
      rank: of the adapters.
      alpha: the adapters' outputs are scaled by `alpha / rank`.
      seed: of their initial values.
      int8: whether the kernels of adapted layers are quantized.

    Returns:
      The model.
    """
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
            replace_layer(model, path, adapter)
    return model


def merge_adapters(model: Any) -> Any:
    """A copy of a model with its adapters merged into the kernels."""
    plain = nnx.clone(model)
    for path, layer in adapters_of(plain):
        replace_layer(plain, path, layer.merged())
    return plain


# By the path of a kernel: the name of its tensor, and the order of its axes there.
Names = dict[tuple[Any, ...], tuple[str, list[int] | None]]


class AdapterMatrix(NamedTuple):
    """A or B of an adapter as PEFT stores it, as a matrix."""

    name: str
    weight: nnx.LoRAParam[Any]
    order: tuple[int, ...]  # of the weight's axes in the rows and columns
    transposed: bool  # A is stored as (rank, in)

    def pack(self) -> np.ndarray:
        """The matrix."""
        part = np.asarray(self.weight[...], np.float32).transpose(self.order)
        matrix = part.reshape(-1, part.shape[-1])
        return np.ascontiguousarray(matrix.T if self.transposed else matrix)

    def unpack(self, tensor: np.ndarray) -> jax.Array:
        """The weight from a matrix; a ValueError if its shape or dtype is another."""
        shape = [self.weight.shape[axis] for axis in self.order]
        part = tensor.T if self.transposed else tensor
        if part.shape != (math.prod(shape[:-1]), shape[-1]):
            raise ValueError(f"{self.name} is {tensor.shape}, which does not fit")
        if not jnp.issubdtype(tensor.dtype, jnp.floating):
            raise ValueError(f"{self.name} is of dtype {tensor.dtype}, a weight is not")
        part = part.reshape(shape).transpose(np.argsort(self.order))
        return jnp.asarray(part, self.weight.dtype)


class StoredAdapter(NamedTuple):
    """The name of an adapted layer in a file, and the matrices of its adapter."""

    name: str
    matrices: tuple[AdapterMatrix, AdapterMatrix]


def stored_adapters(model: nnx.Module, names: Names) -> Iterator[StoredAdapter]:
    """The adapters of a model as files have them.

    Raises:
      ValueError: if an adapted kernel shares its tensor with other weights.
    """
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
        yield StoredAdapter(name, (a, b))


def target_modules(adapted: list[str], names: Names) -> list[str]:
    """How PEFT finds the adapted layers: by the last parts of their names, or by the
    whole names if other layers have the same last parts."""
    last = {name.split(".")[-1] for name in adapted}
    others = {name.split(".")[-1] for name, _ in names.values() if name not in adapted}
    ambiguous = last & others or any(name.isdigit() for name in last)
    return sorted(adapted if ambiguous else last)


def kernel_names(model: nnx.Module, table: tuple[Stored, ...]) -> Names:
    """The names of those kernels that have a tensor of their own in checkpoints."""
    plain = nnx.eval_shape(lambda: merge_adapters(model))
    names: Names = {}
    for row in resolve_rows(plain, flat_state(plain), table):
        if len(row.paths) == len(row.names) == len(row.names[0]) == 1:
            order = row.row.order(len(row.shapes[0]))
            names[row.paths[0]] = row.names[0][0].removesuffix(".weight"), order
    return names


def own_names(model: nnx.Module) -> Names:
    """The paths of kernels, which name those of a model without checkpoints."""
    paths = (path for path, _ in nnx.iter_modules(model))
    return {(*path, "kernel"): (".".join(map(str, path)), None) for path in paths}


def write_adapters(
    model: nnx.Module, path: str | Path, names: Names, settings: dict[str, Any]
) -> None:
    """Write the adapters of a model to a folder, as PEFT does.

    Args:
      model: the model.
      path: the folder, which gets `adapter_model.safetensors`, with A as (rank, in) and
        B as (out, rank), and `adapter_config.json`.
      names: the names of kernels.
      settings: the content of `adapter_config.json`, without `target_modules`.
    """
    from safetensors.numpy import save

    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    adapters = list(stored_adapters(model, names))
    tensors = {m.name: m.pack() for adapter in adapters for m in adapter.matrices}
    modules = target_modules([adapter.name for adapter in adapters], names)
    text = json.dumps({**settings, "target_modules": modules}, indent=2)
    packed = save(tensors, {"format": "pt"})
    write_atomically(path / "adapter_model.safetensors", [packed])
    write_atomically(path / "adapter_config.json", [text.encode()])


def read_adapters(
    model: nnx.Module, path: str | Path, names: Names, settings: dict[str, Any]
) -> list[jax.Array]:
    """Read the adapters of a model from a folder that PEFT wrote.

    Args:
      model: the model, with adapters.
      path: the folder.
      names: the names of kernels.
      settings: what `adapter_config.json` has to say, as far as it says it.

    Returns:
      A and B of each adapter.

    Raises:
      ValueError: listing all that does not fit.
    """
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
    adapters = stored_adapters(model, names)
    for matrix in (m for adapter in adapters for m in adapter.matrices):
        if matrix.name not in tensors:
            problems.append(f"{matrix.name} is missing")
            continue
        try:
            values.append(matrix.unpack(tensors.pop(matrix.name)))
        except ValueError as error:
            problems.append(str(error))
    problems += [f"{name} is used by nothing" for name in tensors]
    raise_problems(f"{path} does not fit:", problems)
    return values
