"""Values and declarations as people write them out of habit."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, Fix, remove, write
from ...source import Span
from ..tokens import END
from .fault import DECLARES, Fault


def typed_value(fault: Fault) -> Diagnostic | None:
    """`n: int = 3`, `h: [B, d] = x -> Linear(d)`."""
    line = fault.rest(fault.first)
    found = re.fullmatch(r"(\w+) *: *(?=\S)[\w.]*(?:\[[^\]]*\])? *= *(.+)", line.text)
    if fault.kind != "ASSIGN" or found is None or fault.first.kind != "NAME":
        return None
    advice = write(line, f"{found[1]} = {found[2]}", "what a value is follows")
    return fault.report("N120", "a value has no type", advice)


def empty_tuple(fault: Fault) -> Diagnostic | None:
    """`xs = ()`, `f(x, ())`."""
    if fault.kind != "RPAR" or not fault.comes_after("LPAR") or fault.failure.index < 2:
        return None
    opens = ("ASSIGN", "COMMA", "LPAR")
    if fault.line.tokens[fault.failure.index - 2].kind not in opens:
        return None
    assert fault.before is not None
    place = fault.span(fault.before).to(fault.span(fault.token))
    return fault.report(
        "N122", "a tuple is Python", write(place, "[]"), at=fault.before
    )


def half_a_choice(fault: Fault) -> Diagnostic | None:
    """`x = relu(x) if deep`: without it, the name keeps its value."""
    ends = (END, "RPAR", "RSQB", "COMMA", "COLON", "VBAR")
    if not fault.accepts("ELSE") or fault.kind not in ends:
        return None
    advice: str | Advice = "write `a if condition else b`"
    tokens = fault.line.tokens
    if fault.kind == END and [t.kind for t in tokens[:2]] == ["NAME", "ASSIGN"]:
        name = tokens[0].text
        above = fault.source.text[: tokens[0].start]
        if not re.search(rf"\b{name} *[:=]", above):
            return fault.report("N120", "missing `else`", advice)
        rest = f"else {name}"
        fix = Fix(fault.span(fault.token), f" {rest}")
        advice = {"help": f"write `a if condition {rest}`", "fix": fix}
    return fault.report("N120", "missing `else`", advice)


_SHAPED = re.compile(
    r"(?P<name>\w+) *= *(?:\w+\.)*(?P<made>\w+)\((?P<shape>[^()]*|\([^()]*\))\)"
)
_MAKES = (
    "zeros",
    "ones",
    "normal",
    "uniform",
    "full",
    "Parameter",
    "constant",
    "lecun_normal",
)
_WRAPPED = re.compile(r"(\w+) *= *(?:\w+\.)*(?:Parameter|Param|Variable)\((.*)\)")
_BEGINS = {"randn": "normal", "rand": "uniform", "empty": "zeros"}


def _unwrapped(fault: Fault, line: Span) -> Diagnostic | None:
    """`param g = Parameter(torch.ones(d))`."""
    found = _WRAPPED.fullmatch(line.text)
    inner = _SHAPED.fullmatch(f"{found[1]} = {found[2]}") if found else None
    if found is None or inner is None:
        return None
    made = _BEGINS.get(inner["made"], inner["made"])
    text = f"{found[1]}: [{inner['shape'].strip('()[], ')}] = {made}"
    advice = write(line, text, "the shape stands first")
    return fault.report("N120", f"`{found[1]}` has no type", advice, at=fault.before)


def shape_by_value(fault: Fault) -> Diagnostic | None:
    """`param w = zeros(d)`: the shape stands before what it begins as."""
    if fault.first.kind not in ("PARAM", "STATE") or fault.kind != "ASSIGN":
        return None
    if fault.before is None or not fault.comes_after("NAME"):
        return None
    line = fault.rest(fault.before)
    if wrapped := _unwrapped(fault, line):
        return wrapped
    found = _SHAPED.fullmatch(line.text.partition("#")[0].rstrip())
    name = fault.before.text
    advice: str | Advice = f"write its shape: `{name}: [d] = zeros`"
    made = found and _BEGINS.get(found["made"], found["made"])
    if made not in _MAKES:
        given = Span(fault.source, fault.token.start, line.end)
        value = given.text.partition("#")[0].rstrip()
        if re.search(r"\d|\(", value):
            gap = Span(fault.source, line.start, fault.token.start)
            help = f"a single number has the shape `[]`: write `{name}: [] {value}`"
            advice = {"help": help, "fix": Fix(gap, f"{name}: [] ")}
    elif found is not None:
        shape = found["shape"].strip("()[], ")
        place = Span(fault.source, line.start, line.start + found.end())
        advice = write(place, f"{name}: [{shape}] = {made}", "the shape stands first")
    return fault.report("N120", f"`{name}` has no type", advice, at=fault.before)


def bar_between_masks(fault: Fault) -> Diagnostic | None:
    """`where(a | b, x, y)`."""
    if fault.token.text != "|" or not fault.inside or not fault.accepts("PLUS"):
        return None
    advice = write(fault.span(fault.token), "or")
    return fault.report("N138", "`|` is no operator here", advice)


def printed(fault: Fault) -> Diagnostic | None:
    """`print(f"...")`."""
    tokens = fault.line.tokens
    if fault.first.text != "print" or len(tokens) < 2 or tokens[1].kind != "LPAR":
        return None
    advice = remove(fault.whole_line, "a spec prints nothing: leave it out")
    return fault.report("N122", "`print` is Python", advice, at=fault.first)


def two_colons(fault: Fault) -> Diagnostic | None:
    """`model Net(d = 8)::`."""
    if fault.kind != "COLON" or not fault.comes_after("COLON"):
        return None
    advice = remove(fault.span(fault.token), "one is enough: leave it out")
    return fault.report("N120", "unexpected `:`", advice)


def colon_after_return(fault: Fault) -> Diagnostic | None:
    """`return: x`."""
    if fault.kind != "COLON" or fault.failure.index != 1 or fault.accepts("PLUS"):
        return None
    if fault.first.kind not in ("RETURN", "REQUIRE", "COLLECT", "INPUT", "BATCH"):
        return None
    advice = remove(fault.span(fault.token), "leave out the `:`")
    return fault.report("N120", "unexpected `:`", advice)


def long_arrow(fault: Fault) -> Diagnostic | None:
    """`x --> f`, `x - > f`."""
    if fault.kind not in ("ARROW", "GT") or not fault.comes_after("MINUS"):
        return None
    assert fault.before is not None
    place = fault.span(fault.before).to(fault.span(fault.token))
    message = f"`{place.text}` is no operator here"
    return fault.report("N138", message, write(place, "->"), at=fault.before)


def trailing_comma(fault: Fault) -> Diagnostic | None:
    """`return x,`."""
    if fault.kind != END or not fault.comes_after("COMMA") or fault.inside:
        return None
    assert fault.before is not None
    advice = remove(fault.span(fault.before), "leave out the `,`")
    return fault.report("N120", "nothing after `,`", advice, at=fault.before)


def words_behind(fault: Fault) -> Diagnostic | None:
    """`return x -> f the head`: a comment without its sign."""
    rest = fault.line.tokens[fault.failure.index : -1]
    if fault.inside or not fault.accepts(END) or len(rest) < 2:
        return None
    if any(token.kind != "NAME" for token in rest):
        return None
    gap = Span(fault.source, fault.token.start, fault.token.start)
    advice: Advice = {"help": "comments begin with `#`", "fix": Fix(gap, "# ")}
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def quoted_name(fault: Fault) -> Diagnostic | None:
    """`as "head"`, and `as head as top`."""
    if fault.kind == "STRING" and fault.comes_after("AS"):
        name = re.sub(r"[\W_]*\{.*", "", fault.token.text[1:-1])
        why = "a name has no quotes"
        if "{" in fault.token.text:
            why = "layers of a loop are a list of one name"
        advice = (
            write(fault.span(fault.token), name, why) if name.isidentifier() else why
        )
        return fault.report("N120", f"unexpected `{fault.token.text}`", advice)
    if fault.kind == "AS" and fault.comes_after("NAME"):
        return fault.report("N120", "unexpected `as`", "a layer has one name")
    return None


def empty_return(fault: Fault) -> Diagnostic | None:
    """`return`."""
    if fault.first.kind != "RETURN" or fault.kind != END or fault.failure.index != 1:
        return None
    help = "write what it gives: `return x`"
    return fault.report("N120", "nothing is returned", help, at=fault.first)


def odd_shape(fault: Fault) -> Diagnostic | None:
    """`input x: "B d"`, `input x: [*, d]`."""
    if fault.first.kind not in DECLARES:
        return None
    if fault.kind == "STRING" and fault.comes_after("COLON"):
        sizes = re.split(r"[ ,]+", fault.token.text[1:-1].strip("[]() "))
        advice = write(fault.span(fault.token), f"[{', '.join(sizes)}]")
        return fault.report("N120", "a shape stands in `[...]`", advice)
    if fault.kind == "STAR" and fault.inside:
        help = (
            "an axis of any size has a name, such as `B`; `...` is any number of axes"
        )
        return fault.report("N120", "unexpected `*`", help)
    return None


def carry_without_value(fault: Fault) -> Diagnostic | None:
    """`scan xt in x over T with h:`."""
    if fault.first.kind != "SCAN" or fault.kind not in ("COLON", "COMMA"):
        return None
    if fault.before is None or not fault.accepts("ASSIGN"):
        return None
    name = fault.before.text
    help = f"say what it begins as: `{name} = zeros([B, d])`"
    return fault.report("N120", f"`{name}` has no beginning", help)


def then_or_do(fault: Fault) -> Diagnostic | None:
    """`if deep then:`, `for i in range(3) do:`."""
    heads = ("IF", "ELIF", "FOR", "SCAN")
    if fault.token.text not in ("then", "do") or fault.first.kind not in heads:
        return None
    after = fault.after
    ends = after is None or after.kind in (END, "COLON")
    place = Span(fault.source, fault.token.start - 1, fault.token.end)
    advice = remove(place, f"leave out `{fault.token.text}`")
    if not ends and after is not None:
        place = Span(fault.source, place.start, after.start)
        margin = "\n" + " " * (fault.line.indent + 4)
        advice = {
            "help": "write `:`, and the body below",
            "fix": Fix(place, f":{margin}"),
        }
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


_CHOICE = re.compile(r"if (?P<test>.+?) then (?P<yes>.+?) else (?P<no>.+)")


def choice_first(fault: Fault) -> Diagnostic | None:
    """`x = if deep then a else b`."""
    if fault.kind != "IF" or not fault.comes_after("ASSIGN", "RETURN"):
        return None
    line = fault.rest(fault.token)
    found = _CHOICE.fullmatch(line.text)
    if found is None:
        return fault.report("N120", "unexpected `if`", "write `a if condition else b`")
    text = f"{found['yes']} if {found['test']} else {found['no']}"
    return fault.report("N120", "unexpected `if`", write(line, text))


def loop_in_brackets(fault: Fault) -> Diagnostic | None:
    """`for (i in range(n)):`, `for (i in n)`."""
    line = fault.rest(fault.first)
    found = re.fullmatch(r"for *\((\w+ in .+)\):", line.text)
    if fault.first.kind != "FOR" or found is None:
        return None
    return fault.report("N120", "unexpected `(`", write(line, f"for {found[1]}:"))


def check_or(fault: Fault) -> Diagnostic | None:
    """`require d > 0 else "d is positive"`."""
    if fault.first.kind != "REQUIRE" or fault.token.text not in (
        "else",
        "or",
        "otherwise",
    ):
        return None
    if fault.after is None or fault.after.kind != "STRING" or not fault.before:
        return None
    place = Span(fault.source, fault.before.end, fault.token.end)
    advice: Advice = {"help": "write `,`", "fix": Fix(place, ",")}
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)
