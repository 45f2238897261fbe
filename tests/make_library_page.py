"""Write `tests/spec/library.md`, the reference of all entries, from the entries themselves.

Run it after a change of the library: `python tests/make_library_page.py`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "spec" / "library.md"
sys.path.insert(0, str(PAGE.parents[2] / "dsl"))

from nnxc.ops import ALL  # noqa: E402
from nnxc.ops.base import REQUIRED, Example, Input, Kind, Op, Param  # noqa: E402

HEAD = """# The library

All entries, written from their definitions by `tests/make_library_page.py`. A parameter with `=` has that default;
those after `*` are given by name. Inputs with `?` may be absent; where there is `*`, there may be several.
"""
GROUPS = {
    "layer": (
        "Layers",
        "A layer has weights or draws random numbers. It takes parameters by position or name. "
        "Its first input comes from an arrow, others by name, or all where it is applied.",
    ),
    "function": (
        "Functions",
        "A function takes its inputs first, then its parameters. An arrow brings the first input.",
    ),
    "loss": (
        "Losses",
        "A loss stands in a train. It is the mean over the batch, or says so.",
    ),
    "metric": ("Metrics", "A metric stands in a train, after `metric name =`."),
    "optimizer": (
        "Optimizers",
        "An optimizer stands in a train, after `optimizer =`. Its learning rate is a number or a "
        "schedule.",
    ),
    "schedule": ("Schedules", "A schedule stands in place of a learning rate."),
    "initializer": (
        "Initialisers",
        "An initialiser stands after `=` in `param` and `state`, and in arguments that end in "
        "`_init`. Without arguments it needs no parentheses.",
    ),
}


def page() -> str:
    """The text of the page."""
    parts = [HEAD]
    for group, (title, introduction) in GROUPS.items():
        parts.append(f"## {title}\n\n{introduction}\n")
        ops = sorted((o for o in ALL if o.group == group), key=lambda o: o.name.lower())
        parts += [section(o) if group == "layer" else item(o) for o in ops]
        parts += [] if group == "layer" else [""]
    return "\n".join(parts).rstrip() + "\n"


def section(op: Op) -> str:
    """A layer: its call, what it is, its parameters, its methods, an example."""
    lines = [f"### {op.name}", "", f"`{call(op)}`", "", sentence(op.doc), ""]
    lines += [f"- `{p.name}`: {p.doc}{choices(p)}" for p in op.params if p.doc]
    lines += [f"- `.{n}`: {sentence(m.doc)}" for n, m in op.methods.items()]
    lines += [""] if lines[-1] else []
    return "\n".join([*lines, *(example(op, e) for e in op.examples[:1])])


def item(op: Op) -> str:
    """Any other entry: a line, and one for each parameter that needs it."""
    lines = [f"- `{call(op)}`: {sentence(op.doc)}"]
    for param in op.params:
        if param.doc:
            lines.append(f"    - `{param.name}`: {param.doc}{choices(param)}")
    return "\n".join(lines)


def call(op: Op) -> str:
    """How the entry is written: `x -> Linear(out, *, bias=true)`."""
    inputs = [tensor(i) for i in op.inputs]
    if op.group == "layer":
        return f"{', '.join(inputs)} -> {op.name}({', '.join(parameters(op))})"
    if op.group in ("optimizer", "schedule", "initializer"):
        inputs = []
    return f"{op.name}({', '.join([*inputs, *parameters(op)])})"


def tensor(spec: Input) -> str:
    """An input with its marks."""
    return spec.name + ("*" if spec.many else "") + ("?" if spec.optional else "")


def parameters(op: Op) -> Iterator[str]:
    """Parameters in order; after `*` by name only."""
    yield from (parameter(p) for p in op.params if p.positional)
    by_name = [p for p in op.params if not p.positional]
    yield from ["*"] if by_name else []
    yield from (parameter(p) for p in by_name)


def parameter(param: Param) -> str:
    """`rate=0.5`, or `out` where it is required."""
    if param.default is REQUIRED:
        return param.name
    return f"{param.name}={written(param, param.default)}"


def written(param: Param, value: Any) -> str:
    """An argument as a spec writes it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case str() if param.kind is Kind.TEXT or value in (param.choices or ()):
            return f'"{value}"'
        case float():
            return re.sub(r"e-0*", "e-", repr(value))
        case (one,) if param.kind in (Kind.WINDOW, Kind.SIZES):
            return str(one)
        case tuple() if param.kind is Kind.WINDOW:
            return "x".join(map(str, value))
        case tuple():
            return f"[{', '.join(map(str, value))}]"
    return str(value)


def choices(param: Param) -> str:
    """The texts that a parameter may be."""
    texts = ", ".join(f'`"{c}"`' for c in param.choices or ())
    return f" ({texts})" if texts else ""


def sentence(text: str) -> str:
    """A text with a capital letter, unless it begins with a tensor's name, and a full stop."""
    first = text[:1] if re.match(r"[b-z]\b", text) else text[:1].upper()
    return first + text[1:].rstrip(".") + "."


def example(op: Op, given: Example) -> str:
    """A block that applies the layer; its axes are those of the entry's own example."""
    named = [i.name for i in op.inputs if i.name in given.named]
    types = [*given.inputs, *(given.named[n] for n in named)]
    names = [i.name for i in op.inputs if not i.optional] + named
    inputs = [f"{n}: {shape(t)}" for n, t in zip(names, types, strict=True)]
    args = [f"{p.name}={written(p, given.args[p.name])}" for p in keywords(op, given)]
    args = [written(p, given.args[p.name]) for p in leading(op, given)] + args
    args += [f"{n}={n}" for n in names[1:]]
    applied = f"{op.name}({', '.join(args)})" if args else op.name
    lines = [f"block {op.name}Example():", f"    input {', '.join(inputs)}"]
    return "\n".join(
        ["```nnx", *lines, f"    return {names[0]} -> {applied}", "```", ""]
    )


def leading(op: Op, given: Example) -> list[Param]:
    """The required parameters, which are written by position."""
    return [p for p in op.params if p.default is REQUIRED and p.name in given.args]


def keywords(op: Op, given: Example) -> list[Param]:
    """All others that the example gives."""
    return [
        p for p in op.params if p.name in given.args and p not in leading(op, given)
    ]


def shape(text: str) -> str:
    """`int: B T` as `int[B, T]`."""
    dtype, _, axes = text.rpartition(":")
    return f"{dtype}[{', '.join(axes.split())}]"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
