"""Published weights in and out: tensors of safetensors files, named and laid out as
others have them.

A table of `Stored` rows says which tensors hold which weights. Checkpoints are read and
written tensor by tensor; what does not fit is one error, and nothing is loaded.
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


@dataclass(frozen=True)
class Stored:
    """Weights, and the tensors of a checkpoint that hold them.

    `{}` in a path is a position in a list of layers; `{0}` in a name is the first of
    them. Names may also be computed from the model and its positions.
    """

    paths: str  # several, with spaces between, share a tensor
    names: str | Computed  # several make one weight
    axes: tuple[tuple[int, ...], ...] | None = None  # of the weight, for each axis
    join: Joined = ""  # how several lie in one
    axis: int = 0  # of the tensors, along which they do
    flip: bool = False  # axes from the third on run backwards
    stacked: int = 0  # leading axes of the weight that are positions too

    def named(self, model: Any, *positions: int) -> list[str]:
        """The names at these positions."""
        if callable(self.names):
            return self.names(model, *positions).split()
        return numbered(self.names, positions).split()

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
            names=prefixed(name, row.names.split()),
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


StateKey = tuple[Any, ...]
FlatState = dict[StateKey, Any]


def flat_state(model: Any) -> FlatState:
    """The variables of a model, by the keys that lead to them."""
    return dict(nnx.to_flat_state(nnx.state(model)))


class Held(NamedTuple):
    """What a model has of a row: keys of its state, and the names of tensors by
    position in a stack."""

    stored: Stored
    keys: list[StateKey]
    shapes: list[tuple[int, ...]]  # at one position
    names: list[list[str]]

    def tensors(self) -> Iterator[tuple[str, list[int]]]:
        """The names and shapes of all tensors."""
        shapes = self.stored.tensor_shapes(self.shapes, len(self.names[0]))
        for names in self.names:
            yield from zip(names, shapes, strict=True)


def held_weights(
    model: Any, state: FlatState, table: tuple[Stored, ...], most: float = math.inf
) -> list[Held]:
    """The rows of a table as they apply to a model's variables; `most` are the
    tensors."""
    keys = {".".join(map(str, key)): key for key in state}
    firsts = [re.escape(row.paths.split()[0]) for row in table]
    patterns = [re.compile(text.replace(r"\{\}", r"(\d+)")) for text in firsts]
    held = []
    for path in keys:
        for pattern, row in zip(patterns, table, strict=True):
            if match := pattern.fullmatch(path):
                positions = match.groups()
                mine = [keys[p.format(*positions)] for p in row.paths.split()]
                shapes = [tuple(state[key].shape) for key in mine]
                stack = shapes[0][: row.stacked]
                if (count := math.prod(stack)) > most:
                    raise ValueError(f"{path} needs {count} tensors of {most}")
                ats = ((*map(int, positions), *at) for at in np.ndindex(stack))
                names = [row.named(model, *at) for at in ats]
                held.append(Held(row, mine, [s[row.stacked :] for s in shapes], names))
                break
    return held


# What safetensors calls the dtypes that are read and written.
DTYPES = {
    name: re.sub("float|uint|int", lambda m: m[0][0], name).upper()
    for name in (
        "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 "
        "float16 bfloat16 float32 float64"
    ).split()
}
Placement = jax.sharding.Sharding | Callable[[str], jax.sharding.Sharding | None] | None


def refuse(head: str, problems: Iterable[str]) -> None:
    """All problems as one ValueError, where there are any."""
    if lines := list(problems):
        raise ValueError("\n  ".join([head, *lines]))


def read_json(file: Path) -> dict[str, Any]:
    """The object in a file of JSON; of 32 MB at most, as it may come from anywhere."""
    if not file.is_file() or file.stat().st_size > 2**25:
        raise ValueError(f"{file} is no file, or too large for one of JSON")
    try:
        whole = json.loads(file.read_text(encoding="utf-8"), object_hook=plain_number)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no JSON: {error}") from None
    if not isinstance(whole, dict):
        raise ValueError(f"{file} is no JSON object")
    return whole


def plain_number(entry: dict[str, Any]) -> Any:
    """An object of JSON; transformers writes Infinity as one."""
    return float(entry["__float__"]) if entry.keys() == {"__float__"} else entry


def local_path(path: str | Path, revision: str | None = None) -> Path:
    """Where a checkpoint lies; a name `owner/name` that is no path, also with a folder
    behind it, is fetched from the Hugging Face Hub.

    What was fetched is kept by `huggingface_hub`, and what was begun is taken up again.
    """
    part = r"[\w-][\w.-]*"
    named = isinstance(path, str) and re.fullmatch(
        rf"({part}/{part})/?((?:{part}/?)*)", path
    )
    if not named or Path(path).exists():
        return Path(path)
    name, inner = named[1], named[2].strip("/")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        hint = "to fetch it from the Hugging Face Hub, install huggingface_hub"
        raise ImportError(f"there is no checkpoint {path}; {hint}") from None

    def fetch(revision: str | None, *files: str) -> Path:
        above = f"{inner}/" if inner else ""
        wanted = [f"{above}{file}" for file in files]
        deeper = f"{above}*/*"
        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=wanted, ignore_patterns=deeper
            )
        )

    try:
        whole = fetch(revision, "config.json", "generation_config.json", INDEX)
        found = (whole / inner).glob(INDEX)
        indexed = [file.name for i in found for file in checkpoint_files(i)]
        # Of the same commit: its hash is the name of the folder.
        return fetch(whole.name, *(indexed or ["*.safetensors"])) / inner
    except OSError as error:
        raise FileNotFoundError(f"there is no checkpoint {path}: {error}") from error


INDEX = "*.safetensors.index.json"
# What of a folder is its checkpoint: the first of these that is there.
IN_FOLDERS = (INDEX, "model.safetensors", "*model.safetensors", "*.safetensors")


def checkpoint_files(path: Path) -> list[Path]:
    """The files of a checkpoint: one, those of an index, or a folder's."""
    if not path.exists():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    if path.is_dir():
        found = next((f for g in IN_FOLDERS if (f := sorted(path.glob(g)))), [])
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


