"""Texts with arrows, where they stand as they are and where they do not."""

from __future__ import annotations

import re

from ...record import Record
from ...syntax import tree


def placed(text: str, parent: Record | None) -> str:
    """In parentheses where arrows do not stand as they are."""
    bare = (tree.Arg, tree.Pipe, tree.Stage, tree.ListOf, tree.Assign, tree.Return)
    if parent is None or isinstance(parent, (*bare, tree.Evaluate, tree.Named)):
        return text
    return f"({text})" if has_arrow(text) else text


def has_arrow(text: str) -> bool:
    """Whether a text has an arrow outside of brackets."""
    depth = 0
    text = re.sub(r"([\"']).*?\1", "", text)
    for at, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if not depth and text.startswith("->", at):
            return True
    return False
