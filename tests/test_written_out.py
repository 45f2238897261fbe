"""Arguments that decide a shape are written out: a choice between two values is refused."""

from __future__ import annotations

from typing import Any

import pytest
from oracle import Case

from nnxc import driver
from nnxc.ops import MODEL_OPS
from nnxc.ops.base import Kind, Op, Param

LITERAL = [(op, p) for op in MODEL_OPS.values() for p in op.params if p.literal]


def chosen(param: Param) -> str:
    """A value that only the constructor knows."""
    if param.kind is Kind.BOOL:
        return "p > 2"
    one, two = (f'"{c}"' for c in (*(param.choices or ("b -> b", "b c -> b")),)[:2])
    return (
        f"{one} if p > 2 else {two}"
        if param.kind is not Kind.INT
        else "1 if p > 2 else 0"
    )


def text(param: Param | None, value: Any) -> str:
    if param is not None and param.kind is Kind.WINDOW and isinstance(value, tuple):
        return "x".join(map(str, value)) if len(value) > 1 else f"[{value[0]}]"
    if isinstance(value, str) and not (param and param.kind is Kind.SIZE):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(text(None, v) for v in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def spec(op: Op, param: Param) -> str:
    """A model that calls an entry as its first example does, but for one argument."""
    example = next(
        e for e in op.examples if param.name in e.args or e is op.examples[-1]
    )
    case = Case(op, example)
    types = [
        t for v in case.types.values() for t in (v if isinstance(v, tuple) else (v,))
    ]
    inputs = [f"x{i}: {t}" for i, t in enumerate(types)]
    args = {n: text(op.param(n), v) for n, v in example.args.items()}
    args[param.name] = chosen(param)
    given = ", ".join(f"{n}={v}" for n, v in args.items())
    names = ", ".join(f"x{i}" for i in range(len(types)))
    if op.inputs[0].many:
        call = f"{op.name}({names}, {given})"
    else:
        more = [f"x{i}" for i in range(1, sum(not i.optional for i in op.inputs))]
        call = f"x0 -> {op.name}({', '.join([*more, given])})"
    return f"model Net(p = 3):\n    input {', '.join(inputs)}\n    return {call}\n"


@pytest.mark.parametrize(
    ("op", "param"), LITERAL, ids=[f"{op.name}-{p.name}" for op, p in LITERAL]
)
def test_a_choice_is_refused(op: Op, param: Param) -> None:
    (told,) = driver.analyse(spec(op, param)).diagnostics
    assert (told.code, told.primary.span.text) == ("N223", chosen(param))
