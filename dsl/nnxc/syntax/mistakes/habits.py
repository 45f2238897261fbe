"""What people write out of habit of other languages and libraries, and what stands there instead.

Explanations as in `explain`: functions of a fault that return None where they do not apply.
"""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, Fix, remove, write
from ...source import Span
from ..tokens import END
from .fault import DECLARES, Fault


def comment(fault: Fault) -> Diagnostic | None:
    """`// a comment`: what stands before it is a whole line."""
    index = fault.failure.ends_before("FLOOR")
    if index is None:
        return None
    token = fault.line.tokens[index]
    help = "comments begin with `#`"
    advice: Advice = {"help": help, "fix": Fix(fault.span(token), "#")}
    return fault.report("N138", "`//` divides", advice, at=token)


def decorator(fault: Fault) -> Diagnostic | None:
    """`@nn.compact`."""
    if fault.first.kind != "AT":
        return None
    advice = remove(fault.whole_line, "definitions have no decorators: leave it out")
    return fault.report("N122", "a decorator is Python", advice, at=fault.first)


def else_if(fault: Fault) -> Diagnostic | None:
    """`else if`."""
    if fault.kind != "IF" or not fault.comes_after("ELSE") or fault.failure.index != 1:
        return None
    span = fault.span(fault.first).to(fault.span(fault.token))
    return fault.report("N120", "unexpected `if`", write(span, "elif"))


def increment(fault: Fault) -> Diagnostic | None:
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


def scan_of_range(fault: Fault) -> Advice | None:
    """`scan t in range(T) with ...`: steps are counted by what the scan goes over."""
    match [t.text for t in fault.line.tokens[:7]]:
        case ["scan", name, "in", "range" | "arange", "(", size, ")"]:
            place = Span(fault.source, fault.first.start, fault.line.tokens[6].end)
            below = fault.source.text[fault.line.tokens[-1].end :]
            used = re.search(rf"\b{name}\b", below)
            counted = f"scan {name} in arange({size}) over {size}"
            return write(place, counted if used else f"scan over {size}")
    return None


def carries_in_parentheses(fault: Fault) -> Diagnostic | None:
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


def nameless_metric(fault: Fault) -> Diagnostic | None:
    """`metric accuracy(model(x), y)`."""
    if fault.first.kind != "METRIC" or not fault.accepts("ASSIGN"):
        return None
    called = fault.kind == "LPAR" and fault.failure.index == 2
    if fault.kind == END and fault.before is not None:
        name = fault.before.text
        help = f"write its value: `metric {name} = {name}(model(x), y)`"
        return fault.report("N120", "missing `=`", help)
    if not called:
        return None
    value = fault.line.tokens[1]
    text = f"{value.text} = {fault.rest(value).text}"
    return fault.report("N120", "missing `=`", write(fault.rest(value), text))


def path_of_others(fault: Fault) -> Diagnostic | None:
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


def generate_with_more(fault: Fault) -> Diagnostic | None:
    """`generate Lm(temperature=0.7)`, `generate Lm:`."""
    if fault.first.kind != "GENERATE" or fault.failure.index != 2:
        return None
    place = Span(fault.source, fault.token.start, fault.body_end)
    why = f"how many tokens and how they are drawn is said in the call: write `generate {fault.line.tokens[1].text}`"
    return fault.report("N120", f"unexpected `{fault.token.text}`", remove(place, why))


def colon_for_equals(fault: Fault) -> Diagnostic | None:
    """`head: "classifier"`."""
    if fault.kind != "COLON" or not fault.accepts("ASSIGN") or fault.accepts("PLUS"):
        return None
    if fault.first.text == "config" and fault.after in (None, fault.line.tokens[-1]):
        help = "write the choice on the line: `config big = Net(d=16)`"
        return fault.report("N120", "unexpected `:`", {"help": help})
    place = fault.span(fault.token)
    spaced = fault.source.text[fault.token.end : fault.token.end + 1] == " "
    fix = Fix(place, " =" if spaced else " = ")
    return fault.report("N120", "unexpected `:`", {"help": "write `=`", "fix": fix})


