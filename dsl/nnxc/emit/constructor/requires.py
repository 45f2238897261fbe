"""Checks: what they say, the test that finds them broken, and where they stand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ... import ir
from ...dims import Dim, Func, const
from ...ir.fold_statements import declared
from ...ir.fold_static import mentions
from ..python import text as t
from ..python.scope import Scope
from ..python.static_text import as_size, membership, size, static
from ..python.suites import INDENT, WIDTH, If, Line, Node
from ..signature import Names, Signature
from .ctor_names import ConstructorNames
from .guards import guarded
from .needs import Guard, shown
from .own_arguments import Lengths, merged

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


def checked_inside(
    body: Sequence[ir.Stmt], known: Mapping[str, Signature]
) -> set[object]:
    """What the constructors of the blocks inside check, and their callers need not; but lists are
    read in callers before."""
    found: set[object] = set()
    for item in declared(body):
        if isinstance(item, ir.Layer) and isinstance(item.callee, str):
            sizes = {n: as_size(v) for n, v in item.args}
            env = {n: v for n, v in sizes.items() if v is not None} | dict(item.sizes)
            found |= {
                fact(stmt.condition, env)
                for stmt in known[item.callee].definition.body
                if isinstance(stmt, ir.Require) and not stmt.call_time
                if not _of_length(stmt.condition)
            }
    return found


def _of_length(condition: ir.Static) -> bool:
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
        said = f"needs {test}".replace("cfg.", "").replace("self.", "")
    shows = shown(stmt)
    if not shows:
        return " ".join(t.quoted(line) for line in _lines(said.split(" "), room))
    said = said.replace("{", "{{").replace("}", "}}")
    texts = {name: _value(own, scope) for own, name in shows}
    # What the spec gives no name is told by the one that it has here.
    told = {n: _local(texts[n]) or n for own, n in shows if own not in spelled}
    said = " ".join(_renamed(word, told) for word in said.split(" "))
    values = {told.get(name, name): text for name, text in texts.items()}
    order = sorted(values, key=lambda name: _place(name, said))
    *most, last = [f"{name}={{{values[name]}}}" for name in order]
    words = [*f"{said}, got".split(" "), *(f"{word}," for word in most), last]
    lines = _lines(words, room)
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


def _lines(words: Sequence[str], room: int) -> list[str]:
    """A text in parts that fit on a line, between words; whole where it does."""
    text = " ".join(words)
    if len(text) <= room:
        return [text]
    lines, line = [], ""
    for word in words:
        if len(line) + len(word) >= room and line.count("{") == line.count("}"):
            lines.append(line)
            line = ""
        line += f"{word} "
    return [*lines, line[:-1]]


def _value(of: str | Dim, scope: Scope) -> str:
    return scope.symbol(of) if isinstance(of, str) else size(of, scope).text


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
                dividend, divisor = (size(d, scope) for d in remainder)
                grouped = t.Text(dividend.at(t.UNARY), t.UNARY)
                test = t.binary("%", grouped, divisor)
                return t.binary(_NEGATED[op], test, t.Text("0"))
            if left.value is not None:
                left, right = right, left
            return t.binary(_NEGATED[op], size(left, scope), size(right, scope))
        case ir.StaticBinary(op, left, right) if op in _NEGATED:
            return static(ir.StaticBinary(_NEGATED[op], left, right), scope)
    return static(ir.StaticUnary("not", condition), scope)


def _remainder(difference: Dim) -> tuple[Dim, Dim] | None:
    """`(a, b)` where a size is `±(a % b)`."""
    for dividend, divisor in _divisions(difference):
        if (dividend % divisor) in (difference, -difference):
            return dividend, divisor
    return None


def _divisions(difference: Dim) -> Iterator[tuple[Dim, Dim]]:
    """The divisions in a size, and those of their quotients by its factors: `(d // heads) // 2` is
    written `d // (2 * heads)`."""
    factors = [abs(factor) for _, factor in difference.terms if abs(factor) > 1]
    for monomial, _ in difference.terms:
        for atom, _power in monomial:
            match atom:
                case Func("floordiv", (dividend, divisor)):
                    yield dividend, divisor
                    yield from ((dividend // divisor, const(f)) for f in factors)


def config_checks(signature: Signature, names: Names) -> list[Node]:
    """The checks that a Config makes of itself."""
    checks = Checks(ConstructorNames(signature, names, holder="self"))
    return checks.own(guarded(signature, names.signatures))[0]


class Checks:
    """Writes the checks of one function, each once."""

    def __init__(self, names: ConstructorNames):
        self.names, self.checked = names, set[object]()

    def own(self, body: Sequence[ir.Stmt]) -> tuple[list[Node], list[ir.Stmt]]:
        """The checks of what a constructor is given alone, as they are written; and the other
        statements."""
        self.checked |= checked_inside(body, self.names.module.signatures)
        given = self.names.signature.arguments.keys()
        own = [
            stmt
            for stmt in body
            if isinstance(stmt, ir.Require) and mentions(stmt.condition) <= given
        ]
        rest = [stmt for stmt in body if stmt not in own]
        made = merged([check for check in own if self._is_new(check)])
        return [node for check in made for node in self._written(check, 2)], rest

    def lines(self, stmt: ir.Require, depth: int, once: bool) -> list[Node]:
        """A check as it is written at a depth of regions, unless it is known to hold or is not
        made here."""
        return self._written(stmt, depth) if self._is_new(stmt, once) else []

    @contextmanager
    def region(self) -> Iterator[None]:
        """Within is one side: what it checks, the other may need to."""
        before = set(self.checked)
        yield
        self.checked = before

    def _is_new(self, stmt: ir.Require, once: bool = True) -> bool:
        """Whether a check is made here, and is not made yet; after it, it is."""
        if stmt.call_time or (what := fact(stmt.condition, {})) in self.checked:
            return False
        if isinstance(stmt, Guard) and not self.names.constructible(stmt.condition):
            return False
        if once:
            self.checked.add(what)
        return True

    def _written(self, stmt: ir.Require, depth: int) -> list[Node]:
        scope, signature = self.names.scope, self.names.signature
        with scope.recording() as uses:
            before, condition = self._test(stmt, depth)
            message = broken(stmt, scope, signature.definition.spelled, depth)
        given = mentions(stmt.condition) <= signature.arguments.keys()
        # What is only checked needs no shorter name.
        own = isinstance(stmt, Guard) and given
        locals_ = [name for line in before for name in line.binds]
        needs = (*locals_, *(() if own else uses))
        raises = Line(f"raise ValueError({message})", needs)
        return [*before, If(condition, (raises,))]

    def _test(self, stmt: ir.Require, depth: int) -> tuple[list[Line], str]:
        """The condition under which a check fails, in at most one line, and what stands before."""
        scope, whole = self.names.scope, negated(stmt.condition, self.names.scope)
        room = WIDTH - len(INDENT) * depth - len("if :")
        match stmt:
            case Lengths(lists=lists, op=op, count=count):
                values = t.tuple_of([scope.symbol(name) for name in lists]).text
                test = f"len(values) {_NEGATED[op]} {size(count, scope)}"
                test = f"any({test} for values in {{}})"
                return self._named("lists", values, test, room)
        match stmt.condition:
            case ir.StaticBinary(">=", ir.StaticCall("min") as least, ir.Literal(1)):
                value = static(least, scope).text
                return self._named("smallest", value, "{} < 1", room)
        return [], whole

    def _named(
        self, name: str, value: str, test: str, room: int
    ) -> tuple[list[Line], str]:
        """A test of a value, which gets a name where the line would be too long."""
        if len(whole := test.replace("{}", value)) <= room:
            return [], whole
        namespace = self.names.namespace
        given = namespace.give(name)
        namespace.release(given)
        line = Line(f"{given} = {value}", (), frozenset((given,)))
        return [line], test.replace("{}", given)
