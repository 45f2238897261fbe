"""What a model is made of: layers, output shapes, parameters, FLOPs, memory. Without JAX.

Equal layers are folded (`h x 12`), rows below a depth left out; numbers of a row cover all that it
stands for, while rows inside a repeated layer describe one copy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from .. import ir
from ..diagnostics import closest
from ..dims import Dim
from ..instance import config_values, instantiate
from ..instance.nodes import Failure, Node, WeightOf, total_of
from ..ir.static_values import Value, show
from ..record import Record, replace
from ..shapes import ListType, TensorType, tensor
from .units import byte_size, polynomial, scaled

DEPTH = 2
MAX_SIZE = 18  # characters of one axis, beyond which it is shown as `...`


class SummaryError(Exception):
    """What was asked for is not in the spec; `help` names what is."""

    def __init__(self, message: str, help: str | None = None):
        super().__init__(message)
        self.message, self.help = message, help


class Row(Record):
    """One layer, or `count` equal ones, at its depth."""

    depth: int
    name: str
    kind: str
    count: int
    output: ir.Type | None
    parameters: int | None
    state: int | None
    flops: int | Dim | None
    weight_bytes: int | None
    output_bytes: int | None


class Summary(Record):
    """A model at given values; the last row of a listing is `total`."""

    model: str
    values: Mapping[str, Value]
    rows: tuple[Row, ...]
    total: Row
    open: tuple[str, ...]  # axes that were given no size
    failures: tuple[Failure, ...]

    def text(self) -> str:
        """A table for people."""
        return _table(self)

    def json(self) -> str:
        """The same for programs: numbers in full, None where a size is open."""
        return json.dumps(_plain(self), indent=2)


def summarize(
    program: ir.Program,
    *,
    model: str | None = None,
    config: str | None = None,
    sizes: Mapping[str, int] | None = None,
    depth: int = DEPTH,
) -> Summary:
    """The summary of a model (the last of the spec) at a config, with parameters or axes set.

    Raises `SummaryError`, and `InstanceError` where the model cannot be built at these values.
    """
    args = _config(program, config) if config else {}
    definition = _definition(program, model or _model_of(program, config))
    params, axes = _split(definition, sizes or {})
    instance = instantiate(program, definition.name, {**args, **params}, axes)
    root = instance.root
    rows = tuple(_rows(root, 0, depth))
    total = replace(_row((root,), "total", 0), kind="")
    unset = tuple(a for a in _axes(definition) if a not in axes)
    return Summary(
        definition.name, instance.values, rows, total, unset, instance.failures
    )


# ------------------------------------------------------------ what to describe


def _config(program: ir.Program, name: str) -> Mapping[str, Value]:
    found = {c.name: c for c in program.configs}
    if name not in found:
        raise SummaryError(f"no config `{name}`", _among(name, found))
    return config_values(found[name])


def _model_of(program: ir.Program, config: str | None) -> str:
    if config is not None:
        return next(c.model for c in program.configs if c.name == config)
    models = [d.name for d in program.definitions if d.is_model]
    if not models:
        raise SummaryError("this spec has no model", "name a block with --model")
    return models[-1]


def _definition(program: ir.Program, name: str) -> ir.Definition:
    found = {d.name: d for d in program.definitions}
    if name not in found:
        raise SummaryError(f"no model or block `{name}`", _among(name, found))
    return found[name]


def _split(
    definition: ir.Definition, sizes: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Settings of parameters, and of axes."""
    params = [p.name for p in definition.params]
    known = [*params, *_axes(definition)]
    for name in sizes:
        if name not in known:
            raise SummaryError(
                f"`{definition.name}` has no parameter or axis `{name}`",
                _among(name, known),
            )
    return (
        {n: v for n, v in sizes.items() if n in params},
        {n: v for n, v in sizes.items() if n not in params},
    )


def _axes(definition: ir.Definition) -> list[str]:
    """The names of the axes of its inputs, in order."""
    params = {p.name for p in definition.params}
    sizes = [a for i in definition.inputs for a in i.type.sizes]
    names = dict.fromkeys(s for size in sizes for s in sorted(size.symbols))
    return [name for name in names if name not in params]


def _among(name: str, known: Iterable[str]) -> str | None:
    names = list(known)
    close = closest(name, names)
    if close:
        return f"did you mean `{close}`?"
    return "there are " + ", ".join(f"`{n}`" for n in names) if names else None


# ----------------------------------------------------------------------- rows


def _rows(node: Node, depth: int, limit: int) -> Iterator[Row]:
    """What is inside a node: its own variables, then its layers, equal ones once."""
    if depth < limit and (node.children or not depth):
        yield from (_variable(w, depth) for w in node.weights)
        for name, nodes in _folded(node.children):
            yield _row(nodes, name, depth)
            yield from _rows(nodes[0], depth + 1, limit)


def _variable(weight: WeightOf, depth: int) -> Row:
    kind = "state" if weight.state else "param"
    trained, kept = (0, weight.count) if weight.state else (weight.count, 0)
    type = tensor(weight.dtype, *weight.sizes)
    return Row(depth, weight.name, kind, 1, type, trained, kept, 0, weight.bytes, 0)


def _row(nodes: tuple[Node, ...], name: str, depth: int) -> Row:
    return Row(
        depth,
        name,
        nodes[0].kind,
        sum(n.copies for n in nodes),
        nodes[-1].outputs[0] if nodes[-1].outputs else None,
        total_of(n.parameters for n in nodes),
        total_of(n.statistics for n in nodes),
        _flops(nodes),
        total_of(n.weight_bytes for n in nodes),
        total_of(n.output_bytes for n in nodes),
    )


