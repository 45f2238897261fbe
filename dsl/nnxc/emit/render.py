"""Views to text through templates, text through Black."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

from ..record import Record
from .python.suites import WIDTH
from .templates import environment

BETWEEN = "\n\n\n"  # top-level definitions
_IMPORT = Lock()  # other threads see modules of Black, which is compiled, half made


class Part(Record):
    """A top-level piece of a module. It is `done` where it is stable under Black as it stands,
    `simple` where it is as soon as its lines fit."""

    text: str
    simple: bool = False
    done: bool = False


def render(template: str, /, **variables: object) -> str:
    """The text of a template, such as `class` for `class.py.j2`.

    Raises what Jinja raises where there is no such template, or a variable is missing.
    """
    return environment().get_template(f"{template}.py.j2").render(variables)


def markdown(template: str, /, **variables: object) -> str:
    """The text of a template of Markdown."""
    return environment().get_template(f"{template}.md.j2").render(variables)


def stable(part: Part) -> str:
    """The text as Black has it. Black is imported for what needs it only."""
    text = part.text.strip("\n")
    fits = part.simple and all(len(line) <= WIDTH for line in text.split("\n"))
    return text if part.done or fits else _blackened(text)


@lru_cache(maxsize=4096)
def _blackened(code: str) -> str:
    with _IMPORT:
        import black
        from black.mode import TargetVersion

    # Naming the version lets the last parameter after `*` have its comma.
    mode = black.Mode(target_versions={TargetVersion.PY311})
    return black.format_str(code, mode=mode).rstrip("\n")
