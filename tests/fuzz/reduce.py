"""Smaller specs that fail in the same way: lines, stages and parameters are taken away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nnxc.syntax import tree

from .builder import ModelCase, Spec

STAGE = re.compile(r" -> \w+(\([^()]*\))?( as \w+)?")
PARAMETER = re.compile(r"(, )?\b\w+ = (\[[^\]]*\]|[^,()\[\]]+)(, )?")
PIECES = (
    STAGE,
    re.compile(r" as \w+"),
    re.compile(r" (and|or) [^:]*(?=:)"),
    re.compile(r"\w[^:=(]* (and|or) (?=[^:]*:)"),
)


@dataclass(frozen=True)
class Written:
    """A spec that is text: what a `Spec` is to the checks."""

    text: str
    models: tuple[ModelCase, ...]
    read: Callable[[str], bytes]
    used: tree.File | None = None
    generates: bool = False


def reduced(spec: Spec, fails: Callable[[Written], bool], tries: int = 400) -> Written:
    """A spec of fewer lines for which `fails` holds still."""
    best = Written(spec.text, spec.models, spec.read, spec.used, spec.generates)
    for way in (lines_gone, unwrapped, pieces_gone, cases_gone) * 3:
        place = 0
        while tries > 0:
            smaller = way(best, place)
            if smaller is None:
                break
            tries -= 1
            if smaller != best and fails(smaller):
                best = smaller
            else:
                place += 1
    return best


def of_text(spec: Written, text: str) -> Written:
    """The spec with another text: models, inputs and arguments that it has still."""
    cases = []
    for case in spec.models:
        head = re.search(rf"^model {case.name}\b(.*?)(?=^\S|\Z)", text, re.M | re.S)
        if not head:
            continue
        signature, _, body = head[1].partition(":\n")
        declared = re.search(r"^    input (.*)$", body, re.M)
        inputs = declared[1] if declared else ""

        def stands(name: str, where: str) -> bool:
            return bool(re.search(rf"\b{name}\b", where))

        cases.append(
            ModelCase(
                case.name,
                {n: s for n, s in case.inputs.items() if f"{n}:" in inputs},
                case.dtypes,
                case.optional,
                None,
                case.axes,
                {n: v for n, v in case.args.items() if stands(n, signature)},
            )
        )
    return Written(text, tuple(cases), spec.read, spec.used, spec.generates)


def subtree(lines: list[str], start: int) -> int:
    """Where the lines below a line, deeper than it, end."""
    depth = indent(lines[start])
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or indent(lines[end]) > depth):
        end += 1
    return end


def indent(line: str) -> int:
    """How deep a line is."""
    return len(line) - len(line.lstrip())


def lines_gone(spec: Written, place: int) -> Written | None:
    """Without a line and what stands below it."""
    lines = spec.text.splitlines()
    if place >= len(lines):
        return None
    kept = lines[:place] + lines[subtree(lines, place) :]
    return of_text(spec, "\n".join(kept) + "\n")


def unwrapped(spec: Written, place: int) -> Written | None:
    """What a line holds in its place."""
    lines = spec.text.splitlines()
    if place >= len(lines):
        return None
    end = subtree(lines, place)
    if indent(lines[place]) == 0 or end == place + 1:
        return spec
    inner = [line[4:] for line in lines[place + 1 : end]]
    return of_text(spec, "\n".join([*lines[:place], *inner, *lines[end:]]) + "\n")


def pieces_gone(spec: Written, place: int) -> Written | None:
    """Without a stage, a name, a part of a condition, a parameter."""
    spans = [(m.start(), m.end(), "") for p in PIECES for m in p.finditer(spec.text)]
    spans += parameters(spec.text)
    if place >= len(spans):
        return None
    start, end, by = spans[place]
    return of_text(spec, spec.text[:start] + by + spec.text[end:])


def parameters(text: str) -> Iterator[tuple[int, int, str]]:
    """Where parameters stand in the heads of definitions and in calls of blocks."""
    for found in PARAMETER.finditer(text):
        both = found[1] and found[3]
        yield found.start(), found.end(), ", " if both else ""


def cases_gone(spec: Written, place: int) -> Written | None:
    """Without one of the calls."""
    if place >= len(spec.models):
        return None
    kept = spec.models[:place] + spec.models[place + 1 :]
    return Written(spec.text, kept, spec.read, spec.used, spec.generates)
