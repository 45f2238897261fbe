"""Signs that join values in no way that there is."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, Fix, meant, write
from ...source import Span
from ..tokens import END
from . import habits
from .fault import Fault
from .token_kinds import COMPARE, ENDS, OPERANDS, VALUES


def chained_comparison(fault: Fault) -> Diagnostic | None:
    if fault.kind not in COMPARE or not fault.accepts("PLUS"):
        return None
    advice: str | Advice = "write `a < b and b < c`"
    index = fault.failure.index
    if index >= 3 and fault.line.tokens[index - 2].kind in COMPARE:
        between = fault.line.tokens[index - 1]
        fix = Fix(fault.span(fault.token), f"and {between.text} {fault.token.text}")
        advice = {"help": "write `a < b and b < c`", "fix": fix}
    return fault.report("N127", "comparisons do not chain", advice)


def assignment_in_condition(fault: Fault) -> Diagnostic | None:
    if fault.kind != "ASSIGN" or not fault.accepts("EQ"):
        return None
    index = fault.failure.index
    kinds = {token.kind for token in fault.line.tokens[:index]}
    if not kinds & {"IF", "ELIF", "REQUIRE", "RETURN"} and not fault.inside:
        return None
    return fault.report("N121", "`=` assigns", meant(fault.span(fault.token), "=="))


def bar(fault: Fault) -> Diagnostic | None:
    """`x | Linear(3)`."""
    if fault.token.text != "|" or fault.inside:
        return None
    bars = re.search(r"\|([\w.]+)\|", fault.rest(fault.token).text)
    if bars is not None and bars.start() == 0 and not fault.accepts("ARROW"):
        place = Span(fault.source, fault.token.start, fault.token.start + bars.end())
        advice = write(place, f"abs({bars[1]})")
        return fault.report("N138", "`|` is no operator here", advice)
    advice = meant(fault.span(fault.token), "->")
    return fault.report("N138", "`|` is no operator here", advice)


def second_assignment(fault: Fault) -> Diagnostic | None:
    if fault.kind != "ASSIGN" or not fault.accepts("EQ"):
        return None
    help = "write each assignment on a line of its own"
    return fault.report("N120", "unexpected `=`", help)


def arrow_to_nothing(fault: Fault) -> Diagnostic | None:
    if not fault.comes_after("ARROW") or fault.kind not in (*ENDS, "ARROW", "AS"):
        return None
    help = "write what the value flows into: `-> Linear(n)`"
    advice: Advice = {"help": help}
    if fault.kind == END and fault.before is not None:
        below = _below(fault)
        if below is not None:
            start = len(fault.source.text[: fault.before.start].rstrip())
            place = Span(fault.source, start, below.start)
            fix = Fix(place, f"{_gap(fault, below)}-> ")
            advice = {"help": "the arrow begins the next line", "fix": fix}
    return fault.report("N125", "nothing after `->`", advice, at=fault.before)


def _below(fault: Fault) -> Span | None:
    """Where the line below begins, if it goes on with this one."""
    text, end = fault.source.text, fault.line.tokens[-1].end
    found = re.compile(r"[ \t]*(?:#[^\n]*)?\n(?P<gap> +)(?=\S)").match(text, end)
    if found is None:
        return None
    more = len(found["gap"]) - fault.line.indent
    begins = any(t.kind in ("ASSIGN", "RETURN") for t in fault.line.tokens)
    goes_on = more > 0 if begins else more >= 0
    return Span(fault.source, found.end(), found.end()) if goes_on else None


def _gap(fault: Fault, below: Span) -> str:
    """The line end and indentation before what stands below."""
    column = fault.source.position(below.start)[1] - 1
    return "\n" + " " * column


def arrow_from_nothing(fault: Fault) -> Diagnostic | None:
    if fault.kind != "ARROW":
        return None
    if fault.comes_after("NAME", "RPAR", "RSQB", *VALUES):
        help = "put what it joins into parentheses: `(x -> f)`, `(x : [B]) -> f`"
        return fault.report("N120", "`->` cannot stand here", help)
    help = "write what flows in: `x -> Linear(n)`"
    return fault.report("N125", "nothing before `->`", help)


def missing_comma(fault: Fault) -> Diagnostic | None:
    if fault.kind not in OPERANDS or not fault.accepts("COMMA"):
        return None
    what = "`,` or operator" if fault.accepts("PLUS") else "`,`"
    advice: Advice = {}
    names = fault.kind == "NAME" and fault.comes_after("NAME")
    if fault.inside and names and fault.before is not None:
        gap = Span(fault.source, fault.before.end, fault.before.end)
        advice = {"help": "put `,` between", "fix": Fix(gap, ",")}
    return fault.report("N126", f"missing {what} before `{fault.token.text}`", advice)


def not_in(fault: Fault) -> Diagnostic | None:
    """`a not in b`: `not` stands before all of it."""
    if fault.kind != "NOT" or fault.after is None or fault.after.kind != "IN":
        return None
    if fault.before is None or fault.before.kind in _OPENING:
        return None
    left = _operand(fault)
    place = left.to(fault.span(fault.after))
    return fault.report("N120", "unexpected `not`", write(place, f"not {left.text} in"))


def arithmetic_after_as(fault: Fault) -> Diagnostic | None:
    """`x -> f as name * 2`: what arrows give stands in parentheses."""
    at = fault.line.tokens.index(fault.token) if fault.kind != END else 0
    if at < 2 or fault.line.tokens[at - 2].kind != "AS":
        return None
    if fault.token.text not in ("+", "-", "*", "/"):
        return None
    left, why = _operand(fault), "arithmetic stands outside of arrows"
    advice = write(left, f"({left.text})", why)
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def _operand(fault: Fault) -> Span:
    """What stands before the token at fault, as far as its brackets or the word before."""
    tokens = fault.line.tokens
    end = at = tokens.index(fault.token)
    depth = 0
    while at and (depth or tokens[at - 1].kind not in _OPENING):
        at -= 1
        depth += (tokens[at].text in ")]") - (tokens[at].text in "([")
    return Span(fault.source, tokens[at].start, tokens[end - 1].end)


_OPENING = (
    *("IF", "ELIF", "AND", "OR", "NOT", "REQUIRE", "RETURN"),
    *("ASSIGN", "LPAR", "LSQB", "COMMA"),
)


def several_values(fault: Fault) -> Diagnostic | None:
    kinds = {token.kind for token in fault.line.tokens[: fault.failure.index]}
    if fault.kind != "COMMA" or fault.inside or "ASSIGN" not in kinds:
        return None
    return fault.report("N120", "`=` takes one value", habits.each_value(fault))


def unary_plus(fault: Fault) -> Diagnostic | None:
    if fault.kind != "PLUS" or not fault.accepts("MINUS"):
        return None
    return fault.report("N120", "unexpected `+`", "there is no sign `+`; leave it out")
