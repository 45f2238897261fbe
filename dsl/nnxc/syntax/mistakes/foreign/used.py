"""What comes from other files, said as other languages say it."""

from __future__ import annotations

import re

from ....diagnostics import Advice, Diagnostic, write
from ....source import Span
from ..fault import Fault

_USES = (
    (r"use ([\w./]+) *: *([A-Z][\w, ]*)", '{1} from "{0}"'),
    (r"use ([\w.]+)\.([A-Z]\w*)(?: as \w+)?", '{1} from "{0}"'),
    (r"use (\"[^\"]+\") *:? *([A-Z][\w, ]*)", "{1} from {0}"),
    (r"use ([A-Z][\w, ]*?) (?:in|of|at) \"?([\w./]+)\"?", '{0} from "{1}"'),
)


def used(fault: Fault) -> Diagnostic | None:
    """`use blocks: Block`, `use blocks.Block as B`, `use "blocks.nnx"`."""
    if fault.first.kind != "USE":
        return None
    line = fault.rest(fault.first)
    if '"' not in line.text and _OF_ZOO.search(line.text):
        return _from_zoo(fault, line)
    for form, made in _USES:
        found = re.fullmatch(form, line.text)
        if found is None:
            continue
        text = made.format(*found.groups())
        text = re.sub(r'"([\w./]+)"$', lambda m: f'"{_file(m[1])}"', text)
        advice = write(line, f"use {text}")
        return fault.report("N137", "`use` names what it brings", advice)
    return None


_OF_ZOO = re.compile(r"\bzoo\b")
_NAME_OF_ZOO = re.compile(r"zoo *[./] *(\w+)")


def _from_zoo(fault: Fault, line: Span) -> Diagnostic:
    """`use Bert from zoo`, `use zoo.bert.Bert`, `use Bert from zoo/bert.nnx`."""
    found = _NAME_OF_ZOO.search(line.text)
    name = found[1] if found else "name"
    blocks = re.findall(r"(?<! as )\b[A-Z]\w*", line.text)
    text = f"use {', '.join(blocks or ['Name'])} from zoo.{name}"
    advice: Advice = (
        write(line, text) if found and blocks else {"help": f"write `{text}`"}
    )
    return fault.report("N137", "`use` names what it brings, and a spec", advice)


def _file(path: str) -> str:
    """`lib.blocks` as the file that it is."""
    stem = path.removesuffix(".nnx")
    return (stem if "/" in stem else stem.replace(".", "/")) + ".nnx"


_EXTERN = re.compile(
    r"extern(?: +(?:def|fn|function|func|module|class))? +(?P<name>[\w.]+)"
    r" *(?P<args>\(.*?\))?(?= *(?:->|:|from|in|=|as|$)) *(?:(?:->|:) *(?P<type>\w*\[[^\]]*\]))?"
    r" *(?:(?P<sign>from|in|=|:|as) *(?P<module>[\"\w./]+))? *:?"
)


def external(fault: Fault) -> Diagnostic | None:
    """`extern f = jax.numpy.f`, `extern f(x: [B, d]): [B, d] from jax.numpy`, `extern def f(...)`."""
    if fault.first.kind != "EXTERN":
        return None
    line = fault.rest(fault.first)
    found = _EXTERN.fullmatch(line.text)
    if found is None:
        return None
    path = (found["module"] or "").strip('"')
    *_, name = found["name"].split(".")
    path = path or found["name"].removesuffix(name).rstrip(".") or f"{name}.py"
    module = path if found["sign"] == "from" else path.removesuffix(f".{name}")
    args, type = found["args"] or "()", found["type"]
    whole = type and all(
        ":" in part for part in re.findall(r"\w[^,\[\]]*(?:\[[^\]]*\])?", args)
    )
    text = f'extern "{module}" {name}{args} -> {type}'
    if whole:
        advice = write(line, text, "the module stands first")
        return fault.report("N120", "missing module", advice)
    help = f'write `extern "{module}" {name}(x: [B, d]) -> [B, d]`, with its shapes'
    return fault.report("N120", "missing module", help)