def spellings(name: str, renamed: tuple[tuple[str, str], ...]) -> list[str]:
    """What a model may call this tensor: old names become new ones, `*` stays."""
    names = [name]
    for old, new in renamed:
        pattern = re.compile(re.escape(old).replace(r"\*", "(.*)"))
        for matched in [m for n in names if (m := pattern.fullmatch(n))]:
            parts = zip(new.split("*"), (*matched.groups(), ""), strict=True)
            names.append("".join(text + match for text, match in parts))
    return names


def open_files(path: Path) -> dict[Path, Any]:
    """The files of a checkpoint, opened; what cannot be read is one error."""
    from safetensors import SafetensorError, safe_open

    opened, problems = {}, []
    for file in checkpoint_files(path):
        try:
            if not file.is_file():
                raise FileNotFoundError("no such file")
            opened[file] = safe_open(file, "np")
        except (OSError, SafetensorError) as error:
            problems.append(f"{file}: {error}")
    refuse(f"{path} cannot be read:", problems)
    return opened


def named_tensors(
    files: dict[Path, Any], wanted: set[str], renamed: tuple[tuple[str, str], ...] = ()
) -> dict[str, Any]:
    """Each tensor's file and its name there, by the name that the model has for it."""
    tensors: dict[str, Any] = {}
    problems = []
    for file, opened in files.items():
        names = opened.keys()
        for name in names:
            known = (s for s in spellings(name, renamed) if s in wanted)
            meant = next(known, name)
            if meant in tensors:
                problems.append(f"{file}: {meant} is there twice")
            tensors[meant] = opened, name
    refuse("tensors have several values:", problems)
    return tensors


