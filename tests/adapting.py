"""A spec whose model has adapters on each layer that can have one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flax import nnx
from interpreting import Subject

from nnxc.driver import analyse
from nnxc.shapes import TensorType, is_int
from nnxc.syntax import tree
from nnxc.syntax.walk import nodes_in


def with_adapters(case: Any) -> Subject | None:
    """The spec of a case with a train that adapts; `None` where it has no layer for that."""
    subject = case.subject
    text = re.sub(r"(?m)^train \w+:\n(?:[ \t].*\n|[ \t]*\n)*", "", subject.text + "\n")
    names = sorted(linears(subject.create(case.model, case.args)))
    while names:
        whole = text + train(case, names)
        found = analyse(whole, path="spec.nnx", read=subject.read).diagnostics
        refused = {d.primary.span.text for d in found if d.code in ("N511", "N516")}
        if not refused:  # those inside of layers of the library, and copies, are
            return Subject(whole, subject.read)
        names = [name for name in names if name not in refused]
    return None


def linears(model: nnx.Module) -> Iterator[str]:
    """What each `Linear` layer is called."""
    found = {
        ".".join(part.rstrip("_") for part in path if isinstance(part, str))
        for path, layer in nnx.iter_modules(model)
        if isinstance(layer, nnx.Linear | nnx.LinearGeneral)
    }
    yield from found - {""}


def train(case: Any, names: list[str]) -> str:
    """A train of the model's own inputs, whose loss is of all its floating outputs."""
    definition = case.subject.meaning.definition(case.model)
    fields = [
        field
        for statement in definition.body
        if isinstance(statement, tree.Declare) and statement.keyword == "input"
        for field in statement.fields
        if field.default is None
    ]
    read = {name.id for field in fields for name in nodes_in(field.type, tree.Name)}
    locals_ = [
        statement.span.text
        for statement in definition.body
        if isinstance(statement, tree.Assign) and statement.targets[0].id in read
    ]
    batch = ", ".join(f"{f.name}: {f.type.span.text}" for f in fields)
    given = ", ".join(field.name for field in fields)
    outputs = case.subject.definition(case.model).outputs
    if labels := getattr(outputs, "names", None):
        left, parts = "whole", [f"whole.{label}" for label in labels]
    else:
        parts = [f"part{i}" for i in range(len(outputs))]
        left = ", ".join(parts)
    terms = [
        f"mean({part}**2)"
        for part, of in zip(parts, outputs, strict=True)
        if isinstance(of, TensorType) and of.dtype != "bool" and not is_int(of.dtype)
    ]
    lines = [
        *locals_,
        f"batch {batch}",
        f"{left} = model({given})",
        f"loss = {' + '.join(terms)}",
        "optimizer = adam(1e-3)",
        f"adapt lora(rank=2, alpha=3) on {', '.join(names)}",
    ]
    return f"\ntrain {case.model}:\n" + "".join(f"    {line}\n" for line in lines)
