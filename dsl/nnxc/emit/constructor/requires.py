"""Requirements: what they say, and the test that finds them broken."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ... import ir
from ...dims import Dim, Func
from ...ir.fold_static import mentions
from ..python import text as t
from ..python.scope import Scope
from ..python.static_text import membership, size, static
from ..python.suites import WIDTH
from .needs import Guard

_LONG = 80
_AROUND = "(),[]"
_NEGATED = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "in": "not in",
}


def fact(condition: ir.Static, env: Mapping[str, Dim]) -> object:
    """What a condition says, comparable between definitions where it is about sizes."""
    match condition:
        case ir.StaticBinary(op, ir.Size(left), ir.Size(right)):
            return op, _reduced((left - right).substitute(env), op)
    return condition


def of_length(condition: ir.Static) -> bool:
    """Whether a condition is about how long a list is."""
    match condition:
        case ir.StaticBinary(_, ir.Size(Dim(terms=((((Func("len"), _),), _),)))):
            return True
    return False


def _reduced(difference: Dim, op: str) -> Dim:
    """A difference without common factors; whether it is 0 does not depend on its sign either."""
    factor = math.gcd(*(c for _, c in difference.terms)) or 1
    if op in ("==", "!=") and difference.terms and difference.terms[0][1] < 0:
        factor = -factor
    return Dim(tuple((m, c // factor) for m, c in difference.terms))


def broken(
    stmt: ir.Require, scope: Scope, spelled: Mapping[str, str], depth: int
) -> str:
    """The message of the error: what must hold, and the values for which it does not; `spelled`
    are the names that the spec gives."""
    room = WIDTH - 4 * (depth + 2) - len('f""')  # in parentheses, under an `if`
    said = stmt.message
    if len(said) > _LONG and not isinstance(stmt, Guard):
        test = negated(ir.StaticUnary("not", stmt.condition), scope)
        said = f"needs {test}".replace("cfg.", "")
    shows = stmt.shows if isinstance(stmt, Guard) else _names(stmt.condition)
    if not shows:
        return " ".join(t.quoted(line) for line in _lines(said, room))
    said = said.replace("{", "{{").replace("}", "}}")
    texts = {name: scope.symbol(own) for own, name in shows}
    # What the spec gives no name is told by the one that it has here.
    told = {n: _local(texts[n]) or n for own, n in shows if own not in spelled}
    said = " ".join(_renamed(word, told) for word in said.split(" "))
    values = {told.get(name, name): text for name, text in texts.items()}
    order = sorted(values, key=lambda name: _place(name, said))
    shown = ", ".join(f"{name}={{{values[name]}}}" for name in order)
    lines = _lines(f"{said}, got {shown}", room)
    return " ".join("f" * ("{" in line) + t.quoted(line) for line in lines)


def _local(text: str) -> str:
    """The name of a local or a field of the Config."""
    name = text.rpartition(".")[2]
    return name if name.isidentifier() else ""


def _renamed(word: str, names: Mapping[str, str]) -> str:
    """A word by its name, whatever brackets and commas stand around it."""
    bare = word.strip(_AROUND)
    return word.replace(bare, names[bare]) if bare in names else word


def _place(name: str, said: str) -> int:
    """Where a name stands in a text, if it does."""
    words = [word.strip(_AROUND) for word in said.split()]
    return words.index(name) if name in words else len(words)


def _lines(text: str, room: int) -> list[str]:
    """A text in parts that fit on a line, between words; whole where it does."""
    if len(text) <= room:
        return [text]
    lines, line = [], ""
    for word in text.split(" "):
        if len(line) + len(word) >= room and line.count("{") == line.count("}"):
            lines.append(line)
            line = ""
        line += f"{word} "
    return [*lines, line[:-1]]


def _names(condition: ir.Static) -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(mentions(condition))]


def negated(condition: ir.Static, scope: Scope) -> str:
    """The condition under which a requirement fails."""
    return _negated(condition, scope).text


def _negated(condition: ir.Static, scope: Scope) -> t.Text:
    match condition:
        case ir.StaticBinary("or", left, right):
            if (found := membership(condition)) is not None:
                return _negated(found, scope)
            return t.binary("and", _negated(left, scope), _negated(right, scope))
        case ir.StaticBinary(
            "and", ir.StaticBinary(">=", value, low), ir.StaticBinary("<=", same, high)
        ) if (value == same):
            parts = [static(part, scope).at(t.BITOR) for part in (low, value, high)]
            return t.Text(f"not {' <= '.join(parts)}", t.NOT)
        case ir.StaticBinary("and", left, right):
            return t.binary("or", _negated(left, scope), _negated(right, scope))
        case ir.StaticUnary("not", ir.StaticBinary(op, left, right)) if op in _NEGATED:
            return _negated(ir.StaticBinary(_NEGATED[op], left, right), scope)
        case ir.StaticBinary(op, ir.Size(left), ir.Size(right)) if op in ("==", "!="):
            remainder = _remainder(_reduced(left - right, op))
            if remainder is not None:
                texts = [size(d, scope) for d in remainder]
                test = t.binary("%", *texts)
                return t.binary(_NEGATED[op], test, t.Text("0"))
            if left.value is not None:
                left, right = right, left
            return t.binary(_NEGATED[op], size(left, scope), size(right, scope))
        case ir.StaticBinary(op, left, right) if op in _NEGATED:
            return static(ir.StaticBinary(_NEGATED[op], left, right), scope)
    return static(ir.StaticUnary("not", condition), scope)


def _remainder(difference: Dim) -> tuple[Dim, Dim] | None:
    """`(a, b)` where a size is `±(a % b)`."""
    for monomial, _ in difference.terms:
        for atom, _power in monomial:
            match atom:
                case Func("floordiv", (dividend, divisor)):
                    if (dividend % divisor) in (difference, -difference):
                        return dividend, divisor
    return None
