"""Says what is wrong with a line: the token that fits nowhere, and what was meant.

The explanations are tried in order; each is a function of the fault that returns None
where it does not apply. The last always applies.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..diagnostics import (
    Advice,
    Diagnostic,
    Fix,
    Label,
    did_you_mean,
    meant,
    remove,
    write,
)
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


CONTINUES = (_COMPARE | _OPERATORS | {"COMMA", "ASSIGN", "VBAR"}) - {
    "AS",
    "IF",
    "LPAR",
    "LSQB",
    "ARROW",
}
"""What begins no line, and shows that it goes on with the one above."""


class Fault(Record):
    """A line, and where it fails."""

    source: Source
    line: Line
    failure: Failure
    body_end: int = 0  # of the lines below that are indented deeper

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
        advice: str | Advice = "",
        *,
        at: Token | None = None,
        label: str = "",
    ) -> Diagnostic:
        span = self.span(at or self.token)
        more: Advice = {"help": advice} if isinstance(advice, str) else advice
        if not more.get("help"):
            more = {}
        return Diagnostic(code, message, Label(span, label), **more)

    def rest(self, token: Token) -> Span:
        """From a token to the end of the line."""
        return Span(self.source, token.start, self.line.tokens[-1].end)

    @property
    def whole_line(self) -> Span:
        return line_span(self.source, self.line)

    def span(self, token: Token) -> Span:
        """The token's place; the end of a line is shown by its last character."""
        if token.kind == END:
            return Span(self.source, token.end, token.end)
        return Span(self.source, token.start, token.end)


def line_span(source: Source, line: Line) -> Span:
    """A line with its indentation and its end."""
    start = source.text.rfind("\n", 0, line.tokens[0].start) + 1
    end = source.text.find("\n", line.tokens[-1].end) + 1 or len(source.text)
    return Span(source, start, end)


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
    return fault.report(
        "N105", "missing `:`", {"help": "end the line with `:`", "fix": fix}
    )


def _comment(fault: Fault) -> Diagnostic | None:
    """`// a comment`: what stands before it is a whole line."""
    tokens = fault.line.tokens
    for index, token in enumerate(tokens[: fault.failure.index + 1]):
        if token.kind == "FLOOR" and (
            index == 0 or fault.failure.whole(tokens[:index])
        ):
            help = "comments begin with `#`"
            advice: Advice = {"help": help, "fix": Fix(fault.span(token), "#")}
            return fault.report("N138", "`//` divides", advice, at=token)
    return None


def _decorator(fault: Fault) -> Diagnostic | None:
    if fault.first.kind != "AT":
        return None
    advice = remove(fault.whole_line, "definitions have no decorators: leave it out")
    return fault.report("N122", "a decorator is Python", advice, at=fault.first)


def _else_if(fault: Fault) -> Diagnostic | None:
    if fault.kind != "IF" or not fault.comes_after("ELSE") or fault.failure.index != 1:
        return None
    span = fault.span(fault.first).to(fault.span(fault.token))
    return fault.report("N120", "unexpected `if`", write(span, "elif"))


def _increment(fault: Fault) -> Diagnostic | None:
    """`x++`, `x--`."""
    kinds = [token.kind for token in fault.line.tokens]
    if kinds not in (["NAME", "PLUS", "PLUS", END], ["NAME", "MINUS", "MINUS", END]):
        return None
    sign = fault.line.tokens[1].text
    text = f"{fault.first.text} {sign}= 1"
    span = fault.rest(fault.first)
    at = fault.line.tokens[1]
    return fault.report(
        "N138", f"`{sign}{sign}` is no operator here", write(span, text), at=at
    )


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
    return fault.report("N124", message, meant(fault.span(fault.token), f"{text}_"))


def _python(fault: Fault) -> Diagnostic | None:
    if fault.kind != RESERVED:
        return None
    return python(fault.source, fault.line, fault.token)


