"""The kernels of a model that are matrices, for optimizers that step those in a way of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

from ... import ir
from ...ir.fold_statements import declared, expressions, statements
from ...ir.fold_tensors import operands
from ...ops.base import Op
from ...ops.torch_layouts import usual
from ..python.text import quoted
from ..signature import Names
from .train_select import attribute_path

Path = tuple[str, ...]


def matrices(program: ir.Program, model: str, names: Names) -> str:
    """A dict as text: the name of each kernel, and how many axes it sums over and makes. The layer
    that gives the model's outputs is left out, being stepped as an embedding is."""
    root = names.signatures[model]
    heads = set(_heads(program, program.definition(model), ()))
    found: dict[str, tuple[int, int]] = {}
    kernels = [*_kernels(program, program.definition(model), ())]
    outs = {path for path, kernel, _ in kernels if kernel.startswith("out.")}
    for path, kernel, axes in kernels:
        inner = path in outs and not kernel.startswith("out.")
        if path not in heads or inner:
            attributes = attribute_path(".".join(path), root, names)
            found[".".join((*attributes, kernel))] = axes
    rows = [f"{quoted(name)}: {axes}" for name, axes in found.items()]
    return f"{{{', '.join(rows)}}}"


def _kernels(
    program: ir.Program, definition: ir.Definition, above: Path
) -> Iterator[tuple[Path, str, tuple[int, int]]]:
    for item in declared(definition.body):
        match item:
            case ir.Layer(name, str() as callee):
                inner = program.definition(callee)
                yield from _kernels(program, inner, (*above, name))
            case ir.Layer(name, Op(), weights=weights):
                for key, weight in weights.items():
                    form = weight.tensor or usual(key, len(weight.sizes))
                    if form and len(form.axes) == 2 and len(weight.sizes) > 1:
                        outs, ins = map(len, form.axes)
                        yield (*above, name), key, (ins, outs)


def _heads(
    program: ir.Program, definition: ir.Definition, above: Path
) -> Iterator[Path]:
    """The layers from which outputs come without another layer between."""
    stmts = list(statements(definition.body))
    values: dict[str, list[ir.Expr]] = {}
    for stmt in stmts:
        if isinstance(stmt, ir.Assign):
            for target in stmt.targets:
                values.setdefault(target, []).append(stmt.value)
    last = [s for s in stmts if isinstance(s, ir.Return)]
    layers = {i.name: i for i in declared(definition.body) if isinstance(i, ir.Layer)}
    for name in _sources([e for s in last for e in expressions(s)], values):
        yield (*above, name)
        callee = layers[name].callee
        if isinstance(callee, str):
            yield from _heads(program, program.definition(callee), (*above, name))


def _sources(
    outputs: Sequence[ir.Expr], values: Mapping[str, Sequence[ir.Expr]]
) -> Iterator[str]:
    """The layers whose applications expressions lead back to."""
    waiting, seen = list(outputs), set()
    while waiting:
        match waiting.pop():
            case ir.Apply(layer):
                yield layer
            case ir.Var(name):
                if name not in seen:
                    seen.add(name)
                    waiting += values.get(name, ())
            case ir.Operator("+", operands=parts) if _is_residual(parts, values):
                continue
            case expr:
                waiting += operands(expr)


def _is_residual(
    parts: Sequence[ir.Expr], values: Mapping[str, Sequence[ir.Expr]]
) -> bool:
    """Whether a branch is added to what it is made of: it is no output by itself."""
    for one, other in permutations(parts, 2):
        if isinstance(one, ir.Var) and one.name in _made_of(other, values):
            return True
    return False


def _made_of(value: ir.Expr, values: Mapping[str, Sequence[ir.Expr]]) -> set[str]:
    """The values that one is made of, through layers as well."""
    waiting, seen = [value], set[str]()
    while waiting:
        expr = waiting.pop()
        if isinstance(expr, ir.Var) and expr.name not in seen:
            seen.add(expr.name)
            waiting += values.get(expr.name, ())
        waiting += operands(expr)
    return seen
