"""Says what is wrong with a line: the token that fits nowhere, and what was meant.

The explanations are tried in order; each is a function of the fault that returns None
where it does not apply. The last always applies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ...diagnostics import (
    Advice,
    Diagnostic,
    Fix,
    Label,
    closest,
    meant,
    remove,
    rename,
    write,
)
from ...source import Source, Span
from ..grammar import LITERALS
from ..lines import Line
from ..tokens import END, RESERVED, Token
from ..words import BODY, HARD, HEADS, INNER, PYTHON, WEIGHTS
from . import (
    habits,
    habits_declared,
    habits_heads,
    habits_sections,
    habits_values,
    habits_weights,
)
from .fault import DECLARES, Fault, line_span

_COMPARE = frozenset(("EQ", "NE", "LT", "LE", "GT", "GE"))
_LITERALS = frozenset(("INT", "FLOAT", "WINDOW", "STRING", "TRUE", "FALSE", "NONE"))
_OPERANDS = _LITERALS | {"NAME", "LSQB"}
_ENDS = frozenset((END, "RPAR", "RSQB", "COMMA", "COLON", "VBAR"))
_OPERATORS = _COMPARE | frozenset(
    ("PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "POWER", "AND", "OR", "IF")
) | frozenset(("ARROW", "AS", "DOT", "LPAR", "LSQB"))  # fmt: skip
_SPELLING = {kind: text for text, kind in LITERALS.items()}
_KINDS = {text: kind for text, kind in LITERALS.items() if text.isalpha()}


CONTINUES = (_COMPARE | _OPERATORS | {"COMMA", "ASSIGN", "VBAR"}) - {
    "AS",
    "IF",
    "LPAR",
    "LSQB",
    "ARROW",
}
"""What begins no line, and shows that it goes on with the one above."""


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


def _keyword_as_name(fault: Fault) -> Diagnostic | None:
    text = fault.token.text
    if fault.kind != RESERVED and text not in HARD:
        return None
    only_name = fault.accepts("NAME") and not fault.accepts("INT")
    assigned = fault.after is not None and fault.after.kind == "ASSIGN"
    named = fault.kind == RESERVED and _names_parameter(fault.source, text)
    if not only_name and not assigned and not named:
        return None
    owner = "Python's" if fault.kind == RESERVED else "a keyword"
    message = f"`{text}` is {owner} and no name"
    advice = meant(fault.span(fault.token), f"{text}_")
    quoted = re.search(rf"""["'][^"'\n]*\b{text}\b""", fault.source.text)
    if fault.kind == RESERVED and not quoted:  # it means nothing else further down
        advice = {**advice, "fix": rename(fault.source, text, f"{text}_")}
    return fault.report("N124", message, advice)


def _names_parameter(source: Source, word: str) -> bool:
    """Whether a block or model has a parameter of that name."""
    head = rf"(?m)^(?:block|model)\b[^\n#]*[(,] *{word} *[=,)]"
    return re.search(head, source.text) is not None


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
    elif word == "assert" and ".shape" in source.text[token.end : line.tokens[-1].end]:
        advice = {"help": "an assertion stands behind the value: `x = x : [B, d]`"}
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


def _counted(fault: Fault) -> Diagnostic | None:
    """`for i = 1 to 3:`."""
    if fault.kind != "ASSIGN" or fault.first.kind != "FOR" or fault.failure.index != 2:
        return None
    whole = re.fullmatch(r"for (\w+) = (\d+) to (\d+):", fault.whole_line.text.strip())
    advice: str | Advice = f"write `for {fault.line.tokens[1].text} in range(n):`"
    if whole:
        ends = f"in range({whole[2]}, {int(whole[3]) + 1})"
        last = fault.line.tokens[5]
        advice = write(Span(fault.source, fault.token.start, last.end), ends)
    return fault.report("N120", "unexpected `=`", advice)


def _bar(fault: Fault) -> Diagnostic | None:
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
    if fault.kind == "FROM" and fault.failure.index == 1:
        return fault.report("N137", "`use` names what it brings", help)
    if fault.kind == "AS":
        help = "what is used keeps its name: leave out `as` and the name"
        return fault.report("N120", "unexpected `as`", help)
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
    wanted = wanted[1:] if "OVER" in seen and len(wanted) > 1 else wanted
    missing = [k for k in wanted if fault.accepts(k)]
    if fault.first.kind != "SCAN" or fault.inside or not missing:
        return None
    help = "write `scan xt in x over T with h = zeros([B, d]):`"
    found = habits.scan_of_range(fault) or habits_heads.word_of_a_scan(
        fault, missing[0]
    )
    advice = found or help
    return fault.report("N120", f"missing `{_SPELLING[missing[0]]}`", advice)


def _nameless_collect(fault: Fault) -> Diagnostic | None:
    if fault.first.kind != "COLLECT" or not fault.accepts("ASSIGN"):
        return None
    help = "name all of them: `collect ys = y`"
    return fault.report("N120", "missing `=`", help)


def _unknown_statement(fault: Fault) -> Diagnostic | None:
    words = ("NAME", "STRING", "REQUIRE", "IGNORE")
    names = fault.first.kind == "NAME" and fault.kind in words
    if fault.failure.index != 1 or not names:
        return None
    return unknown_statement(fault.source, fault.first, BODY | WEIGHTS)


def _misspelt_keyword(fault: Fault) -> Diagnostic | None:
    """`retturn (x)`, `scan xt in x over T wiht h = ...`, `config reqire "key"`."""
    if fault.first.kind == "NAME" and misspelt(fault.first.text, BODY | WEIGHTS, 0.8):
        return unknown_statement(fault.source, fault.first, BODY | WEIGHTS)
    for token in (fault.token, fault.before):
        if token is None or token.kind != "NAME":
            continue
        wanted = {*HARD, *INNER} - {token.text}
        if token is fault.token:
            wanted = {w for w in wanted if fault.accepts(_KINDS.get(w, ""))}
        near = misspelt(token.text, wanted, 0.75)
        if near:
            message = f"unexpected `{token.text}`"
            span = fault.span(token)
            return fault.report("N120", message, meant(span, str(near)), at=token)
    return None


def unknown_statement(
    source: Source, first: Token, words: frozenset[str]
) -> Diagnostic:
    """N133, for a line whose first word begins no statement."""
    span = Span(source, first.start, first.end)
    message = f"no statement begins with `{first.text}`"
    near = _SYNONYMS.get(first.text) or misspelt(first.text, words)
    advice = meant(span, near) if near else {}
    if first.text in ("include", "using"):
        advice = {"help": 'write `use Name from "file.nnx"`'}
    if first.text in _NEEDLESS:
        gap = Span(source, first.start, first.end + 1)
        advice = remove(gap, "a value has no such word before it: leave it out")
    return Diagnostic("N133", message, Label(span), **advice)


_NEEDLESS = ("let", "var", "val", "const", "auto")
_SYNONYMS = {
    **dict.fromkeys(("network", "net", "module"), "model"),
    **dict.fromkeys(("layer", "fn", "func", "function", "struct"), "block"),
    **dict.fromkeys(("output", "outputs", "give"), "return"),
    **dict.fromkeys(("parameter", "weight"), "param"),
    **dict.fromkeys(("buffer", "variable"), "state"),
    **dict.fromkeys(("sample", "decode"), "generate"),
}


def misspelt(word: str, words: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The word that another is, all but a letter, or with its letters in another order."""
    known = sorted(words)
    alike = (w for w in known if sorted(w) == sorted(word))
    return next(alike, None) or closest(word, known, cutoff)


def _missing_comma(fault: Fault) -> Diagnostic | None:
    if fault.kind not in _OPERANDS or not fault.accepts("COMMA"):
        return None
    what = "`,` or operator" if fault.accepts("PLUS") else "`,`"
    advice: Advice = {}
    names = fault.kind == "NAME" and fault.comes_after("NAME")
    if fault.inside and names and fault.before is not None:
        gap = Span(fault.source, fault.before.end, fault.before.end)
        advice = {"help": "put `,` between", "fix": Fix(gap, ",")}
    return fault.report("N126", f"missing {what} before `{fault.token.text}`", advice)


def _untyped_field(fault: Fault) -> Diagnostic | None:
    untyped = fault.first.kind in DECLARES and fault.comes_after("NAME")
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


def _not_in(fault: Fault) -> Diagnostic | None:
    """`a not in b`: `not` stands before all of it."""
    if fault.kind != "NOT" or fault.after is None or fault.after.kind != "IN":
        return None
    if fault.before is None or fault.before.kind in _OPENING:
        return None
    left = _operand(fault)
    place = left.to(fault.span(fault.after))
    return fault.report("N120", "unexpected `not`", write(place, f"not {left.text} in"))


def _arithmetic_after_as(fault: Fault) -> Diagnostic | None:
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


def _several_values(fault: Fault) -> Diagnostic | None:
    kinds = {token.kind for token in fault.line.tokens[: fault.failure.index]}
    if fault.kind != "COMMA" or fault.inside or "ASSIGN" not in kinds:
        return None
    return fault.report("N120", "`=` takes one value", habits.each_value(fault))


def _unary_plus(fault: Fault) -> Diagnostic | None:
    if fault.kind != "PLUS" or not fault.accepts("MINUS"):
        return None
    return fault.report("N120", "unexpected `+`", "there is no sign `+`; leave it out")


def _no_result(fault: Fault) -> Diagnostic | None:
    """`extern "k.py" f(x: [B, d])`, and types of Python."""
    if fault.first.kind != "EXTERN":
        return None
    if fault.kind == END and fault.accepts("ARROW"):
        return fault.report("N120", "missing `->`", "say what it gives: `-> [B, d]`")
    if fault.kind == "DOT" or fault.comes_after("ARROW"):
        help = "a type is a shape: `x: [B, d]`, `-> [B, d]`"
        return fault.report("N120", f"unexpected `{fault.token.text}`", help)
    return None


def _unexpected(fault: Fault) -> Diagnostic:
    end = fault.kind == END
    what = "end of line" if end else f"`{fault.token.text}`"
    goes_on = end and fault.before is not None and fault.before.kind in _OPERATORS
    help = "lines continue inside brackets: put both into `(...)`" if goes_on else ""
    return fault.report("N120", f"unexpected {what}", help, label=_expected(fault))


def _expected(fault: Fault) -> str:
    kinds = {*fault.failure.accepted}
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
    habits.comment,
    habits.decorator,
    habits.else_if,
    habits_heads.keyword_gets_value,
    habits_values.printed,
    habits.prefixed_string,
    habits_declared.dots,
    habits_declared.python_code,
    habits_declared.dotted_use,
    habits_declared.round_inputs,
    habits_declared.called_dtype,
    habits_declared.dotted_type,
    habits_declared.any_size,
    habits_declared.trains_not,
    habits_declared.shape_by_equals,
    habits_declared.joined_inputs,
    habits_sections.key_first,
    habits_sections.quoted_head,
    habits_sections.filler,
    habits_sections.train_with_parameters,
    habits_sections.rule_without_from,
    habits_sections.numbered,
    habits_sections.every_place,
    habits_sections.loop_in_weights,
    habits_sections.required_by_colon,
    habits_sections.listed,
    habits_sections.renamed_to,
    habits_sections.bracketed_paths,
    habits_sections.adapted,
    habits_sections.frozen_as,
    habits_sections.collected_as,
    habits_sections.scan_as_value,
    habits_sections.with_more,
    habits_sections.named_by_colon,
    habits_weights.equals_twice,
    habits_weights.dashed_name,
    habits_weights.nested_config,
    habits_weights.path_first,
    habits_weights.arrow_for_equals,
    habits_weights.unquoted,
    habits_heads.nameless_config,
    habits_values.two_colons,
    habits_values.then_or_do,
    habits_values.quoted_name,
    habits_values.empty_return,
    habits_values.odd_shape,
    habits_values.carry_without_value,
    habits_values.colon_after_return,
    habits_values.long_arrow,
    habits_values.trailing_comma,
    habits_values.words_behind,
    habits_heads.scan_backwards,
    habits_values.shape_by_value,
    habits_values.typed_value,
    habits_values.empty_tuple,
    habits_values.bar_between_masks,
    habits.increment,
    habits.carries_in_parentheses,
    habits.misplaced_module,
    habits.starred,
    habits.returned_type,
    habits.generate_with_more,
    _use_without_from,
    _keyword_as_name,
    _python,
    _chained_comparison,
    _assignment_in_condition,
    _counted,
    _bar,
    _second_assignment,
    _arrow_to_nothing,
    _arrow_from_nothing,
    _body_on_the_line,
    _misspelt_keyword,
    _half_a_scan,
    habits.nameless_metric,
    habits.path_of_others,
    habits.typed_parameter,
    habits.round_shape,
    habits.colon_for_equals,
    _nameless_collect,
    _unknown_statement,
    _not_in,
    _arithmetic_after_as,
    habits_values.half_a_choice,
    _missing_comma,
    _untyped_field,
    _no_result,
    _several_values,
    _unary_plus,
    habits.comprehension,
)
