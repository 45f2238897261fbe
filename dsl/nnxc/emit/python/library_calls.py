"""The Python call that an entry of the library stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable

from ...ops.base import Call
from . import text as t
from .text import Text

Lookup = Callable[[str], Text | None]
_HOLE = re.compile(r"\{(\w+)\}")


def fill(
    build: Call | str,
    lookup: Lookup,
    written: Container[str],
    more: Iterable[str] = (),
) -> Text:
    """The text of `build`, names resolved by `lookup` (None: absent). `written` are the arguments
    and inputs that the spec gives; `more` are further keyword arguments."""
    if isinstance(build, str):
        return t.opaque(_template(build, lookup))
    args = [text for name in build.args if (text := _part(name, lookup)) is not None]
    for keyword, name in build.kwargs.items():
        if name.startswith("=") or name in written or _always(build, keyword, name):
            text = _part(name, lookup)
            if text is not None:
                args.append(f"{keyword}={text}")
    args.extend(more)
    call = f"{_template(build.target, lookup)}({', '.join(args)})"
    before, _, after = build.around.partition("{}")
    return Text(f"{_template(before, lookup)}{call}{_template(after, lookup)}")


def _always(build: Call, keyword: str, name: str) -> bool:
    return keyword in build.always or name in build.always


def _part(name: str, lookup: Lookup) -> str | None:
    if name.startswith("="):
        return _template(name[1:], lookup)
    if name.startswith("*"):
        several = lookup(name[1:])
        return None if several is None else several.text[1:-1]
    text = lookup(name)
    return None if text is None else text.text


def _template(template: str, lookup: Lookup) -> str:
    def put(match: re.Match[str]) -> str:
        text = lookup(match[1])
        if text is None:
            return "None"
        before, after = template[: match.start()], template[match.end() :]
        alone = _begins(before.rstrip()) and after.lstrip()[:1] in ("", ")", "]", ",")
        return text.text if alone else text.at(t.ATOM)

    return _HOLE.sub(put, template)


def _begins(before: str) -> bool:
    """Whether a whole expression begins here: after a bracket, a comma, or the name of an argument."""
    if before.endswith("="):
        return before[-2:-1].isidentifier()  # no comparison
    return before[-1:] in ("", "(", "[", ",")


def holes(build: Call | str) -> list[str]:
    """The names that a build mentions, once for each mention."""
    if isinstance(build, str):
        return _HOLE.findall(build)
    names = _HOLE.findall(build.target)
    for name in (*build.args, *build.kwargs.values()):
        names.extend(
            _HOLE.findall(name) if name.startswith("=") else [name.lstrip("*")]
        )
    return names
