"""One argument of an entry in other words: a literal, a choice, a local, a parameter, an element."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from flax import nnx
from oracle import Case, cases, predict, size

from nnxc.ops.base import REQUIRED, Kind, Op, Param

OTHER = {"gelu": "relu", "true": "false", "false": "true"}
ACTIVATIONS = {"relu": nnx.relu, "gelu": nnx.gelu, "tanh": nnx.tanh}
NAMED = (Kind.FUNCTION, Kind.STREAM, Kind.DTYPE)
UNSAID = (Kind.STREAM, Kind.INIT, Kind.DTYPE, Kind.SHAPE, Kind.AXIS, Kind.AXES)
SIZES = (3, 5, 7, 9, 11, 13, 15)


class Disguise(NamedTuple):
    """How a model says a value: its parameters, its statements, and what stands in the call.
    `given` are the arguments with which the model is built."""

    name: str
    params: str
    before: str
    value: str
    around: str = "    return {call}\n"
    given: Mapping[str, Any] = MappingProxyType({})
    inside: str | None = None  # what a block is given, in which the call is
    file: str | None = None  # the whole spec, from its pieces


LITERAL = Disguise("literal", "", "", "")


def disguises(value: str, other: str) -> Iterator[Disguise]:
    """All ways to say a value; `other` is one of its kind."""
    chosen = f"{value} if p > 2 else {other}"
    yield Disguise("choice", "p = 3", "", chosen)
    yield Disguise("choice, given", "p = 1", "", chosen, given={"p": 3})
    yield Disguise("local", "", f"    own = {value}\n", "own")
    yield Disguise("parameter", f"own = {value}", "", "own")
    yield Disguise("element", "", "", f"[{other}, {value}][1]")
    yield Disguise("list", f"every = [{other}, {value}]", "", "every[-1]")
    loop = f"    ys = []\n    for own in [{value}]:\n        ys.append({{call}})\n"
    yield Disguise("loop", "", "", "own", loop + "    return ys[0]\n")
    changed = f"    own = {other}\n    if p > 2:\n        own = {value}\n"
    yield Disguise("changed", "p = 3", changed, "own")
    sides = "    if p > 2:\n        y = {call}\n    else:\n        y = {call}\n    return y\n"
    yield Disguise("sides", f"p = 3, own = {value}", "", "own", sides)
    yield Disguise("given", f"own = {other}", "", "own", given={"own": python(value)})
    yield Disguise("block", "", "", "own", inside=value)
    yield Disguise("block of a parameter", f"p = {value}", "", "own", inside="p")


def python(value: str) -> Any:
    """A value as Python gives it."""
    if value in ACTIVATIONS:
        return ACTIVATIONS[value]
    names = {"true": True, "false": False, "none": None}
    if value in names:
        return names[value]
    if "x" in value and value.replace("x", "").isdecimal():
        return tuple(map(int, value.split("x")))
    read = ast.literal_eval(value)
    return tuple(read) if isinstance(read, list) else read


def text(param: Param | None, value: Any) -> str:
    """A value of an example as a spec writes it."""
    if value is None:
        return "none"
    kind = param.kind if param else None
    if kind is Kind.WINDOW and isinstance(value, tuple):
        whole = len(value) > 1 and min(value) > 0
        return "x".join(map(str, value)) if whole else f"[{', '.join(map(str, value))}]"
    if isinstance(value, str) and kind not in NAMED and not value.isdecimal():
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return f"[{', '.join(text(None, v) for v in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def another(param: Param | None, value: Any) -> str | None:
    """Another value of the same kind; None where there is no simple one."""
    if isinstance(value, bool):
        return str(not value).lower()
    if param and isinstance(value, str) and param.choices and len(param.choices) > 1:
        return f'"{next(c for c in param.choices if c != value)}"'
    if isinstance(value, str):
        return (
            OTHER.get(value, "relu") if param and param.kind is Kind.FUNCTION else None
        )
    if isinstance(value, int):
        return str(value + 1)
    if isinstance(value, float):
        return str(value / 2)
    if isinstance(value, tuple) and value and all(isinstance(v, int) for v in value):
        return text(param if min(value) > 0 else None, tuple(v + 1 for v in value))
    return None


def model(case: Case, said: dict[str, str], way: Disguise) -> str:
    """A model that calls an entry as its example does, one argument said in another way."""
    sizes = dict(zip(case.symbols, SIZES, strict=False))
    types = [
        t for v in case.types.values() for t in (v if isinstance(v, tuple) else (v,))
    ]
    dims = [[d.substitute(sizes).value for d in t.sizes] for t in types]
    dtypes = ["" if t.dtype == "float" else t.dtype for t in types]
    fields = [
        f"x{i}: {dtype}[{', '.join(map(str, dim))}]"
        for i, (dtype, dim) in enumerate(zip(dtypes, dims, strict=True))
    ]
    fields = fields or ["unread: [2]"]
    given = [f"{n}={v}" for n, v in said.items()]
    tensors = [f"x{i}" for i in range(len(types))]
    named = [f"{n}={x}" for n, x in zip(case.types, tensors, strict=False)]
    if not tensors:
        first = "[0]" if isinstance(predict(case).out, tuple) else ""
        call = f"({case.op.name}({', '.join(given)}){first} + unread[0])"
    elif case.op.inputs[0].many:
        call = f"{case.op.name}({', '.join([*tensors, *given])})"
    else:
        call = f"(x0 -> {case.op.name}({', '.join([*named[1:], *given])}))"
    inputs = f"    input {', '.join(fields)}\n"
    if way.file is not None:
        layer = f"{case.op.name}({', '.join(given)})"
        names = ", ".join(tensors or ["unread"])
        pieces = {"inputs": inputs, "call": call, "layer": layer, "names": names}
        pieces |= {"op": case.op.name, "given": ", ".join(given)}
        pieces["params"] = "(p = 3)" if re.search(r"\bp\b", way.file) else ""
        pieces["defaults"], pieces["rest"] = split(case.op, said)
        return re.sub(r"\{(\w+)\}", lambda m: pieces[m[1]], way.file)
    if way.inside is not None:
        block = f"block Own(own):\n{inputs}    return {call}\n\n"
        body = f"    return Own({way.inside})({', '.join(tensors or ['unread'])})\n"
        return f"{block}model Net({way.params}):\n{inputs}{body}"
    heading = f"model Net({way.params}):\n{inputs}{way.before}"
    return heading + way.around.replace("{call}", call)


MODEL = "model Net{params}:\n{inputs}"
LAYERS = {
    "constructed": MODEL + "    f = {layer}\n    return f({names})\n",
    "argument": "block Own(f):\n{inputs}    g = f({given})\n    return g({names})\n\n"
    + MODEL
    + "    own = Own({op})\n    return own({names})\n",
    "handed on": "block Last(f):\n{inputs}    g = f({given})\n    return g({names})\n\n"
    "block Own(f = {op}):\n{inputs}    last = Last(f)\n    return last({names})\n\n"
    + MODEL
    + "    own = Own\n    return own({names})\n",
    "defaults": "defaults {defaults}\n\n"
    + MODEL
    + "    f = {rest}\n    return f({names})\n",
}
ALL = {
    "in a block": "block Own:\n{inputs}    return {call}\n\n"
    + MODEL
    + "    own = Own\n    return own({names})\n",
    "in a list": MODEL + "    ys = [{call}]\n    return ys[0]\n",
    "in a choice": MODEL + "    return {call} if p > 2 else {call}\n",
    "in an elif": MODEL
    + "    if p > 5:\n        y = {call}\n    elif p == 3:\n        y = {call}\n"
    "    else:\n        y = {call}\n    return y\n",
    "nested": MODEL
    + "    if p > 2:\n        if p < 9:\n            y = {call}\n        else:\n"
    "            y = {call}\n    else:\n        y = {call}\n    return y\n",
    "in a loop": MODEL
    + "    ys = []\n    for i in range(p - 2):\n        if i < p:\n            y = {call}\n"
    "        else:\n            y = {call}\n        ys.append(y)\n    return ys[0]\n",
}


def applications(op: Op) -> Iterator[Disguise]:
    """All ways to apply an entry with its arguments as they are."""
    files = ALL if op.group != "layer" else LAYERS | ALL
    for name, file in files.items():
        yield Disguise(name, "", "", "", file=file)


def split(op: Op, said: Mapping[str, str]) -> tuple[str, str]:
    """The arguments that defaults may give, and a layer with the others."""
    may = [n for n in said if (p := op.param(n)) and p.default is not REQUIRED]
    first = ", ".join(f"{n}={said[n]}" for n in may)
    rest = ", ".join(f"{n}={v}" for n, v in said.items() if n not in may)
    return f"{op.name}({first})", f"{op.name}({rest})"


def numbered(case: Case, value: Any) -> Any:
    """A value of an example with numbers for the names of sizes."""
    if isinstance(value, tuple | list):
        return tuple(numbered(case, v) for v in value)
    sizes = dict(zip(case.symbols, SIZES, strict=False))
    if not isinstance(value, str) or not any(n in sizes for n in value.split("*")):
        return value
    return size(value).substitute(sizes).value


def subjects() -> Iterator[tuple[Case, Param | None, str, Any]]:
    """Every argument of every example; of the first, those that are left out as well."""
    seen: set[tuple[str, str]] = set()
    for case in cases():
        args = {n: numbered(case, v) for n, v in case.example.args.items()}
        for param in case.op.params:
            if param.default is not REQUIRED and not _said(case.op, param, seen):
                args.setdefault(param.name, param.default)
        for name, value in args.items():
            seen.add((case.op.name, name))
            param = case.op.param(name)
            if param is None or param.kind not in UNSAID:
                yield case, param, name, value


def _said(op: Op, param: Param, seen: set[tuple[str, str]]) -> bool:
    return (op.name, param.name) in seen