def python(source: Source, line: Line, token: Token) -> Diagnostic:
    """N122, for a line with a word of Python."""
    word, span = token.text, Span(source, token.start, token.end)
    advice: Advice = {"help": PYTHON[word]}
    if word == "is":
        after = line.tokens[line.tokens.index(token) + 1]
        right = "==" if after.kind != "NOT" else "!="
        at = line.tokens.index(token) + 1 + (after.kind == "NOT")
        if line.tokens[at].kind in ("NONE", "TRUE", "FALSE"):
            right, at = f"{right} {line.tokens[at].text.lower()}", at + 1
        last = line.tokens[at - 1]
        advice = write(span.to(Span(source, last.start, last.end)), right)
    elif word in ("import", "del", "global", "nonlocal"):
        advice = remove(line_span(source, line), f"{PYTHON[word]}; leave it out")
    elif word == "assert":
        advice = {"help": PYTHON[word], "fix": Fix(span, "require")}
    return Diagnostic("N122", f"`{word}` is Python", Label(span), **advice)


def _chained_comparison(fault: Fault) -> Diagnostic | None:
    if fault.kind not in _COMPARE or not fault.accepts("PLUS"):
        return None
    advice: str | Advice = "write `a < b and b < c`"
    index = fault.failure.index
    if index >= 3 and fault.line.tokens[index - 2].kind in _COMPARE:
        between = fault.line.tokens[index - 1]
        fix = Fix(fault.span(fault.token), f"and {between.text} {fault.token.text}")
        advice = {"help": "write `a < b and b < c`", "fix": fix}
    return fault.report("N127", "comparisons do not chain", advice)


def _assignment_in_condition(fault: Fault) -> Diagnostic | None:
    if fault.kind != "ASSIGN" or not fault.accepts("EQ"):
        return None
    index = fault.failure.index
    kinds = {token.kind for token in fault.line.tokens[:index]}
    if not kinds & {"IF", "ELIF", "REQUIRE", "RETURN"} and not fault.inside:
        return None
    return fault.report("N121", "`=` assigns", meant(fault.span(fault.token), "=="))


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
    assert fault.before is not None
    margin = "\n" + " " * (fault.line.indent + 4)
    place = Span(fault.source, fault.before.end, fault.token.start)
    help = "begin a new line, indented by four spaces"
    advice: Advice = {"help": help, "fix": Fix(place, margin)}
    return fault.report("N108", "the body stands on lines of its own", advice)


def _use_without_from(fault: Fault) -> Diagnostic | None:
    if fault.first.kind != "USE":
        return None
    help = 'write `use Name from "file.nnx"`'
    if fault.kind == "STRING" and fault.failure.index == 1:
        return fault.report("N137", "`use` names what it brings", help)
    if fault.accepts("FROM") and fault.kind in ("STRING", END):
        return fault.report("N137", "missing `from`", help)
    if fault.comes_after("FROM"):
        return fault.report("N137", "missing path", help, label="expected a string")
    return None


def _half_a_scan(fault: Fault) -> Diagnostic | None:
    seen = {token.kind for token in fault.line.tokens[: fault.failure.index]}
    wanted = [k for k in ("IN", "OVER", "WITH") if k not in seen]
    missing = [k for k in wanted if fault.accepts(k)]
    if fault.first.kind != "SCAN" or fault.inside or not missing:
        return None
    help = "write `scan xt in x over T with h = zeros([B, d]):`"
    advice = _scan_of_range(fault) or help
    return fault.report("N120", f"missing `{_SPELLING[missing[0]]}`", advice)


def _scan_of_range(fault: Fault) -> Advice | None:
    """`scan t in range(T) with ...`: steps are counted by what the scan goes over."""
    match [t.text for t in fault.line.tokens[:7]]:
        case ["scan", name, "in", "range" | "arange", "(", size, ")"]:
            place = Span(fault.source, fault.first.start, fault.line.tokens[6].end)
            below = fault.source.text[fault.line.tokens[-1].end :]
            used = re.search(rf"\b{name}\b", below)
            counted = f"scan {name} in arange({size}) over {size}"
            return write(place, counted if used else f"scan over {size}")
    return None


