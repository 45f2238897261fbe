"""Start a spec from one that ships with nnxc."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping

from .. import files
from ..fresh import SUFFIX
from ..make import unwritable
from ..shipped import shipped
from ..specs import file_problem
from .arguments import Parser, suggestion
from .console import OK, Console


def add_arguments(parser: Parser) -> None:
    """Declare what the command takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the new spec")
    parser.add_argument(
        "--from", dest="model", metavar="MODEL", help="the spec to start from"
    )
    parser.add_argument(
        "-o", "--out", default=".", metavar="DIR", help="where it goes (default: here)"
    )
    parser.add_argument(
        "--list", action="store_true", help="list the specs to start from"
    )
    parser.set_defaults(parser=parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Copy a spec of the zoo. A file that exists is never replaced."""
    zoo = zoo_specs()
    if args.list:
        width = max(map(len, zoo), default=0)
        for name, text in zoo.items():
            print(f"{name:<{width}}  {_title(text)}".rstrip())
        return OK
    if args.name is None or args.model is None:
        args.parser.error("a NAME and `--from MODEL` are needed, or `--list`")
    model = _in_full(args.model.removesuffix(SUFFIX), zoo)
    if model not in zoo:
        names = [name.rpartition("/")[2] for name in zoo]
        hint = suggestion(args.model, names) or "; `nnxc new --list` shows all"
        args.parser.error(f"unknown model `{args.model}`{hint}")
    stem = args.name.removesuffix(SUFFIX)
    if not stem.isidentifier():
        args.parser.error(f"`{args.name}` is no name; use letters, digits and `_`")
    texts = {stem + SUFFIX: zoo[model], **_used(zoo[model], zoo)}
    return _create(
        {os.path.join(args.out, name): text for name, text in texts.items()}, console
    )


def zoo_specs() -> dict[str, str]:
    """The specs that ship: name -> text. Those of published models are `pretrained/NAME`."""
    found = {
        prefix + file.name.removesuffix(SUFFIX): file.read_text("utf-8")
        for folder, prefix in (("zoo", ""), ("zoo/pretrained", "pretrained/"))
        for file in shipped(folder)
        if file.name.endswith(SUFFIX)
    }
    return dict(sorted(found.items(), key=lambda spec: ("/" in spec[0], spec[0])))


def _in_full(model: str, zoo: Mapping[str, str]) -> str:
    """The name with its folder, where only one folder has it."""
    return model if model in zoo else f"pretrained/{model}"


def _used(text: str, zoo: Mapping[str, str]) -> dict[str, str]:
    """The files that a spec of the zoo uses, and those that they use, by their names."""
    found: dict[str, str] = {}
    waiting = [text]
    for current in waiting:
        for name in re.findall(
            r'^(?:use|train) .* from "(\w+)\.nnx":?$', current, re.MULTILINE
        ):
            if name + SUFFIX not in found:
                found[name + SUFFIX] = zoo[f"pretrained/{name}"]
                waiting.append(found[name + SUFFIX])
    return found


def _title(text: str) -> str:
    first = text.split("\n", 1)[0]
    return first.lstrip("# ") if first.startswith("#") else ""


def _create(texts: Mapping[str, str], console: Console) -> int:
    """Write the first file, and those that it uses where they are not there already."""
    path, *used = texts
    taken = [path] if os.path.lexists(path) else []
    taken += [p for p in used if os.path.lexists(p) and not _holds(p, texts[p])]
    for other in taken:
        problem = file_problem(
            "N903", other, f"`{other}` exists", "choose another name, or move it away"
        )
        return console.report([problem])
    new = {p: text.encode() for p, text in texts.items() if not os.path.lexists(p)}
    try:
        files.write_all(new)
    except OSError as error:
        return console.report([unwritable(path, error)])
    for written in new:
        console.note(f"wrote {written}")
    return console.report([])


def _holds(path: str, text: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read() == text
    except (OSError, UnicodeDecodeError):
        return False
