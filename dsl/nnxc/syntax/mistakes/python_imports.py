"""`import` and `from ... import`: what they bring is used otherwise, or not needed."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, Label, remove, write
from ...source import Source, Span
from ..lines import Line
from ..words import PYTHON
from .fault import line_span

_LIBRARIES = frozenset(
    (
        *("torch", "jax", "flax", "numpy", "keras", "tensorflow", "optax", "einops"),
        *("math", "typing", "functools", "dataclasses", "collections", "transformers"),
        *("haiku", "equinox", "__future__", "os", "sys", "torchvision", "timm", "re"),
        *("diffusers", "scipy", "sklearn", "pandas", "itertools", "enum", "abc"),
    )
)
_NAME = r"[A-Za-z_]\w*"
_NAMES = rf"(?P<names>{_NAME}(?: *, *{_NAME})*)"
_PATH = r"(?P<quote>[\"'])?(?P<path>[\w./-]+)[\"']?"
_FORMS = (
    re.compile(rf"from +{_PATH} +(?:use|import) +{_NAMES} *"),
    re.compile(rf"(?:import|use) +\{{? *{_NAMES} *\}}? +from +{_PATH} *"),
)


def explained(source: Source, line: Line) -> Diagnostic:
    """N122, with the `use` that brings the same where a spec is meant."""
    word = line.tokens[0]
    span = Span(source, word.start, word.end)
    shown = "from ... import" if line.word == "from" else "import"
    whole = line_span(source, line)
    told = Span(source, word.start, whole.end - whole.text.endswith("\n"))
    advice = _use(told) or remove(whole, f"{PYTHON['import']}; leave it out")
    return Diagnostic("N122", f"`{shown}` is Python", Label(span), **advice)


def _is_own(path: str) -> bool:
    """Whether a path is of one's own code, not of a library."""
    return path.lstrip(".").partition(".")[0] not in _LIBRARIES


def _use(line: Span) -> Advice | None:
    text = line.text.partition("#")[0]
    found = next((m for form in _FORMS if (m := form.fullmatch(text))), None)
    if found is None:
        return None
    path, names = found["path"], found["names"]
    blocks = all(n.strip()[:1].isupper() for n in names.split(","))
    if not blocks and _is_own(path):
        first = names.partition(",")[0].strip()
        code = f'`extern "{path}" {first}(x: [B, d]) -> [B, d]`'
        return {"help": f"Python code is declared: {code}"}
    if not _is_own(path) or not blocks:
        return None
    place = Span(line.source, line.start, line.start + len(text.rstrip()))
    if re.fullmatch(r"zoo\.\w+", path):
        return write(place, f"use {names} from {path}")
    if not found["quote"] and not path.endswith(".nnx"):
        path = path.lstrip(".").replace(".", "/")
    path = path.removesuffix(".py").removesuffix(".nnx")
    return write(place, f'use {names} from "{path}.nnx"')
