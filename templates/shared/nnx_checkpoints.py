"""Load and save published checkpoints: safetensors files whose names and layouts are
those of other libraries.

A table of `Stored` rows maps tensors to the variables of a model. Checkpoints are read
and written one tensor at a time; what does not fit is reported in one error, and
nothing is loaded.
"""

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain
from pathlib import Path
from secrets import token_hex
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


def numbered(name: str, positions: tuple[int, ...]) -> str:
    """A name with `{0}` and `{1+1}` filled in."""
    return re.sub(
        r"\{(\d+)\+?(\d*)\}", lambda m: str(positions[int(m[1])] + int(m[2] or 0)), name
    )


Joined = Literal["", "split", "interleave", "concat", "sum"]
# Names of tensors, from the model and positions in lists of layers.
Computed = (
    Callable[[Any], str]
    | Callable[[Any, int], str]
    | Callable[[Any, int, int], str]
    | Callable[[Any, int, int, int], str]
    | Callable[[Any, int, int, int, int], str]
)


# The variables of layers, and what PyTorch calls them.
LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "scale": "weight",
    "embedding": "weight",
    "mean": "running_mean",
    "var": "running_var",
    "weight": "weight",
}


@dataclass(frozen=True)
class Stored:
    """Variables, or layers, and the tensors of a checkpoint that hold them.

    The variables of a layer are there as PyTorch has them: `kernel` is `weight`, its
    outputs ahead of its inputs, `bias` is `bias`; a layer has those that it needs.

    Attributes:
      paths: of a variable or a layer; `{}` is a position in a list of layers. Several,
        with spaces between, share a tensor.
      names: of a tensor, or of a layer's; `{0}` is the first position of the path.
        Several make up one variable. Computed, if a function gives them from the model
        and the positions. By default, the paths.
      axes: for each axis of a tensor, those of the variable.
      ins: axes of the inputs in the kernel of a layer.
      outs: axes of the outputs, in the kernel and the bias.
      join: how several are joined.
      axis: of the tensors, along which they are.
      flip: whether the axes of a window run backwards in the tensor.
      stacked: leading axes of the variable that are positions too.
    """

    paths: str
    names: str | Computed = ""
    axes: tuple[tuple[int, ...], ...] | None = None
    ins: int = 1
    outs: int = 1
    join: Joined = ""
    axis: int = 0
    flip: bool = False
    stacked: int = 0

    def named(self, model: Any, *positions: int) -> list[str]:
        """The names at these positions."""
        if callable(self.names):
            return self.names(model, *positions).split()
        return numbered(self.names or self.paths, positions).split()

    @property
    def pattern(self) -> re.Pattern[str]:
        """Match the path of a variable: its positions, and its name in a layer."""
        first = re.escape(self.paths.split()[0]).replace(r"\{\}", r"(\d+)")
        return re.compile(rf"{first}(?:\.({'|'.join(LEAVES)}))?")

    def of_leaf(self, leaf: str, rank: int) -> "Stored":
        """The row of one variable of a layer, which has so many axes."""
        axes: tuple[tuple[int, ...], ...] = tuple((axis,) for axis in range(rank))
        if leaf == "kernel":
            start = rank - self.ins - self.outs
            middle = start + self.ins
            ends = tuple(range(middle, rank)), tuple(range(start, middle))
            axes = (*ends, *axes[:start])
        elif leaf == "bias":
            axes = (tuple(range(rank)),)
        return replace(
            self,
            paths=" ".join(f"{path}.{leaf}" for path in self.paths.split()),
            names=suffixed(self.names or self.paths, f".{LEAVES[leaf]}"),
            axes=axes,
        )

    def axes_of(self, rank: int) -> tuple[tuple[int, ...], ...]:
        """For each axis of a tensor, those of a weight."""
        return self.axes or tuple((axis,) for axis in range(rank))

    def order(self, rank: int) -> list[int]:
        """The axes of a weight as they follow each other in a tensor."""
        return [axis for axes in self.axes_of(rank) for axis in axes]

    def layouts(self, shapes: list[tuple[int, ...]]) -> list[list[int]]:
        """The shapes of weights, laid out as in a tensor."""
        return [
            [math.prod(shape[a] for a in axes) for axes in self.axes_of(len(shape))]
            for shape in shapes
        ]

    def turns(self, shapes: list[tuple[int, ...]]) -> int:
        """How often weights take turns in a tensor: by their first axis there."""
        if self.join == "split":
            return 1
        axis = self.axes_of(len(shapes[0]))[self.axis][0]
        return min(shape[axis] for shape in shapes)

    def tensor_shapes(
        self, shapes: list[tuple[int, ...]], count: int
    ) -> list[list[int]]:
        """The shapes of the tensors that weights of these shapes make."""
        first, *others = self.layouts(shapes)
        if self.join in ("split", "interleave"):
            first[self.axis] += sum(layout[self.axis] for layout in others)
        elif self.join == "concat":
            first[self.axis] //= count
        return [first] * count

    def pack(self, weights: list[np.ndarray], count: int) -> list[np.ndarray]:
        """The tensors of weights."""
        shapes = [weight.shape for weight in weights]
        parts = [
            self.flipped(weight.transpose(self.order(weight.ndim)).reshape(layout))
            for weight, layout in zip(weights, self.layouts(shapes), strict=True)
        ]
        match self.join:
            case "split" | "interleave":
                axis, turns = self.axis, self.turns(shapes)
                pieces = [in_turns(part, axis, turns) for part in parts]
                (shape,) = self.tensor_shapes(shapes, count)
                return [np.concatenate(pieces, axis + 1).reshape(shape)]
            case "concat":
                return np.split(parts[0], count, self.axis)
            case "sum":
                return [parts[0], *[np.zeros_like(parts[0])] * (count - 1)]
            case "":
                return parts

    def unpack(
        self, tensors: list[np.ndarray], shapes: list[tuple[int, ...]]
    ) -> list[np.ndarray]:
        """The weights of tensors."""

        def restored(part: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
            order = self.order(len(shape))
            whole = self.flipped(part).reshape([shape[axis] for axis in order])
            return whole.transpose(np.argsort(order))

        return list(map(restored, self.taken_apart(tensors, shapes), shapes))

    def taken_apart(
        self, tensors: list[np.ndarray], shapes: list[tuple[int, ...]]
    ) -> list[np.ndarray]:
        """The part of each weight."""
        match self.join:
            case "split" | "interleave":
                layouts, turns = self.layouts(shapes), self.turns(shapes)
                sizes = [layout[self.axis] // turns for layout in layouts]
                pieces = in_turns(tensors[0], self.axis, turns)
                parts = np.split(pieces, np.cumsum(sizes)[:-1], self.axis + 1)
                return [p.reshape(s) for p, s in zip(parts, layouts, strict=True)]
            case "concat":
                return [np.concatenate(tensors, self.axis)]
            case "sum":
                return [sum(tensors[1:], tensors[0])]
            case "":
                return tensors

    def flipped(self, part: np.ndarray) -> np.ndarray:
        """A kernel mirrored, where it is another way round in a tensor."""
        return np.flip(part, tuple(range(2, part.ndim))) if self.flip else part


def in_turns(tensor: np.ndarray, axis: int, turns: int) -> np.ndarray:
    """A tensor with an axis of so many turns ahead of one."""
    shape = tensor.shape
    return tensor.reshape(*shape[:axis], turns, -1, *shape[axis + 1 :])


def within(
    path: str, name: str | Computed, *rows: Stored, stacked: int = 0
) -> tuple[Stored, ...]:
    """Rows whose paths and names of tensors begin so, below so many stacked axes."""

    def inside(row: Stored) -> Stored:
        assert isinstance(row.names, str)
        return replace(
            row,
            paths=" ".join(path + part for part in row.paths.split()),
            names=prefixed(name, (row.names or row.paths).split()),
            stacked=stacked + row.stacked,
        )

    return tuple(map(inside, rows))


def prefixed(name: str | Computed, ends: list[str]) -> str | Computed:
    """Names that all begin so."""
    if isinstance(name, str):
        return " ".join(name + end for end in ends)

    def computed(model: Any, *positions: int) -> str:
        first = name(model, *positions)
        return " ".join(first + numbered(end, positions) for end in ends)

    return computed


def suffixed(names: str | Computed, end: str) -> str | Computed:
    """Append `end` to each name."""
    if isinstance(names, str):
        return " ".join(name + end for name in names.split())

    def computed(model: Any, *positions: int) -> str:
        return " ".join(name + end for name in names(model, *positions).split())

    return computed


def alike(names: str, *, ins: int = 1, outs: int = 1) -> tuple[Stored, ...]:
    """Rows of variables or layers whose names in a checkpoint are their paths."""
    return tuple(Stored(name, ins=ins, outs=outs) for name in names.split())


StatePath = tuple[Any, ...]
FlatState = dict[StatePath, Any]


def flat_state(model: Any) -> FlatState:
    """The variables of a model by their paths."""
    return dict(nnx.to_flat_state(nnx.state(model)))


def dotted(path: StatePath) -> str:
    """A path as text, such as `layers.0.attention.query.kernel`."""
    return ".".join(map(str, path))


class ResolvedRow(NamedTuple):
    """A row of the table as it applies to one model."""

    row: Stored
    paths: list[StatePath]  # of the variables
    shapes: list[tuple[int, ...]]  # of the variables, without their stacked axes
    names: list[list[str]]  # of the tensors, for each position along stacked axes

    def tensors(self) -> Iterator[tuple[str, list[int]]]:
        """The names and shapes of the tensors."""
        shapes = self.row.tensor_shapes(self.shapes, len(self.names[0]))
        for names in self.names:
            yield from zip(names, shapes, strict=True)


def resolve_rows(
    model: Any,
    state: FlatState,
    table: tuple[Stored, ...],
    max_tensors: float = math.inf,
) -> list[ResolvedRow]:
    """Match the rows of a table with the variables of a model.

    Raises:
      ValueError: if a variable is stacked from more than `max_tensors` tensors.
    """
    paths = {dotted(path): path for path in state}
    patterns = [row.pattern for row in table]
    resolved = []
    for path in paths:
        for pattern, row in zip(patterns, table, strict=True):
            if match := pattern.fullmatch(path):
                *positions, leaf = match.groups()
                if leaf:
                    rank = len(state[paths[path]].shape) - row.stacked
                    row = row.of_leaf(leaf, rank)
                found = [p.format(*positions) for p in row.paths.split()]
                if not paths.keys() >= {*found}:
                    break  # one of those that share a tensor is not there
                group = [paths[name] for name in found]
                shapes = [tuple(state[p].shape) for p in group]
                stack = shapes[0][: row.stacked]
                if (count := math.prod(stack)) > max_tensors:
                    raise ValueError(f"{path} needs {count} tensors of {max_tensors}")
                indices = ((*map(int, positions), *i) for i in np.ndindex(stack))
                names = [row.named(model, *index) for index in indices]
                shapes = [shape[row.stacked :] for shape in shapes]
                resolved.append(ResolvedRow(row, group, shapes, names))
                break
    return resolved


# The dtypes that are read and written, and what safetensors calls them.
DTYPES = {
    name: re.sub("float|uint|int", lambda m: m[0][0], name).upper()
    for name in (
        "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 "
        "float16 bfloat16 float32 float64"
    ).split()
}
# One sharding for all weights, or a function from a weight's path to its own.
Placement = jax.sharding.Sharding | Callable[[str], jax.sharding.Sharding | None] | None


def raise_problems(heading: str, problems: Iterable[str]) -> None:
    """Raise one ValueError that lists all problems, if there are any."""
    if lines := list(problems):
        raise ValueError("\n  ".join([heading, *lines]))


SHOWN = 10  # of problems of one kind: those of all layers are alike


def shortened(problems: Iterable[str]) -> list[str]:
    """The first of many problems, and how many more there are."""
    lines = list(problems)
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [*lines[:SHOWN], *more]


def read_json(file: Path) -> dict[str, Any]:
    """Read the object in a JSON file.

    Raises:
      ValueError: if it is no JSON object, or larger than 32 MB: the file may come from
        anywhere, and no configuration or index is that large.
    """
    if not file.is_file() or file.stat().st_size > 2**25:
        raise ValueError(f"{file} is no file, or too large for one of JSON")
    try:
        whole = json.loads(file.read_text(encoding="utf-8"), object_hook=decode_float)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no JSON: {error}") from None
    if not isinstance(whole, dict):
        raise ValueError(f"{file} is no JSON object")
    return whole


def decode_float(entry: dict[str, Any]) -> Any:
    """Decode a JSON object; transformers writes infinity as `{"__float__": "inf"}`."""
    return float(entry["__float__"]) if entry.keys() == {"__float__"} else entry


def local_path(path: str | Path, revision: str | None = None) -> Path:
    """Find a checkpoint on this machine, downloading it if necessary.

    Args:
      path: a file or a folder; if there is none, `owner/name` or `owner/name/folder`
        on the Hugging Face Hub. huggingface_hub caches what it downloads, and resumes
        downloads that were interrupted.
      revision: the branch, tag or commit to download.

    Raises:
      ImportError: if huggingface_hub is needed and not installed.
      FileNotFoundError: if there is no checkpoint, or it cannot be downloaded.
    """
    part = r"[\w-][\w.-]*"
    named = isinstance(path, str) and re.fullmatch(
        rf"({part}/{part})/?((?:{part}/?)*)", path
    )
    if Path(path).exists():
        return Path(path)
    if not named:
        raise FileNotFoundError(f"there is no checkpoint {path}")
    name, folder = named[1], named[2].strip("/")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        hint = "to fetch it from the Hugging Face Hub, install huggingface_hub"
        raise ImportError(f"there is no checkpoint {path}; {hint}") from None

    def download(revision: str | None, *files: str) -> Path:
        prefix = f"{folder}/" if folder else ""
        return Path(
            snapshot_download(
                name,
                revision=revision,
                allow_patterns=[f"{prefix}{file}" for file in files],
                ignore_patterns=f"{prefix}*/*",
            )
        )

    try:
        snapshot = download(revision, "config.json", "generation_config.json", INDEX)
        indices = (snapshot / folder).glob(INDEX)
        shards = [file.name for index in indices for file in checkpoint_files(index)]
        # The snapshot is named after its commit: the weights come from the same one.
        found = download(snapshot.name, *(shards or ["*.safetensors"])) / folder
        if not found.exists():
            raise FileNotFoundError(f"{name} has no folder {folder}")
        return found
    except OSError as error:
        raise FileNotFoundError(f"there is no checkpoint {path}: {error}") from error


INDEX = "*.safetensors.index.json"
# A folder's checkpoint is the first of these that it has.
CHECKPOINT_GLOBS = (INDEX, "model.safetensors", "*model.safetensors", "*.safetensors")


def checkpoint_files(path: Path) -> list[Path]:
    """List the safetensors files of a checkpoint: a file, an index, or a folder.

    Raises:
      FileNotFoundError: if a folder has no checkpoint, or several.
      ValueError: if an index names files that are not beside it.
    """
    if path.is_dir():
        found = next((f for g in CHECKPOINT_GLOBS if (f := sorted(path.glob(g)))), [])
        if len(found) != 1:
            raise FileNotFoundError(f"{path} has {len(found)} checkpoints, not one")
        path = found[0]
    if path.suffix != ".json":
        return [path]
    index = read_json(path).get("weight_map")
    names = list(index.values()) if isinstance(index, dict) else [""]
    if not all(isinstance(n, str) and n and n == Path(n).name for n in names):
        raise ValueError(f"{path} is no index of files beside it")
    return [path.parent / name for name in sorted(set(names))]


def open_files(path: Path) -> dict[Path, Any]:
    """Open the files of a checkpoint.

    Raises:
      ValueError: listing the files that cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    opened, problems = {}, []
    for file in checkpoint_files(path):
        try:
            if not file.is_file():
                raise FileNotFoundError("no such file")
            opened[file] = safe_open(file, "np")
        except (OSError, SafetensorError) as error:
            problems.append(f"{file}: {error}")
    raise_problems(f"{path} cannot be read:", problems)
    return opened


class FileTensor(NamedTuple):
    """A tensor of an open file, by its name there."""

    file: Any
    name: str

    @property
    def shape(self) -> list[int]:
        """The shape, without reading the tensor."""
        shape: list[int] = self.file.get_slice(self.name).get_shape()
        return shape

    @property
    def dtype(self) -> str:
        """What safetensors calls the dtype, such as `BF16`."""
        return str(self.file.get_slice(self.name).get_dtype())

    def first(self) -> np.ndarray:
        """Read the first entry along the first axis."""
        entry: np.ndarray = self.file.get_slice(self.name)[:1]
        return entry

    def read(self) -> np.ndarray:
        """Read the tensor."""
        tensor: np.ndarray = self.file.get_tensor(self.name)
        return tensor


def index_tensors(
    files: dict[Path, Any], wanted: set[str], renamed: tuple[tuple[str, str], ...] = ()
) -> dict[str, FileTensor]:
    """Index the tensors of open files by the names that the model uses.

    Args:
      files: the open files.
      wanted: the names of the tensors that the model loads.
      renamed: older names and the ones that replace them; `*` stands for any text.

    Raises:
      ValueError: if several tensors have the same name.
    """
    tensors: dict[str, FileTensor] = {}
    problems = []
    for file, opened in files.items():
        names = opened.keys()
        for name in names:
            known = (n for n in current_names(name, renamed) if n in wanted)
            current = next(known, name)
            if current in tensors:
                problems.append(f"{file}: {current} is there twice")
            tensors[current] = FileTensor(opened, name)
    raise_problems("tensors have several values:", problems)
    return tensors


def current_names(name: str, renamed: tuple[tuple[str, str], ...]) -> list[str]:
    """A tensor's name in a file, and the names that may have replaced it."""
    names = [name]
    for old, new in renamed:
        pattern = re.compile(re.escape(old).replace(r"\*", "(.*)"))
        for matched in [m for n in names if (m := pattern.fullmatch(n))]:
            parts = zip(new.split("*"), (*matched.groups(), ""), strict=True)
            names.append("".join(text + match for text, match in parts))
    return names


def mismatches(
    rows: list[ResolvedRow], state: FlatState, tensors: dict[str, FileTensor]
) -> Iterator[str]:
    """Describe how the tensors of a checkpoint differ from those that a model needs."""
    for row in rows:
        dtype = state[row.paths[0]].dtype
        floating = jnp.issubdtype(dtype, jnp.floating)
        kind = "a floating-point" if floating else "an integer or boolean"
        for name, shape in row.tensors():
            if name not in tensors:
                yield f"{name} is missing"
                continue
            tensor = tensors[name]
            if tensor.shape != shape:
                yield f"{name} is {tensor.shape}, the model needs {shape}"
            if tensor.dtype not in DTYPES.values():
                yield f"{name} is of dtype {tensor.dtype}, which is not supported"
            elif floating != ("F" in tensor.dtype):
                needed = f"the model needs {kind} dtype, such as {DTYPES[dtype.name]}"
                yield f"{name} is of dtype {tensor.dtype}, {needed}"


def unused_tensors(
    rows: list[ResolvedRow], tensors: dict[str, FileTensor], ignored: tuple[str, ...]
) -> Iterator[str]:
    """Describe the tensors of a checkpoint that a model does not need."""
    needed = dict(chain.from_iterable(row.tensors() for row in rows))
    for name in sorted(tensors.keys() - needed.keys()):
        if is_ignored(name, ignored):
            continue
        shape = tensors[name].shape
        alike = [n for n, s in needed.items() if s == shape and len(shape) > 1]
        yield from unused(name, tensors, [n for n in alike if n in tensors])


def unused(
    name: str, tensors: dict[str, FileTensor], alike: list[str]
) -> Iterator[str]:
    """Describe a tensor that no weight uses, unless it equals one of those `alike` in
    shape: files may repeat a weight that the model ties."""
    tensor = tensors[name]
    for other in (tensors[n] for n in alike):
        # Most tensors that differ do so in their first rows.
        if np.array_equal(tensor.first(), other.first()):
            values = tensor.read()
            varies = (values != values.flat[0]).any()  # else it may be an initial value
            if varies and np.array_equal(values, other.read()):
                return
    differing = f" and differs from {alike[0]}" if len(alike) == 1 else ""
    yield f"{name} is used by nothing{differing}"


# Tensors that no model loads: counters, and what modules compute from their settings.
BUFFERS = ("*.num_batches_tracked", "*.position_ids", "*.inv_freq")


def is_ignored(name: str, globs: tuple[str, ...]) -> bool:
    """Whether a tensor is known not to be loaded."""
    return any(fnmatchcase(name, glob) for glob in (*globs, *BUFFERS))


def read_weights(
    row: ResolvedRow, tensors: dict[str, FileTensor], state: FlatState
) -> dict[StatePath, np.ndarray]:
    """Read the weights of a row, converting one tensor at a time."""
    weights = [
        np.empty((len(row.names), *shape), state[path].dtype)
        for path, shape in zip(row.paths, row.shapes, strict=True)
    ]

    def fill(index: int, names: list[str]) -> None:
        parts = row.row.unpack([tensors[name].read() for name in names], row.shapes)
        for weight, part in zip(weights, parts, strict=True):
            weight[index] = part

    # A function, so that its tensors are freed before the next ones are read.
    for index, names in enumerate(row.names):
        fill(index, names)
    shaped = [
        w.reshape(state[path].shape) for path, w in zip(row.paths, weights, strict=True)
    ]
    return dict(zip(row.paths, shaped, strict=True))


def place(
    weights: Mapping[StatePath, Any], sharding: Placement
) -> dict[StatePath, jax.Array]:
    """Put weights on the devices that `sharding` says."""

    def put(path: StatePath, weight: Any) -> jax.Array:
        own = sharding(dotted(path)) if callable(sharding) else sharding
        array: jax.Array = jax.device_put(weight, own)
        return array

    return {path: put(path, weight) for path, weight in weights.items()}


def exclude(
    rows: list[ResolvedRow], fresh: Sequence[str]
) -> tuple[list[ResolvedRow], set[str]]:
    """Leave out the weights below some paths, which a model initializes itself.

    Returns:
      The other rows, and the names of the tensors of those that are left out.

    Raises:
      ValueError: if no weight is below a path, or only some of those in one tensor.
    """

    def is_below(path: str, parent: str) -> bool:
        return f"{path}.".startswith(f"{parent}.")

    paths = {dotted(path) for row in rows for path in row.paths}
    problems = [
        f"{parent} has no weights that a checkpoint holds"
        for parent in fresh
        if not any(is_below(path, parent) for path in paths)
    ]
    others, excluded = [], set[str]()
    for row in rows:
        group = [dotted(path) for path in row.paths]
        below = [any(is_below(path, parent) for parent in fresh) for path in group]
        if not any(below):
            others.append(row)
            continue
        excluded |= {name for names in row.names for name in names}
        if not all(below):
            problems.append(f"{' and '.join(group)} are of one tensor: all or none")
    raise_problems("these cannot be as in a new model:", problems)
    return others, excluded


# What arithmetic and constructors raise for settings of unexpected types.
SETTING_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class LimitedRngs(nnx.Rngs):
    """Rngs for the dry run of a constructor that give at most `limit` keys.

    A `config.json` may come from anywhere. One that asks for a billion layers would
    keep even `nnx.eval_shape` busy for hours, since it constructs each of them.
    """

    def __init__(self, limit: int):
        super().__init__(0)
        self.limit = limit

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            self.limit -= 1
            if self.limit < 0:
                raise ValueError("there are too few tensors for so many layers")
        return super().__getattr__(name)


ModelT = TypeVar("ModelT", bound=nnx.Module)
ConfigT = TypeVar("ConfigT")
DTYPE_FIELDS = ("dtype", "param_dtype")  # of a Config, which no file says


@dataclass(frozen=True)
class DefaultConfig(Generic[ConfigT]):
    """The Config of checkpoints that have no `config.json`."""

    config: type[ConfigT]

    def read(
        self, path: str | Path, *, strict: bool = True, stacklevel: int = 1
    ) -> ConfigT:
        """The default Config, whatever the checkpoint."""
        return self.config()

    def check_type(self, cfg: Any) -> None:
        """Raise a TypeError if this is no Config of the model."""
        if not isinstance(cfg, self.config):
            wanted, given = self.config.__name__, type(cfg).__name__
            raise TypeError(f"cfg must be a {wanted}, not a value of type {given}")


@dataclass(frozen=True)
class Checkpoint(Generic[ModelT, ConfigT]):
    """How the published checkpoints of a model are loaded and saved.

    Attributes:
      model: the model's class.
      stored: the table of weights and the tensors that hold them.
      settings: how its Config is found.
      ignored: globs of tensors that are not loaded.
      renamed: older names of tensors and the ones that replace them.
      plain: gives a model of only those weights that files hold; merges adapters.
      unstored: globs of layers of other Python code, whose weights no file holds.
    """

    model: Callable[..., ModelT]
    stored: tuple[Stored, ...]
    settings: DefaultConfig[ConfigT]
    ignored: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    plain: Callable[[Any], Any] = lambda model: model
    unstored: tuple[str, ...] = ()

    def load(
        self,
        path: str | Path,
        cfg: ConfigT | None = None,
        *,
        dtype: jax.typing.DTypeLike | None = None,
        sharding: Placement = None,
        revision: str | None = None,
        strict: bool = True,
        fresh: Sequence[str] = (),
    ) -> ModelT:
        """Load a published checkpoint into a model, in evaluation mode.

        A train step trains it whatever its mode; to train it by other means, call
        `model.train()` first.

        Args:
          path: a folder, a safetensors file, an index of several, or a name on the
            Hugging Face Hub: `owner/name` or `owner/name/folder`.
          cfg: the model's Config; by default what the checkpoint says, or else the
            default.
          dtype: the dtype to compute in and to keep weights in; by default the
            Config's.
          sharding: where the weights are put: a sharding for all of them, or a
            function from the path of a weight to its own.
          revision: the branch, tag or commit on the Hub.
          strict: whether settings that the model does not read are an error, or else a
            warning.
          fresh: paths of the model whose weights are initialized, not loaded.

        Returns:
          The model.

        Raises:
          FileNotFoundError: if there is no checkpoint.
          TypeError: if `cfg` is no Config.
          ValueError: listing all that does not fit; nothing is loaded.
        """
        path = local_path(path, revision)
        if cfg is None:
            cfg = self.settings.read(path, strict=strict, stacklevel=2)
        self.settings.check_type(cfg)
        known: Any = cfg
        if dtype is not None:
            fields = [name for name in DTYPE_FIELDS if hasattr(known, name)]
            known = replace(known, **dict.fromkeys(fields, dtype))
        model = self.restore(partial(self.model, known), path, sharding, fresh)
        set_mode: Any = model.eval  # Flax leaves it untyped
        set_mode()
        return model

    def restore(
        self,
        create: Callable[..., ModelT],
        path: Path,
        sharding: Placement,
        fresh: Sequence[str],
    ) -> ModelT:
        """Create a model with the weights of a checkpoint, read one tensor at a time;
        what no tensor holds is initialized."""
        files = open_files(path)
        count = sum(len(file.keys()) for file in files.values())
        try:
            # A layer draws few keys for each of its tensors.
            model = nnx.eval_shape(lambda: create(rngs=LimitedRngs(4 * count + 100)))
        except SETTING_ERRORS as error:  # whatever the Config leads to
            raise ValueError(f"{path} does not fit: {error or repr(error)}") from error
        state = flat_state(model)
        rows = resolve_rows(model, state, self.stored, count)
        wanted = {name for row in rows for names in row.names for name in names}
        tensors = index_tensors(files, wanted, self.renamed)
        rows, excluded = exclude(rows, fresh)
        tensors = {name: t for name, t in tensors.items() if name not in excluded}
        misfits = shortened(mismatches(rows, state, tensors))
        misfits += shortened(unused_tensors(rows, tensors, self.ignored))
        raise_problems(f"{path} does not fit {type(model).__name__}:", misfits)
        values: dict[StatePath, jax.Array] = {}
        for row in rows:
            values |= place(read_weights(row, tensors, state), sharding)
        missing = [p for p in state if p not in values]

        def initial_values() -> list[jax.Array]:
            initial = flat_state(create(rngs=nnx.Rngs(0)))
            return [initial[p].get_value() for p in missing]

        if missing:
            initial = zip(missing, jax.jit(initial_values)(), strict=True)
            values |= place(dict(initial), sharding)
        nnx.update(model, nnx.from_flat_state(values.items()))
        return model

    def save(
        self, model: ModelT, path: str | Path, *, like: str | Path | None = None
    ) -> None:
        """Save a model as a checkpoint that `load` reads.

        Args:
          model: the model.
          path: a folder, or a file that ends in `.safetensors`.
          like: a checkpoint from which tensors that the model does not load, such as
            counters, are copied.
        """
        self.write(self.plain(model), path, like, {})

    def write(
        self,
        model: ModelT,
        path: str | Path,
        like: str | Path | None,
        files: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Write the weights of a plain model, and JSON files beside them."""
        path, state = Path(path), flat_state(model)
        rows = resolve_rows(model, state, self.stored)
        problems = unsaved(model, rows, self.stored, self.unstored)
        raise_problems(f"this {type(model).__name__} cannot be saved:", problems)
        if path.suffix != ".safetensors":
            if path.is_file() or path.suffix == ".json":
                raise ValueError(f"{path} is neither a folder nor a safetensors file")
            heading = f"{path} holds another checkpoint, which would be loaded instead:"
            raise_problems(heading, (index.name for index in path.glob(INDEX)))
            path.mkdir(parents=True, exist_ok=True)
            path /= "model.safetensors"
        groups = [TensorGroup.of_row(row, state) for row in rows]
        names = {name for group in groups for name, _, _ in group.entries}
        others: dict[str, FileTensor] = {}
        if like is not None:
            others = index_tensors(open_files(local_path(like)), set())
        for name, tensor in others.items():
            if name not in names and is_ignored(name, self.ignored):
                groups.append(TensorGroup.of_file(tensor))
        write_tensors(path, groups)
        for name, content in files.items():
            text = f"{json.dumps(content, indent=2)}\n"
            write_atomically(path.with_name(name), [text.encode()])


def beside(path: str | Path, name: str) -> Path:
    """The path of a file next to a checkpoint's weights."""
    local = local_path(path)
    return (local if local.is_dir() else local.parent) / name


def write_atomically(path: Path, parts: Iterable[Any]) -> None:
    """Write a file that appears at its path only once it is complete and on disk."""
    unfinished = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        with unfinished.open("xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def unsaved(
    model: Any,
    rows: list[ResolvedRow],
    table: tuple[Stored, ...],
    unstored: tuple[str, ...],
) -> Iterator[str]:
    """Describe what a checkpoint of a model would lack.

    Args:
      model: the model.
      rows: the rows of the table that have weights.
      table: the whole table.
      unstored: globs of layers whose weights no checkpoint holds.
    """
    saved = {path for row in rows for path in row.paths}
    for path, _ in nnx.to_flat_state(nnx.state(model, nnx.Param)):
        within_glob = (fnmatchcase(dotted(path), f"{glob}.*") for glob in unstored)
        if path not in saved and not any(within_glob):
            yield f"no tensor holds {dotted(path)}"
    ends = {
        end
        for row in table
        for path in row.paths.split()
        for end in ends_without_weights(model, path.split("."), ())
    }
    for end in sorted(ends, key=dotted):
        if not any(path[: len(end)] == end for path in saved):
            yield f"{dotted(end)} has none of the weights that tensors hold"


def ends_without_weights(
    part: Any, keys: Sequence[str], at: StatePath
) -> Iterator[StatePath]:
    """Where the path of a row ends: at a part without such an attribute, or at one that
    is neither a variable nor a layer with variables. What is None may be absent."""
    if part is None:
        return
    if not keys:
        is_layer = any(hasattr(part, leaf) for leaf in LEAVES)
        if not isinstance(part, nnx.Variable) and not is_layer:
            yield at
    elif isinstance(part, nnx.List) and (keys[0] == "{}" or keys[0].isdecimal()):
        for i, item in enumerate(part):
            if keys[0] in ("{}", str(i)):
                yield from ends_without_weights(item, keys[1:], (*at, i))
    elif hasattr(part, keys[0]):
        child = getattr(part, keys[0])
        yield from ends_without_weights(child, keys[1:], (*at, keys[0]))
    else:
        yield at


class TensorGroup(NamedTuple):
    """Consecutive tensors of a file, of one dtype, each made when it is written."""

    entries: list[tuple[str, str, list[int]]]  # name, dtype, shape
    tensors: Iterator[np.ndarray]

    @classmethod
    def of_row(cls, row: ResolvedRow, state: FlatState) -> "TensorGroup":
        """The tensors of a row of the table."""
        dtype = DTYPES[state[row.paths[0]].dtype.name]
        entries = [(name, dtype, shape) for name, shape in row.tensors()]
        return cls(entries, pack_weights(row, state))

    @classmethod
    def of_file(cls, tensor: FileTensor) -> "TensorGroup":
        """A tensor copied from another file."""
        entries = [(tensor.name, tensor.dtype, tensor.shape)]
        return cls(entries, (t.read() for t in [tensor]))

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return int(re.sub(r"\D", "", self.entries[0][1]) or 8) // 8


def pack_weights(row: ResolvedRow, state: FlatState) -> Iterator[np.ndarray]:
    """Pack the weights of a row into tensors."""
    values = [state[path].get_value() for path in row.paths]
    # An array keeps its values on the host once it is read there, so that copies are.
    weights = [
        np.asarray(jax.device_put(v, v.sharding, may_alias=False)) for v in values
    ]
    stacks = [w.reshape(-1, *s) for w, s in zip(weights, row.shapes, strict=True)]
    for index, names in enumerate(row.names):
        yield from row.row.pack([stack[index] for stack in stacks], len(names))


def write_tensors(path: Path, groups: list[TensorGroup]) -> None:
    """Write a safetensors file, one tensor at a time.

    `safetensors.numpy.save_file` takes all tensors at once, laid out as they are
    written, which needs the memory of a second model.
    """
    groups = sorted(groups, key=lambda g: -g.itemsize)  # so that tensors are aligned
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for group in groups:
        for name, dtype, shape in group.entries:
            offsets = [end, end := end + math.prod(shape) * group.itemsize]
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    start = [len(encoded).to_bytes(8, "little"), encoded]
    tensors = chain.from_iterable(group.tensors for group in groups)
    write_atomically(path, chain(start, chain.from_iterable(map(byte_blocks, tensors))))


def byte_blocks(tensor: np.ndarray) -> Iterator[np.ndarray]:
    """The bytes of a tensor in blocks of some 4 MB, without a copy of the whole."""
    tensor = np.atleast_1d(tensor)
    step = max(1, 2**22 * len(tensor) // max(tensor.nbytes, 1))
    for start in range(0, len(tensor), step):
        block = np.ascontiguousarray(tensor[start : start + step])
        yield block.reshape(-1).view(np.uint8)