def misfits(
    held: list[Held],
    state: FlatState,
    tensors: dict[str, Any],
    ignored: tuple[str, ...],
) -> Iterator[str]:
    """What keeps tensors from being these weights."""
    left = set(tensors)
    for row in held:
        floating = jnp.issubdtype(state[row.keys[0]].dtype, jnp.floating)
        for name, shape in row.tensors():
            left.discard(name)
            if name not in tensors:
                yield f"{name} is missing"
                continue
            file, own = tensors[name]
            found = file.get_slice(own)
            if found.get_shape() != shape:
                yield f"{name} is {found.get_shape()}, the model needs {shape}"
            dtype = found.get_dtype()
            if dtype not in DTYPES.values():
                yield f"{name} is of dtype {dtype}, which is not supported"
            elif floating != ("F" in dtype):
                yield f"{name} is of dtype {dtype}, the model needs another kind"
    for name in sorted(left):
        if not is_ignored(name, ignored):
            file, own = tensors[name]
            shape = file.get_slice(own).get_shape()
            sizes = {n: size for row in held for n, size in row.tensors()}
            alike = [n for n in sizes if sizes[n] == shape and len(shape) > 1]
            yield from unused(name, tensors, [n for n in alike if n in tensors])


def unused(name: str, tensors: dict[str, Any], alike: list[str]) -> Iterator[str]:
    """What keeps a tensor from being a copy of a weight, which files may have of one
    that is tied: of those `alike`, which have its shape."""
    file, own = tensors[name]
    for other in alike:
        copied, its = tensors[other]
        # The first rows tell most that differ apart.
        if np.array_equal(file.get_slice(own)[:1], copied.get_slice(its)[:1]):
            whole = file.get_tensor(own)
            varies = (whole != whole.flat[0]).any()
            if varies and np.array_equal(whole, copied.get_tensor(its)):
                return
    differing = f" and differs from {alike[0]}" if len(alike) == 1 else ""
    yield f"{name} is used by nothing{differing}"


# Counters, and what modules compute from their settings and keep beside their weights.
BUFFERS = ("*.num_batches_tracked", "*.position_ids", "*.inv_freq")


def is_ignored(name: str, globs: tuple[str, ...]) -> bool:
    """Whether a tensor is one that no weight takes."""
    return any(fnmatchcase(name, glob) for glob in (*globs, *BUFFERS))


def read_weights(
    row: Held, tensors: dict[str, Any], state: FlatState
) -> dict[StateKey, np.ndarray]:
    """The weights of a row, converted as they are read, tensor by tensor."""
    weights = [
        np.empty((len(row.names), *shape), state[key].dtype)
        for key, shape in zip(row.keys, row.shapes, strict=True)
    ]

    def fill(at: int, names: list[str]) -> None:
        read = [file.get_tensor(own) for file, own in (tensors[n] for n in names)]
        parts = row.stored.unpack(read, row.shapes)
        for weight, part in zip(weights, parts, strict=True):
            weight[at] = part

    for at, names in enumerate(row.names):
        fill(at, names)
    whole = (w.reshape(state[k].shape) for k, w in zip(row.keys, weights, strict=True))
    return dict(zip(row.keys, whole, strict=True))


def placed(
    weights: Mapping[StateKey, Any], sharding: Placement
) -> dict[StateKey, jax.Array]:
    """Weights where they shall lie."""

    def put(key: StateKey, weight: Any) -> jax.Array:
        path = ".".join(map(str, key))
        place = sharding(path) if callable(sharding) else sharding
        array: jax.Array = jax.device_put(weight, place)
        return array

    return {key: put(key, weight) for key, weight in weights.items()}


def without(held: list[Held], paths: Sequence[str]) -> tuple[list[Held], set[str]]:
    """The rows of which nothing lies below these paths, and the others' tensors."""
    names = {".".join(map(str, key)) for row in held for key in row.keys}

    def below(name: str) -> bool:
        return any(f"{name}.".startswith(f"{path}.") for path in paths)

    problems = [
        f"{path} has no weights that a checkpoint holds"
        for path in paths
        if not any(f"{name}.".startswith(f"{path}.") for name in names)
    ]
    others, passed = [], set[str]()
    for row in held:
        inside = [below(".".join(map(str, key))) for key in row.keys]
        if not any(inside):
            others.append(row)
            continue
        passed |= {name for names in row.names for name in names}
        if not all(inside):
            shared = " and ".join(".".join(map(str, key)) for key in row.keys)
            problems.append(f"{shared} are of one tensor: all or none")
    refuse("these cannot be as in a new model:", problems)
    return others, passed