def misplaced_module(fault: Fault) -> Diagnostic | None:
    """`extern f(...) -> [...]`, with its module behind or nowhere."""
    if (
        fault.first.kind != "EXTERN"
        or fault.kind in ("STRING", END)
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


def typed_parameter(fault: Fault) -> Diagnostic | None:
    """`model Net(d: int = 8)`."""
    heads = fault.first.kind in ("MODEL", "BLOCK")
    if not heads or fault.kind != "COLON" or not fault.inside:
        return None
    place = fault.rest(fault.token)
    close = place.text.rindex(")") if ")" in place.text else len(place.text)
    numbers = re.sub(r" *: *(?=[\d\"\'.\[-]|true|false|none)", " = ", place.text)
    if numbers != place.text:
        advice: Advice = {"help": "write `=`", "fix": Fix(place, numbers)}
        return fault.report("N120", "a default stands behind `=`", advice)
    typed = re.compile(r" *: *[\w.]+(\[[^\]]*\])?(?: *\| *\w+)?(?= *[=,]|$)")
    text = typed.sub("", place.text[:close]) + place.text[close:]
    if fault.before and fault.before.text in ("rngs", "key", "rng"):
        start = Span(fault.source, fault.before.start, fault.before.start)
        rest = re.sub(r"^ *: *[\w.]+ *,? *", "", place.text)
        why = "random numbers come where the model is built: leave it out"
        fix = Fix(start.to(place), rest)
        return fault.report(
            "N120",
            "a parameter has no type",
            {"help": why, "fix": fix},
            at=fault.before,
        )
    why = "what a parameter is follows from its use: leave its type out"
    advice = {"help": why, "fix": Fix(place, text)}
    return fault.report("N120", "a parameter has no type", advice)


def returned_type(fault: Fault) -> Diagnostic | None:
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


def starred(fault: Fault) -> Diagnostic | None:
    """`*args`, `**kwargs`."""
    follows = fault.comes_after("COMMA", "LPAR", *DECLARES)
    if fault.kind not in ("STAR", "POWER") or not follows:
        return None
    before, after = fault.before, fault.after
    if fault.comes_after(*DECLARES) and after is not None:
        help = f"name each: `input {after.text}_1: [B, d], {after.text}_2: [B, d]`"
        message = f"`{fault.token.text}{after.text}` is Python"
        return fault.report("N122", message, help)
    head = fault.first.kind in ("MODEL", "BLOCK")
    if not head or before is None or after is None:
        assigned = before is not None and before.kind == "COMMA" and not fault.inside
        what = "a name" if assigned else "an argument"
        help = "write each name, `_` for one that is not needed"
        return fault.report(
            "N122",
            f"`{fault.token.text}` before {what} is Python",
            help if assigned else "write each argument",
        )
    if fault.kind == "POWER" and after.text[:1].isupper():
        advice = write(fault.span(fault.token), "*", "one star reads a model's")
        return fault.report("N122", f"`**{after.text}` is Python", advice)
    begin = before.start if before.kind == "COMMA" else before.end
    place = Span(fault.source, begin, after.end)
    advice = remove(place, "a definition says all that it takes: leave it out")
    return fault.report("N122", f"`{fault.token.text}{after.text}` is Python", advice)


def prefixed_string(fault: Fault) -> Diagnostic | None:
    """`f"..."`."""
    string = {fault.kind: fault.token, "NAME": fault.after}.get(fault.kind)
    prefix = fault.before if fault.kind == "STRING" else fault.token
    if string is None or prefix is None or string.kind != "STRING":
        return None
    if prefix.end != string.start or len(prefix.text) > 2 or prefix.kind != "NAME":
        return None
    advice = remove(fault.span(prefix), f"texts are plain: leave out `{prefix.text}`")
    at = fault.line.tokens.index(prefix)
    if at and fault.line.tokens[at - 1].kind == "AS":
        name = re.sub(r"[\W_]*\{.*", "", string.text[1:-1])
        why = "layers of a loop are a list of one name"
        whole = fault.span(prefix).to(fault.span(string))
        advice = write(whole, name, why) if name.isidentifier() else {"help": why}
    message = f"`{prefix.text}` before a text is Python"
    return fault.report("N122", message, advice, at=prefix)


def round_shape(fault: Fault) -> Diagnostic | None:
    """`input x: (B, d)`."""
    declares = fault.first.kind in DECLARES
    if not declares or fault.kind != "LPAR" or not fault.comes_after("COLON"):
        return None
    sides = _in_parentheses(fault, fault.failure.index)
    if sides is None:
        return None
    place = Span(fault.source, fault.token.start, fault.line.tokens[sides[1] - 1].end)
    advice = write(place, f"[{', '.join(sides[0])}]")
    return fault.report("N120", "a shape stands in `[...]`", advice)


def comprehension(fault: Fault) -> Diagnostic | None:
    """`[f(x) for x in xs]`."""
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
    if _is_of_numbers(fault, item, name):
        if counted is None:
            return {"help": f"compute it in the loop that goes over it: `{item}`"}
        first = re.sub(rf"\b{name}\b", "0", item)
        text = (
            f"{target} = [{first}]{margin}for {name} in range(1, {counted[1]}):"
            f"{margin}    {target} = {target} + [{item}]"
        )
        return write(line, text)
    text = (
        f"{target} = []{margin}for {name} in {over}:{margin}    {target}.append({item})"
    )
    return write(line, text)


def _is_of_numbers(fault: Fault, item: str, name: str) -> bool:
    """Whether an item is made of parameters and the loop's name alone."""
    heads = re.findall(
        r"(?m)^(?:model|block) .*", fault.source.text[: fault.first.start]
    )
    known = {name, *re.findall(r"[A-Za-z_]\w*", heads[-1] if heads else "")}
    words = set(re.findall(r"[A-Za-z_]\w*", item))
    return "->" not in item and words <= known | {"max", "min", "int", "round"}


def each_value(fault: Fault) -> str | Advice:
    """`a, b = x, y` as two lines; what reads a name that changes before is computed first."""
    if rows := _assignments(fault):
        return rows
    names, _, values = fault.rest(fault.first).text.partition("=")
    left, right = _parts(names), _parts(values)
    if len(left) == 1 and len(right) == 2 and not right[1]:
        return remove(fault.span(fault.token), "leave out the `,`")
    if len(left) != len(right) or "#" in values:
        return "write an assignment for each value"
    first, then = [], []
    for i, (name, value) in enumerate(zip(left, right, strict=True)):
        if {*left[:i]} & {*re.findall(r"\w+", value)}:
            first.append(f"next_{name} = {value}")
            value = f"next_{name}"
        then.append(f"{name} = {value}")
    margin = "\n" + " " * fault.line.indent
    return write(fault.rest(fault.first), margin.join([*first, *then]))


def _assignments(fault: Fault) -> Advice | None:
    """`a = x, b = y`: each on a line of its own."""
    place = fault.rest(fault.first)
    parts = _parts(place.text.partition("#")[0].rstrip())
    if len(parts) < 2 or not all(re.match(r"[a-z_]\w* *=(?!=)", p) for p in parts):
        return None
    margin = "\n" + " " * fault.line.indent
    return write(place, margin.join(parts))


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