def _flops(nodes: tuple[Node, ...]) -> int | Dim | None:
    parts = [n.total_flops for n in nodes]
    return None if None in parts else sum(p for p in parts if p is not None)


def _folded(children: tuple[Node, ...]) -> Iterator[tuple[str, tuple[Node, ...]]]:
    """Runs of equal elements of one list, wherever they stand among other layers."""
    lists: dict[str, list[Node]] = {}
    for child in children:
        lists.setdefault(_base(child.name), []).append(child)
    looks = _Looks()
    found = []
    for base, nodes in lists.items():
        runs = [tuple(g) for _, g in groupby(nodes, looks.of)]
        found += [(_label(base, run, alone=len(runs) == 1), run) for run in runs]
    place = {id(child): index for index, child in enumerate(children)}
    yield from sorted(found, key=lambda labelled: place[id(labelled[1][0])])


def _base(name: str) -> str:
    """The list that an element is in: `h` of `h.3`, and of `h.3.0` in nested loops."""
    base, _, index = name.partition(".")
    return base if index else name


def _label(base: str, run: tuple[Node, ...], alone: bool) -> str:
    first, last = run[0], run[-1]
    if alone and len(run) > 1:
        name = base
    elif first is last:
        name = first.name
    else:
        return f"{first.name}..{last.name.partition('.')[2]}"
    single = len(run) == 1 and first.repeat is None
    return name if single else f"{name} x {sum(n.copies for n in run)}"


class _Looks:
    """Numbers layers so that those which look alike have one number."""

    def __init__(self) -> None:
        self.by_node: dict[int, int] = {}
        self.by_form: dict[object, int] = {}

    def of(self, node: Node) -> int:
        # Equal blocks share what is inside, so that each is looked at once.
        if id(node) not in self.by_node:
            inner = tuple((c.name, self.of(c)) for c in node.children)
            shapes = tuple(w.sizes for w in node.weights)
            form = node.kind, node.outputs, shapes, node.flops, node.repeat, inner
            self.by_node[id(node)] = self.by_form.setdefault(form, len(self.by_form))
        return self.by_node[id(node)]


# ---------------------------------------------------------------------- output

_HEADS = ("layer", "type", "output", "parameters", "FLOPs", "weights", "outputs")


def _table(summary: Summary) -> str:
    values = ", ".join(f"{n}={show(v)}" for n, v in summary.values.items())
    lines = [_HEADS, *map(_cells, summary.rows), _cells(summary.total)]
    shown = [
        i for i in range(len(_HEADS)) if any(line[i] not in "?-" for line in lines[1:])
    ]
    widths = {i: max(len(line[i]) for line in lines) for i in shown}
    text = ["  ".join(_aligned(line, widths)).rstrip() for line in lines]
    rule = "-" * (sum(widths.values()) + 2 * len(widths) - 2)
    table = [text[0], rule, *text[1:-1], rule, text[-1]]
    return "\n".join([f"{summary.model}({values})", "", *table, *_notes(summary), ""])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        "  " * row.depth + row.name,
        row.kind,
        _shape(row.output),
        _number(row.parameters),
        _work(row.flops),
        _bytes(row.weight_bytes),
        _bytes(row.output_bytes),
    )


def _aligned(cells: tuple[str, ...], widths: Mapping[int, int]) -> Iterator[str]:
    for i, width in widths.items():
        yield cells[i].ljust(width) if i < 3 else cells[i].rjust(width)


def _shape(type: ir.Type | None) -> str:
    match type:
        case None | ():
            return "-"
        case TensorType():
            sizes = [str(s) for s in type.sizes]
            short = [s if len(s) <= MAX_SIZE else "..." for s in sizes]
            return str(type).replace(", ".join(sizes), ", ".join(short))
        case ListType(element):
            return f"list of {_shape(element)}"
    return ", ".join(map(_shape, type))


def _number(count: int | None) -> str:
    return "?" if count is None else f"{count:,}" if count else "-"


def _work(flops: int | Dim | None) -> str:
    match flops:
        case None:
            return "?"
        case 0:
            return "-"
        case int():
            return scaled(flops)
    return polynomial(flops)


def _bytes(count: int | None) -> str:
    return "?" if count is None else byte_size(count) if count else "-"


def _notes(summary: Summary) -> Iterator[str]:
    if summary.total.state:
        yield f"state: {summary.total.state:,} numbers that are not trained"
    if any(" x " in row.name for row in summary.rows):
        yield "rows inside a repeated layer describe one copy"
    if summary.open:
        yield f"for numbers, give sizes: {' '.join(f'{a}=8' for a in summary.open)}"
    for failure in summary.failures:
        yield f"cannot be built: {failure.message}"


def _plain(summary: Summary) -> dict[str, Any]:
    return {
        "model": summary.model,
        "values": {n: _value(v) for n, v in summary.values.items()},
        "layers": [_record(row) for row in summary.rows],
        "total": _record(summary.total),
        "failures": [f.message for f in summary.failures],
    }


def _value(value: Value) -> Any:
    return (
        value if isinstance(value, (int, float, str, bool, type(None))) else show(value)
    )


def _record(row: Row) -> dict[str, Any]:
    return {
        "depth": row.depth,
        "name": row.name,
        "type": row.kind,
        "count": row.count,
        "output": None if row.output is None else _shape(row.output),
        "parameters": row.parameters,
        "state": row.state,
        "flops": str(row.flops) if isinstance(row.flops, Dim) else row.flops,
        "weight_bytes": row.weight_bytes,
        "output_bytes": row.output_bytes,
    }