def _carries_in_parentheses(fault: Fault) -> Diagnostic | None:
    """`with (h, c) = (a, b)`."""
    if (
        fault.first.kind != "SCAN"
        or fault.kind != "LPAR"
        or not fault.comes_after("WITH")
    ):
        return None
    tokens = fault.line.tokens
    sides = _in_parentheses(fault, fault.failure.index)
    advice: str | Advice = "name each with its beginning: `with h = a, c = b:`"
    if (
        sides
        and tokens[sides[1]].kind == "ASSIGN"
        and tokens[sides[1] + 1].kind == "LPAR"
    ):
        values = _in_parentheses(fault, sides[1] + 1)
        if values and len(values[0]) == len(sides[0]):
            text = ", ".join(
                f"{n} = {v}" for n, v in zip(sides[0], values[0], strict=True)
            )
            place = Span(fault.source, fault.token.start, tokens[values[1] - 1].end)
            advice = write(place, text)
    return fault.report("N120", "each carry has a name of its own", advice)


def _in_parentheses(fault: Fault, index: int) -> tuple[list[str], int] | None:
    """The texts between the commas of a bracket that begins there, and the index after it."""
    tokens, depth, parts = fault.line.tokens, 0, []
    start = tokens[index].end
    for at in range(index, len(tokens)):
        token = tokens[at]
        depth += (token.kind in ("LPAR", "LSQB")) - (token.kind in ("RPAR", "RSQB"))
        if (depth == 1 and token.kind == "COMMA") or depth == 0:
            parts.append(fault.source.text[start : token.start].strip())
            start = token.end
        if depth == 0:
            return [part for part in parts if part], at + 1
    return None


def _nameless_metric(fault: Fault) -> Diagnostic | None:
    if fault.first.kind != "METRIC" or not fault.accepts("ASSIGN"):
        return None
    called = fault.kind == "LPAR" and fault.failure.index == 2
    if not called:
        return None
    value = fault.line.tokens[1]
    text = f"{value.text} = {fault.rest(value).text}"
    return fault.report("N120", "missing `=`", write(fault.rest(value), text))


def _path_of_others(fault: Fault) -> Diagnostic | None:
    """`freeze fc.*`, `freeze "fc"`."""
    if fault.first.kind not in ("FREEZE", "ONLY", "ADAPT"):
        return None
    if fault.kind == "STAR" and fault.comes_after("DOT") and fault.before:
        place = fault.span(fault.before).to(fault.span(fault.token))
        advice = remove(place, "a path names all that is inside: leave out `.*`")
        return fault.report("N120", "unexpected `*`", advice)
    if fault.kind == "STRING" and fault.accepts("NAME"):
        path = fault.token.text[1:-1]
        advice = write(fault.span(fault.token), path.removesuffix(".*"))
        return fault.report("N120", "a path has no quotes", advice)
    return None


def _generate_with_more(fault: Fault) -> Diagnostic | None:
    """`generate Lm(temperature=0.7)`, `generate Lm:`."""
    if fault.first.kind != "GENERATE" or fault.failure.index != 2:
        return None
    place = Span(fault.source, fault.token.start, fault.body_end)
    why = f"how many tokens and how they are drawn is said in the call: write `generate {fault.line.tokens[1].text}`"
    return fault.report("N120", f"unexpected `{fault.token.text}`", remove(place, why))


def _colon_for_equals(fault: Fault) -> Diagnostic | None:
    if fault.kind != "COLON" or not fault.accepts("ASSIGN") or fault.accepts("PLUS"):
        return None
    place = fault.span(fault.token)
    spaced = fault.source.text[fault.token.end : fault.token.end + 1] == " "
    fix = Fix(place, " =" if spaced else " = ")
    return fault.report("N120", "unexpected `:`", {"help": "write `=`", "fix": fix})