# What settings of other kinds than expected raise in arithmetic, and in constructors.
UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class BoundedRngs(nnx.Rngs):
    """Streams that a model of more layers than a file can hold draws from too often."""

    def __init__(self, left: int):
        super().__init__(0)
        self.left = left

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            self.left -= 1
            if self.left < 0:
                raise ValueError("there are too few tensors for so many layers")
        return super().__getattr__(name)


ModelT = TypeVar("ModelT", bound=nnx.Module)
ConfigT = TypeVar("ConfigT")
DTYPE_FIELDS = ("dtype", "param_dtype")  # of a Config, which no file says


@dataclass(frozen=True)
class DefaultConfig(Generic[ConfigT]):
    """The Config of checkpoints that say none."""

    config: type[ConfigT]

    def read(self, path: str | Path, *, strict: bool = True) -> ConfigT:
        """The default."""
        return self.config()


@dataclass(frozen=True)
class Checkpoint(Generic[ModelT, ConfigT]):
    """How checkpoints hold a model: what loads it from them, and saves it again."""

    model: Callable[..., ModelT]
    stored: tuple[Stored, ...]
    settings: DefaultConfig[ConfigT]
    ignored: tuple[str, ...] = ()  # tensors that no weight takes
    renamed: tuple[tuple[str, str], ...] = ()  # other names of tensors, and theirs
    plain: Callable[[Any], Any] = lambda model: model  # merges what files have not

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
        """Load a checkpoint: a folder, a file of safetensors, an index of several, or
        one on the Hugging Face Hub, by its name `owner/name`, or `owner/name/folder`,
        at a `revision`. The model is in evaluation mode.

        Without `cfg`, the model's is what the checkpoint says, or else the default; if
        not `strict`, keys that nothing reads are a warning. With `dtype`, the model
        computes and keeps its weights in that. They lie where `sharding` says: one for
        all, or a function of a weight's path. What lies below the paths `fresh` is not
        loaded, but as in a new model. What does not fit is one error, and nothing is
        loaded.
        """
        path = local_path(path, revision)
        known: Any = self.settings.read(path, strict=strict) if cfg is None else cfg
        if dtype is not None:
            fields = [name for name in DTYPE_FIELDS if hasattr(known, name)]
            known = replace(known, **dict.fromkeys(fields, dtype))
        model = self.filled(partial(self.model, known), path, sharding, fresh)
        evaluated: Any = model.eval  # which Flax has not typed
        evaluated()
        return model

    def filled(
        self,
        make: Callable[..., ModelT],
        path: Path,
        sharding: Placement,
        fresh: Sequence[str],
    ) -> ModelT:
        """A model with the weights of a checkpoint, read tensor by tensor."""
        files = open_files(path)
        count = sum(len(file.keys()) for file in files.values())
        try:
            model = nnx.eval_shape(lambda: make(rngs=BoundedRngs(4 * count + 100)))
        except UNFIT as error:  # whatever a constructor makes of odd settings
            told = str(error) or repr(error)
            raise ValueError(f"{path} does not fit: {told}") from error
        state = flat_state(model)
        held = held_weights(model, state, self.stored, count)
        wanted = {name for row in held for names in row.names for name in names}
        tensors = named_tensors(files, wanted, self.renamed)
        head = f"{path} does not fit {type(model).__name__}:"
        held, passed = without(held, fresh)
        tensors = {name: t for name, t in tensors.items() if name not in passed}
        refuse(head, misfits(held, state, tensors, self.ignored))
        values: dict[StateKey, jax.Array] = {}
        for row in held:
            values |= placed(read_weights(row, tensors, state), sharding)
        missing = [key for key in state if key not in values]

        def initial_values() -> list[jax.Array]:
            initial = flat_state(make(rngs=nnx.Rngs(0)))
            return [initial[key].get_value() for key in missing]

        if missing:  # what is not loaded is as in a new model
            made = zip(missing, jax.jit(initial_values)(), strict=True)
            values |= placed(dict(made), sharding)
        nnx.update(model, nnx.from_flat_state(values.items()))
        return model

    def save(
        self, model: ModelT, path: str | Path, *, like: str | Path | None = None
    ) -> None:
        """Save the weights as `load` reads them, in a folder or a file.

        What no weight takes, such as counters, is copied from the checkpoint `like`.
        """
        self.write(self.plain(model), path, like, {})

    def write(
        self,
        model: ModelT,
        path: str | Path,
        like: str | Path | None,
        files: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Write the weights of a plain model, and files of JSON beside them."""
        path = Path(path)
        if path.suffix != ".safetensors":
            head = f"{path} holds another checkpoint, which would be loaded instead:"
            refuse(head, (index.name for index in path.glob(INDEX)))
            path.mkdir(parents=True, exist_ok=True)
            path /= "model.safetensors"
        state = flat_state(model)
        groups = [
            Written.of_row(row, state)
            for row in held_weights(model, state, self.stored)
        ]
        names = {name for group in groups for name, _, _ in group.entries}
        others = {}
        if like is not None:
            others = named_tensors(open_files(local_path(like)), set())
        for name, (file, _) in others.items():
            if name not in names and is_ignored(name, self.ignored):
                groups.append(Written.of_file(name, file))
        write_checkpoint(path, groups)
        for name, whole in files.items():
            text = f"{json.dumps(whole, indent=2)}\n"
            write_whole(path.with_name(name), [text.encode()])


def beside(path: str | Path, name: str) -> Path:
    """A file of a checkpoint, which is a folder or a file."""
    place = local_path(path)
    return (place if place.is_dir() else place.parent) / name


def write_whole(path: Path, parts: Iterable[Any]) -> None:
    """Write a file: at its path once it is whole and on the disk, else nowhere."""
    unfinished = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        with unfinished.open("xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


class Written(NamedTuple):
    """Tensors of one dtype that follow each other in a file, each made as it is
    written."""

    entries: list[tuple[str, str, list[int]]]  # name, dtype, shape
    tensors: Iterator[np.ndarray]

    @classmethod
    def of_row(cls, row: Held, state: FlatState) -> "Written":
        """The tensors of a row."""
        dtype = DTYPES[state[row.keys[0]].dtype.name]
        entries = [(name, dtype, shape) for name, shape in row.tensors()]
        return cls(entries, row_tensors(row, state))

    @classmethod
    def of_file(cls, name: str, file: Any) -> "Written":
        """One tensor of another file."""
        part = file.get_slice(name)
        entries = [(name, part.get_dtype(), part.get_shape())]
        return cls(entries, map(file.get_tensor, [name]))

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return int(re.sub(r"\D", "", self.entries[0][1]) or 8) // 8


def row_tensors(row: Held, state: FlatState) -> Iterator[np.ndarray]:
    """The tensors of a row; the model keeps no copy of what goes to the host."""
    held = [state[key].get_value() for key in row.keys]
    weights = [np.asarray(jax.device_put(w, w.sharding, may_alias=False)) for w in held]
    stacks = [w.reshape(-1, *s) for w, s in zip(weights, row.shapes, strict=True)]
    for at, names in enumerate(row.names):
        yield from row.stored.pack([w[at] for w in stacks], len(names))


def write_checkpoint(path: Path, groups: list[Written]) -> None:
    """Write a file of safetensors, tensor by tensor; it is whole, or not there.

    The library's `save_file` takes all tensors at once, laid out as they are written:
    the memory of a second model.
    """
    groups = sorted(groups, key=lambda g: -g.itemsize)  # each is aligned
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for group in groups:
        for name, dtype, shape in group.entries:
            place = [end, end := end + math.prod(shape) * group.itemsize]
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": place}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    start = [len(head).to_bytes(8, "little"), head]
    tensors = chain.from_iterable(group.tensors for group in groups)
    write_whole(path, chain(start, chain.from_iterable(map(in_parts, tensors))))


def in_parts(tensor: np.ndarray) -> Iterator[np.ndarray]:
    """The bytes of a tensor, without a copy of the whole."""
    tensor = np.atleast_1d(tensor)
    step = max(1, 2**22 * len(tensor) // max(tensor.nbytes, 1))
    for start in range(0, len(tensor), step):
        part = np.ascontiguousarray(tensor[start : start + step])
        yield part.reshape(-1).view(np.uint8)
