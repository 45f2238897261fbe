"""Says what is wrong with a line: the token that fits nowhere, and what was meant.

The explanations are tried in order; each is a function of the fault that returns None
where it does not apply. The last always applies.
"""

from __future__ import annotations

from collections.abc import Callable

from ..diagnostics import Diagnostic, Fix, Label, did_you_mean
from ..record import Record
from ..source import Source, Span
from ._tables import LITERALS, STATES
from .lalr import END, Failure, Token
from .lexer import RESERVED
from .lines import Line
from .words import BODY, HARD, HEADS, PYTHON, WEIGHTS

_COMPARE = frozenset(("EQ", "NE", "LT", "LE", "GT", "GE"))
_LITERALS = frozenset(("INT", "FLOAT", "WINDOW", "STRING", "TRUE", "FALSE", "NONE"))
_OPERANDS = _LITERALS | {"NAME", "LSQB"}
_ENDS = frozenset((END, "RPAR", "RSQB", "COMMA", "COLON", "VBAR"))
_OPERATORS = _COMPARE | frozenset(
    ("PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "POWER", "AND", "OR", "IF")
) | frozenset(("ARROW", "AS", "DOT", "LPAR", "LSQB"))  # fmt: skip
_SPELLING = {kind: text for text, kind in LITERALS.items()}
_DECLARES = frozenset(("INPUT", "BATCH", "PARAM", "STATE"))


class Fault(Record):
    """A line, and where it fails."""

    source: Source
    line: Line
    failure: Failure

    @property
    def first(self) -> Token:
        return self.line.tokens[0]

    @property
    def token(self) -> Token:
        return self.line.tokens[self.failure.index]

    @property
    def kind(self) -> str:
        return self.token.kind

    @property
    def before(self) -> Token | None:
        index = self.failure.index
        return self.line.tokens[index - 1] if index else None

    @property
    def after(self) -> Token | None:
        tokens, index = self.line.tokens, self.failure.index
        return tokens[index + 1] if index + 1 < len(tokens) else None

    @property
    def inside(self) -> bool:
        """Whether a bracket is open."""
        kinds = [token.kind for token in self.line.tokens[: self.failure.index]]
        opened = kinds.count("LPAR") + kinds.count("LSQB")
        return opened > kinds.count("RPAR") + kinds.count("RSQB")

    def comes_after(self, *kinds: str) -> bool:
        return self.before is not None and self.before.kind in kinds

    def accepts(self, kind: str) -> bool:
        return self.failure.accepts(kind)

    def report(
        self,
        code: str,
        message: str,
        help: str | None = None,
        *,
        at: Token | None = None,
        label: str = "",
        fix: Fix | None = None,
    ) -> Diagnostic:
        span = self.span(at or self.token)
        return Diagnostic(code, message, Label(span, label), help=help, fix=fix)

    def span(self, token: Token) -> Span:
        """The token's place; the end of a line is shown by its last character."""
        if token.kind == END:
            return Span(self.source, token.end, token.end)
        return Span(self.source, token.start, token.end)


Explanation = Callable[[Fault], Diagnostic | None]


def explain(fault: Fault) -> Diagnostic:
    """The diagnostic for a line that no rule fits."""
    for explanation in _EXPLANATIONS:
        if found := explanation(fault):
            return found
    return _unexpected(fault)


def missing_colon(fault: Fault) -> Diagnostic | None:
    """N105, where a `:` at the end would complete the line."""
    if fault.first.text not in HEADS or fault.kind != END or not fault.accepts("COLON"):
        return None
    fix = Fix(fault.span(fault.token), ":")
    return fault.report("N105", "missing `:`", "end the line with `:`", fix=fix)


def _keyword_as_name(fault: Fault) -> Diagnostic | None:
    text = fault.token.text
    if fault.kind != RESERVED and text not in HARD:
        return None
    only_name = fault.accepts("NAME") and not fault.accepts("INT")
    assigned = fault.after is not None and fault.after.kind == "ASSIGN"
    if not only_name and not assigned:
        return None
    owner = "Python's" if fault.kind == RESERVED else "a keyword"
    message = f"`{text}` is {owner} and no name"
    return fault.report("N124", message, f"did you mean `{text}_`?")


def _python(fault: Fault) -> Diagnostic | None:
    if fault.kind != RESERVED:
        return None
    text = fault.token.text
    return fault.report("N122", f"`{text}` is Python", PYTHON[text])


def _chained_comparison(fault: Fault) -> Diagnostic | None:
    if fault.kind not in _COMPARE or not fault.accepts("PLUS"):
        return None
    help = "write `a < b and b < c`"
    return fault.report("N127", "comparisons do not chain", help)


def _assignment_in_condition(fault: Fault) -> Diagnostic | None:
    if fault.kind != "ASSIGN" or not fault.accepts("EQ"):
        return None
    index = fault.failure.index
    kinds = {token.kind for token in fault.line.tokens[:index]}
    if not kinds & {"IF", "ELIF", "REQUIRE", "RETURN"} and not fault.inside:
        return None
    fix = Fix(fault.span(fault.token), "==")
    return fault.report("N121", "`=` assigns", "did you mean `==`?", fix=fix)


def _second_assignment(fault: Fault) -> Diagnostic | None:
    if fault.kind != "ASSIGN" or not fault.accepts("EQ"):
        return None
    help = "write each assignment on a line of its own"
    return fault.report("N120", "unexpected `=`", help)


def _arrow_to_nothing(fault: Fault) -> Diagnostic | None:
    if not fault.comes_after("ARROW") or fault.kind not in (*_ENDS, "ARROW", "AS"):
        return None
    help = "write what the value flows into: `-> Linear(n)`"
    return fault.report("N125", "nothing after `->`", help, at=fault.before)


def _arrow_from_nothing(fault: Fault) -> Diagnostic | None:
    if fault.kind != "ARROW":
        return None
    if fault.comes_after("NAME", "RPAR", "RSQB", *_LITERALS):
        help = "put what it joins into parentheses: `(x -> f)`, `(x : [B]) -> f`"
        return fault.report("N120", "`->` cannot stand here", help)
    help = "write what flows in: `x -> Linear(n)`"
    return fault.report("N125", "nothing before `->`", help)


def _body_on_the_line(fault: Fault) -> Diagnostic | None:
    head = fault.first.text in HEADS and fault.comes_after("COLON")
    if not head or not fault.accepts(END):
        return None
    help = "begin a new line, indented by four spaces"
    return fault.report("N108", "the body stands on lines of its own", help)


def _use_without_from(fault: Fault) -> Diagnostic | None:
    if fault.first.kind != "USE":
        return None
    help = 'write `use Name from "file.nnx"`'
    if fault.accepts("FROM") and fault.kind in ("STRING", END):
        return fault.report("N137", "missing `from`", help)
    if fault.comes_after("FROM"):
        return fault.report("N137", "missing path", help, label="expected a string")
    return None


def _half_a_scan(fault: Fault) -> Diagnostic | None:
    missing = [k for k in ("IN", "OVER", "WITH") if fault.accepts(k)]
    if fault.first.kind != "SCAN" or fault.inside or not missing:
        return None
    help = "write `scan xt in x over T with h = zeros([B, d]):`"
    return fault.report("N120", f"missing `{_SPELLING[missing[0]]}`", help)


def _nameless_collect(fault: Fault) -> Diagnostic | None:
    if fault.first.kind != "COLLECT" or not fault.accepts("ASSIGN"):
        return None
    help = "name all of them: `collect ys = y`"
    return fault.report("N120", "missing `=`", help)


def _unknown_statement(fault: Fault) -> Diagnostic | None:
    names = fault.first.kind == "NAME" and fault.kind in ("NAME", "STRING")
    if fault.failure.index != 1 or not names:
        return None
    return unknown_statement(fault.source, fault.first, BODY | WEIGHTS)


def unknown_statement(
    source: Source, first: Token, words: frozenset[str]
) -> Diagnostic:
    """N133, for a line whose first word begins no statement."""
    help = did_you_mean(first.text, words)
    span = Span(source, first.start, first.end)
    message = f"no statement begins with `{first.text}`"
    return Diagnostic("N133", message, Label(span), help=help)


def _missing_comma(fault: Fault) -> Diagnostic | None:
    if fault.kind not in _OPERANDS or not fault.accepts("COMMA"):
        return None
    what = "`,` or operator" if fault.accepts("PLUS") else "`,`"
    return fault.report("N126", f"missing {what} before `{fault.token.text}`")


def _untyped_field(fault: Fault) -> Diagnostic | None:
    untyped = fault.first.kind in _DECLARES and fault.comes_after("NAME")
    if not untyped or not fault.accepts("COLON") or fault.accepts("PLUS"):
        return None
    assert fault.before is not None
    name = fault.before.text
    help = f"write the shape: `{name}: [B, d]`, `{name}: int[B]`"
    return fault.report("N120", f"`{name}` has no type", help, at=fault.before)


def _half_a_choice(fault: Fault) -> Diagnostic | None:
    if not fault.accepts("ELSE") or fault.kind not in _ENDS:
        return None
    return fault.report("N120", "missing `else`", "write `a if condition else b`")


def _several_values(fault: Fault) -> Diagnostic | None:
    kinds = {token.kind for token in fault.line.tokens[: fault.failure.index]}
    if fault.kind != "COMMA" or fault.inside or "ASSIGN" not in kinds:
        return None
    help = "write an assignment for each value"
    return fault.report("N120", "`=` takes one value", help)


def _unary_plus(fault: Fault) -> Diagnostic | None:
    if fault.kind != "PLUS" or not fault.accepts("MINUS"):
        return None
    return fault.report("N120", "unexpected `+`", "there is no sign `+`; leave it out")


def _comprehension(fault: Fault) -> Diagnostic | None:
    if fault.kind != "FOR" or not fault.inside:
        return None
    help = (
        "a `for` of its own fills a list: `xs = []`, and in the loop `xs.append(...)`"
    )
    return fault.report("N120", "unexpected `for`", help)


def _unexpected(fault: Fault) -> Diagnostic:
    end = fault.kind == END
    what = "end of line" if end else f"`{fault.token.text}`"
    return fault.report("N120", f"unexpected {what}", label=_expected(fault))


def _expected(fault: Fault) -> str:
    row = STATES[fault.failure.states[-1]]
    kinds = {kind for kind in row if (kind.isupper() or kind == END)}
    kinds = {kind for kind in kinds if fault.accepts(kind)}
    words: list[str] = []
    if {"NAME", "INT"} <= kinds:
        words.append("a value")
        kinds = kinds & {"RPAR", "RSQB", END}
    elif "NAME" in kinds:
        words.append("a name")
    elif "STRING" in kinds:
        words.append("a string")
    if "PLUS" in kinds:
        words.append("an operator")
        kinds -= _OPERATORS
    words += sorted(f"`{_SPELLING[kind]}`" for kind in kinds if kind in _SPELLING)
    if END in kinds:
        words.append("the end of the line")
    if not words or len(words) > 5:
        return ""
    *most, last = words
    return "expected " + (f"{', '.join(most)} or {last}" if most else last)


_EXPLANATIONS: tuple[Explanation, ...] = (
    missing_colon,
    _keyword_as_name,
    _python,
    _chained_comparison,
    _assignment_in_condition,
    _second_assignment,
    _arrow_to_nothing,
    _arrow_from_nothing,
    _body_on_the_line,
    _use_without_from,
    _half_a_scan,
    _nameless_collect,
    _unknown_statement,
    _half_a_choice,
    _missing_comma,
    _untyped_field,
    _several_values,
    _unary_plus,
    _comprehension,
)
