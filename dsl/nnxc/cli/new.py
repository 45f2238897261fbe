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
    return _create(os.path.join(args.out, stem + SUFFIX), _alone(zoo[model]), console)


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


def _alone(text: str) -> str:
    """A spec of the zoo for another folder: what it uses, it uses from the zoo."""
    return re.sub(
        r'(?m)^((?:use|train) .* from )"(\w+)\.nnx"(?=:?$)', r"\1zoo.\2", text
    )


def _title(text: str) -> str:
    first = text.split("\n", 1)[0]
    return first.lstrip("# ") if first.startswith("#") else ""


def _create(path: str, text: str, console: Console) -> int:
    if os.path.lexists(path):
        problem = file_problem(
            "N903", path, f"`{path}` exists", "choose another name, or move it away"
        )
        return console.report([problem])
    try:
        files.write_all({path: text.encode()})
    except OSError as error:
        return console.report([unwritable(path, error)])
    console.note(f"wrote {path}")
    return console.report([])