def _misplaced_module(fault: Fault) -> Diagnostic | None:
    """`extern f(...) -> [...]`, with its module behind or nowhere."""
    if (
        fault.first.kind != "EXTERN"
        or fault.kind == "STRING"
        or fault.failure.index != 1
    ):
        return None
    tokens = fault.line.tokens
    ends = tokens[-3].text == "from" and tokens[-2].kind == "STRING"
    module = tokens[-2].text if ends else f'"{fault.token.text}.py"'
    stop = tokens[-4].end if ends else tokens[-1].end
    signature = fault.source.text[fault.token.start : stop]
    place = fault.rest(fault.token)
    advice = write(place, f"{module} {signature}", "the module stands first")
    return fault.report("N120", "missing module", advice)


def _typed_parameter(fault: Fault) -> Diagnostic | None:
    """`model Net(d: int = 8)`."""
    heads = fault.first.kind in ("MODEL", "BLOCK")
    if not heads or fault.kind != "COLON" or not fault.inside:
        return None
    place = fault.rest(fault.token)
    close = place.text.rindex(")") if ")" in place.text else len(place.text)
    typed = re.compile(r" *: *[\w.]+(\[[^\]]*\])?(?: *\| *\w+)?(?= *[=,]|$)")
    text = typed.sub("", place.text[:close]) + place.text[close:]
    why = "what a parameter is follows from its use: leave its type out"
    advice: Advice = {"help": why, "fix": Fix(place, text)}
    return fault.report("N120", "a parameter has no type", advice)


def _returned_type(fault: Fault) -> Diagnostic | None:
    """`model Net(d) -> Tensor:`."""
    if fault.first.kind not in ("MODEL", "BLOCK") or fault.kind != "ARROW":
        return None
    tokens = fault.line.tokens
    stop = tokens[-2] if tokens[-2].kind == "COLON" else tokens[-1]
    place = Span(
        fault.source,
        fault.before.end if fault.before else fault.token.start,
        stop.start,
    )
    advice = remove(place, "what is returned follows: leave the type out")
    return fault.report("N120", "a definition has no type", advice)


def _starred(fault: Fault) -> Diagnostic | None:
    """`*args`, `**kwargs`."""
    if fault.kind not in ("STAR", "POWER") or not fault.comes_after("COMMA", "LPAR"):
        return None
    before, after = fault.before, fault.after
    head = fault.first.kind in ("MODEL", "BLOCK")
    if not head or before is None or after is None:
        return fault.report(
            "N122",
            f"`{fault.token.text}` before an argument is Python",
            "write each argument",
        )
    begin = before.start if before.kind == "COMMA" else before.end
    place = Span(fault.source, begin, after.end)
    advice = remove(place, "a definition says all that it takes: leave it out")
    return fault.report("N122", f"`{fault.token.text}{after.text}` is Python", advice)


def _prefixed_string(fault: Fault) -> Diagnostic | None:
    """`f"..."`."""
    string = {fault.kind: fault.token, "NAME": fault.after}.get(fault.kind)
    prefix = fault.before if fault.kind == "STRING" else fault.token
    if string is None or prefix is None or string.kind != "STRING":
        return None
    if prefix.end != string.start or len(prefix.text) > 2 or prefix.kind != "NAME":
        return None
    advice = remove(fault.span(prefix), f"texts are plain: leave out `{prefix.text}`")
    message = f"`{prefix.text}` before a text is Python"
    return fault.report("N122", message, advice, at=prefix)


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
    span = Span(source, first.start, first.end)
    message = f"no statement begins with `{first.text}`"
    advice = did_you_mean(span, first.text, words)
    return Diagnostic("N133", message, Label(span), **advice)


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
    advice: str | Advice = f"write the shape: `{name}: [B, d]`, `{name}: int[B]`"
    if fault.kind == "LSQB":
        gap = Span(fault.source, fault.before.end, fault.token.start)
        advice = write(fault.span(fault.before).to(gap), f"{name}: ")
        advice["help"] = f"write `{name}: {fault.rest(fault.token).text}`"
    return fault.report("N120", f"`{name}` has no type", advice, at=fault.before)


