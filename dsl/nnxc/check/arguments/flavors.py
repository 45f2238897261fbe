"""What a static value is like: the kinds of parameters in the words of messages."""

from __future__ import annotations

from ...ops.base import Kind
from ..values import Listed, Static

NUMERIC = ("int", "float", "bool", "unknown")
FLAVORS = {
    Kind.SIZE: "int",
    Kind.INT: "int",
    Kind.NUMBER: "float",
    Kind.BOOL: "bool",
    Kind.TEXT: "text",
    Kind.WINDOW: "window",
    Kind.SIZES: "list",
    Kind.INTS: "list",
    Kind.LIST: "list",
    Kind.FUNCTION: "function",
}
_LISTED = 4  # tensors of a list that a label tells one by one


def describe(value: Static) -> str:
    """What a static value is, for a label."""
    if value.known:
        match value.value:
            case None:
                return "`none`"
            case bool(flag):
                return f"`{str(flag).lower()}`"
            case str(text):
                return f'the text "{text[:20]}"'
            case int() | float() as n:
                return f"the number {n}"
    if value.flavor == "window" and value.element is not None:
        return f"a window of {value.element.value} sizes"
    names = {
        "int": "a size",
        "float": "a number",
        "bool": "true or false",
        "text": "a text",
        "window": "a window",
        "list": "a list",
        "function": "a function",
        "init": "an initialiser",
        "none": "`none`",
    }
    return names.get(value.flavor, "a parameter")


def describe_list(value: Listed) -> str:
    """What a list is, for a label."""
    if value.element is None:
        return "an empty list"
    if value.items and len(value.items) <= _LISTED:
        return "a list of " + " and ".join(map(str, value.items))
    return f"a list of {value.element}"