def _round_shape(fault: Fault) -> Diagnostic | None:
    """`input x: (B, d)`."""
    declares = fault.first.kind in _DECLARES
    if not declares or fault.kind != "LPAR" or not fault.comes_after("COLON"):
        return None
    sides = _in_parentheses(fault, fault.failure.index)
    if sides is None:
        return None
    place = Span(fault.source, fault.token.start, fault.line.tokens[sides[1] - 1].end)
    advice = write(place, f"[{', '.join(sides[0])}]")
    return fault.report("N120", "a shape stands in `[...]`", advice)


def _half_a_choice(fault: Fault) -> Diagnostic | None:
    if not fault.accepts("ELSE") or fault.kind not in _ENDS:
        return None
    return fault.report("N120", "missing `else`", "write `a if condition else b`")


def _several_values(fault: Fault) -> Diagnostic | None:
    kinds = {token.kind for token in fault.line.tokens[: fault.failure.index]}
    if fault.kind != "COMMA" or fault.inside or "ASSIGN" not in kinds:
        return None
    return fault.report("N120", "`=` takes one value", _each_value(fault))


def _each_value(fault: Fault) -> str | Advice:
    """`a, b = x, y` as two lines."""
    names, _, values = fault.rest(fault.first).text.partition("=")
    left, right = _parts(names), _parts(values)
    if len(left) != len(right) or "#" in values:
        return "write an assignment for each value"
    margin = "\n" + " " * fault.line.indent
    text = margin.join(f"{n} = {v}" for n, v in zip(left, right, strict=True))
    return write(fault.rest(fault.first), text)


def _parts(text: str) -> list[str]:
    """A text divided at the commas outside of brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]


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
    return fault.report(
        "N120", "unexpected `for`", _without_comprehension(fault) or help
    )


_COMPREHENSION = re.compile(
    r"(?P<around>[\w.]*\(?)\[(?P<item>.+) for (?P<name>\w+) in (?P<over>.+)\](?P<close>\)?)"
)


def _without_comprehension(fault: Fault) -> Advice | None:
    """`xs = [item for i in over]`: a stack of layers, or a loop."""
    line = fault.rest(fault.first)
    target, equals, value = line.text.partition(" = ")
    found = _COMPREHENSION.fullmatch(value)
    if not equals or found is None or not target.isidentifier():
        return None
    item, name, over = found["item"], found["name"], found["over"]
    counted = re.fullmatch(r"range\((\w+)\)", over)
    if item[:1].isupper() or re.match(r"nn\w*\.", item):
        if counted is None or re.search(rf"\b{name}\b", item):
            return None
        return write(line, f"{target} = {item} * {counted[1]}", "`*` stacks layers")
    if found["around"] or " if " in over:
        return None
    margin = "\n" + " " * fault.line.indent
    text = (
        f"{target} = []{margin}for {name} in {over}:{margin}    {target}.append({item})"
    )
    return write(line, text)


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
    _comment,
    _decorator,
    _else_if,
    _increment,
    _carries_in_parentheses,
    _misplaced_module,
    _starred,
    _returned_type,
    _generate_with_more,
    _prefixed_string,
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
    _nameless_metric,
    _path_of_others,
    _typed_parameter,
    _round_shape,
    _colon_for_equals,
    _nameless_collect,
    _unknown_statement,
    _half_a_choice,
    _missing_comma,
    _untyped_field,
    _several_values,
    _unary_plus,
    _comprehension,
)
