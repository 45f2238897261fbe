"""The one way to write a tree. A pure function of it; no comment is lost.

Kept from the author: line ends before `->`, single blank lines, comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from ...diagnostics import Sink
from ...record import replace
from ...source import Source
from .. import tree, tree_weights
from ..building.expression import (
    ARM,
    CONDITION,
    PATH,
    VALUE,
    bracketed,
    expression,
    has_lines,
    quoted,
    type_of,
)
from ..parse import parse
from ..words import KEYWORDS
from .layout import STEP, Doc, Fill, render

WIDTH = 110


def format_source(source: Source, sink: Sink) -> str | None:
    """A text as it should be written; None where it has mistakes, which are reported."""
    own = Sink()
    file = parse(source, own)
    for diagnostic in own.diagnostics:
        sink.add(diagnostic)
    return None if own.found else format_file(file)


def format_file(file: tree.File) -> str:
    """The text of a tree."""
    lines: list[str] = []
    before: tree.Item | None = None
    for item in file.items:
        if before and (item.trivia.blank or _is_tall(item) or _is_tall(before)):
            lines.append("")
        lines += _item(item)
        before = item
    if file.tail:
        lines += ["", *file.tail] if lines else file.tail
    return "\n".join(lines) + "\n"


def _is_tall(item: tree.Item) -> bool:
    tall = tree.Definition | tree.Train | tree.Weights
    return isinstance(item, tall) and not (
        isinstance(item, tree.Train) and not item.body
    )


def _item(item: tree.Item) -> Iterator[str]:
    trivia = item.trivia
    match item:
        case tree.Use(names, path):
            yield from _lines(trivia, 0, f"use {_names(names)} from {_place(path)}")
        case tree.Extern():
            yield from _lines(trivia, 0, _extern(item))
        case tree.Defaults(calls):
            yield from _lines(trivia, 0, ("defaults ", _listed(calls, CONDITION)))
        case tree.Config(name, value):
            doc = (f"config {name.id} = ", expression(value, CONDITION))
            yield from _lines(trivia, 0, doc)
        case tree.Generate(model):
            yield from _lines(trivia, 0, f"generate {model.id}")
        case tree.Definition(kind, name, params, body, groups=groups):
            given = _parameters((*groups, *params)) if groups or params else ""
            yield from _lines(trivia, 0, (f"{kind} {name.id}", given, ":"))
            yield from _body(body, STEP)
        case tree.Train(model, body, path=path):
            place, colon = f" from {_place(path)}" if path else "", ":" if body else ""
            yield from _lines(trivia, 0, f"train {model.id}{place}{colon}")
            yield from _body(body, STEP)
        case tree.Weights(body=body):
            yield from _lines(trivia, 0, _weights_head(item))
            yield from _weights_body(body)
        case _:
            assert_never(item)


def _extern(item: tree.Extern) -> Doc:
    taken = (
        _field(i) if isinstance(i, tree.Field) else _parameter(i) for i in item.taken
    )
    head = f"extern {quoted(item.place.value)} {item.name.id}"
    types = _comma(type_of(written) for written in item.types)
    return (head, bracketed("(", [*taken], ")"), " -> ", types)


def _weights_head(item: tree.Weights) -> str:
    known = ", ".join(quoted(name.value) for name in item.known)
    called = f" as {known}" if known else ""
    rule = f" from {quoted(item.rule.value)}" if item.rule else ""
    return f"weights {item.model.id}{called}{rule}{':' if item.body else ''}"


def _weights_body(body: tuple[tree_weights.WeightsLine, ...]) -> Iterator[str]:
    for index, line in enumerate(body):
        if index and line.trivia.blank:
            yield ""
        above, after = line.trivia.above, line.trivia.after
        *first, last = _weights_line(line)
        for doc in first:
            yield from _lines(replace(line.trivia, above=above, after=None), STEP, doc)
            above = ()
        yield from _lines(replace(line.trivia, above=above, after=after), STEP, last)


def _weights_line(line: tree_weights.WeightsLine) -> list[Doc]:
    """As many lines as its entries need."""
    match line:
        case tree_weights.Ignore(globs):
            return _filled("ignore ", [quoted(glob.value) for glob in globs])
        case tree_weights.Lacking(prefix):
            return [f"optional {quoted(prefix.value)}"]
        case tree_weights.Rename(pairs):
            renamed = [f"{quoted(a.value)} as {quoted(b.value)}" for a, b in pairs]
            return _filled("rename ", renamed)
        case tree_weights.Read(names, values):
            return _filled("config ", map(_reading, names, values))
        case tree_weights.Assume(conditions):
            docs = [expression(condition, CONDITION) for condition in conditions]
            return _filled("config require ", docs)
        case tree_weights.Write(entries):
            written = [
                (f"{quoted(key.value)} = ", expression(value, CONDITION))
                for key, value in entries
            ]
            return _filled("config write ", written)
        case tree_weights.PassOver(keys):
            return _filled("config ignore ", [quoted(key.value) for key in keys])
        case tree_weights.Stored(paths, values):
            return [(_listed(paths, PATH), " = ", _listed(values, ARM))]
        case _:
            assert_never(line)


def _reading(name: tree.Name, value: tree.Expr | None) -> Doc:
    if value is None:
        return name.id
    return (f"{name.id} = ", expression(value, CONDITION))


def _filled(word: str, docs: Iterable[Doc]) -> list[Doc]:
    """Statements of one word, each with as many entries as there is room for."""
    lines: list[list[Doc]] = []
    for doc in docs:
        longer = [*lines[-1], doc] if lines else []
        if longer and _is_line(render((word, _comma(longer)), STEP, WIDTH)):
            lines[-1] = longer
        else:
            lines.append([doc])
    return [(word, _comma(line)) for line in lines]


def _is_line(text: str) -> bool:
    return "\n" not in text and len(text) <= WIDTH - STEP


def _parameters(parameters: tuple[tree.Group | tree.Parameter, ...]) -> Doc:
    """As many on a line as there is room for."""
    return bracketed("(", [_parameter(p) for p in parameters], ")", Fill())


def _parameter(parameter: tree.Group | tree.Parameter) -> Doc:
    if isinstance(parameter, tree.Group):
        return f"*{parameter.model.id}"
    if parameter.default is None:
        return parameter.name
    return (f"{parameter.name} = ", expression(parameter.default, ARM, inside=True))


def _body(body: tuple[tree.Statement, ...], indent: int) -> Iterator[str]:
    for index, statement in enumerate(body):
        if index and statement.trivia.blank:
            yield ""
        yield from _statement(statement, indent)


def _statement(statement: tree.Statement, indent: int) -> Iterator[str]:
    match statement:
        case tree.For(targets, iterable, body):
            head = f"for {_names(targets)} in "
            doc = (head, expression(iterable, CONDITION), ":")
            yield from _lines(statement.trivia, indent, doc)
            yield from _body(body, indent + STEP)
        case tree.Scan(body=body):
            yield from _lines(statement.trivia, indent, _scan_head(statement))
            yield from _body(body, indent + STEP)
        case tree.Optimize(name, body):
            yield from _lines(statement.trivia, indent, f"optimize {name}:")
            yield from _body(body, indent + STEP)
        case tree.If():
            yield from _choice(statement, indent)
        case _:
            yield from _lines(statement.trivia, indent, _simple(statement))


def _scan_head(scan: tree.Scan) -> Doc:
    steps: Doc = ""
    if scan.targets:
        steps = (f"{_names(scan.targets)} in ", _listed(scan.sources, CONDITION), " ")
    order = " reversed" if scan.reversed else ""
    carries = _comma(
        (f"{carry.name} = ", expression(carry.value, ARM)) for carry in scan.carries
    )
    over = expression(scan.over, CONDITION)
    return ("scan ", steps, "over ", over, order, " with ", carries, ":")


def _choice(choice: tree.If, indent: int) -> Iterator[str]:
    word = "if"
    while True:
        doc = (f"{word} ", expression(choice.condition, CONDITION), ":")
        yield from _lines(choice.trivia, indent, doc)
        yield from _body(choice.then, indent + STEP)
        match choice.orelse:
            case (tree.If() as nested,) if choice.else_trivia == tree.NO_TRIVIA:
                choice, word = nested, "elif"
                continue
            case ():
                return
        yield from _lines(choice.else_trivia, indent, "else:")
        yield from _body(choice.orelse, indent + STEP)
        return


def _simple(statement: tree.Simple) -> Doc:
    match statement:
        case tree.Rngs(names):
            return f"rngs {_names(names)}"
        case tree.Declare(keyword, fields):
            return (f"{keyword} ", _comma(_field(field) for field in fields))
        case tree.Init(initials):
            return ("init ", _comma(_initial(initial) for initial in initials))
        case tree.Assign(targets, op, value, gathers=name):
            first = f"*{name.id}, " if name else ""
            return (f"{first}{_names(targets)} {op} ", expression(value, VALUE))
        case tree.Require(condition, message):
            note = f", {quoted(message)}" if message is not None else ""
            return ("require ", expression(condition, CONDITION), note)
        case tree.Return(values, ()):
            return ("return ", _listed(values, VALUE))
        case tree.Return(values, names):
            return _outputs(values, names)
        case tree.Collect(name, value):
            return (f"collect {name} = ", expression(value, VALUE))
        case tree.Evaluate(value):
            return _evaluate(value)
        case tree.Metric(name, value):
            return (f"metric {name} = ", expression(value, VALUE))
        case tree.Select(keyword, paths):
            return (f"{keyword} ", _listed(paths, PATH))
        case tree.Adapt(adapter, paths):
            call = expression(adapter, VALUE)
            return ("adapt ", call, " on ", _listed(paths, PATH))
        case tree.Frozen(name, value):
            return (f"frozen {name} = ", expression(value, VALUE))
        case _:
            assert_never(statement)


def _outputs(values: tuple[tree.Expr, ...], names: tuple[tree.Name, ...]) -> Doc:
    """Named outputs: on the line, else in parentheses, one on each."""
    within = not any(has_lines(value) for value in values)
    docs: list[Doc] = [
        (f"{name.id}=", expression(value, VALUE, inside=within))
        for name, value in zip(names, values, strict=True)
    ]
    return (
        "return ",
        bracketed("(", docs, ")", needed=False) if within else _comma(docs),
    )


def _evaluate(value: tree.Expr) -> Doc:
    """A word that may begin a statement is put into parentheses where it would."""
    match value:
        case tree.Name(id) if id in KEYWORDS:
            return f"({id})"
        case tree.Assertion(tree.Name(id), type) if id in KEYWORDS:
            return (f"({id}) : ", type_of(type))
        case _:
            return expression(value, VALUE)


def _field(field: tree.Field) -> Doc:
    if field.type.dtype is None and field.type.dims is None:
        return field.name
    typed = (f"{field.name}: ", type_of(field.type))
    if field.default is None:
        return typed
    begins = tree.Named(field.default, field.kind) if field.kind else field.default
    return (typed, " = ", expression(begins, ARM))


def _initial(initial: tree.Initial) -> Doc:
    return (f"{'.'.join(initial.path)} = ", expression(initial.value, ARM))


def _place(path: tree.String | tree.Zoo) -> str:
    return quoted(path.value) if isinstance(path, tree.String) else path.value


def _names(names: Iterable[tree.Name]) -> str:
    return ", ".join(name.id for name in names)


def _listed(values: Iterable[tree.Expr], level: int) -> Doc:
    return _comma(expression(value, level) for value in values)


def _comma(docs: Iterable[Doc]) -> Doc:
    parts: list[Doc] = []
    for doc in docs:
        parts += [", ", doc] if parts else [doc]
    return tuple(parts)


def _lines(trivia: tree.Trivia, indent: int, doc: Doc) -> Iterator[str]:
    """A statement between its comments."""
    margin = " " * indent
    for comment in trivia.above:
        yield margin + comment if comment else ""
    if not trivia.after:
        yield margin + render(doc, indent, WIDTH)
        return
    text = f"{margin}{render(doc, indent, WIDTH)}  {trivia.after}"
    if not _fits(text):  # the comment needs room of its own, if there is any
        room = WIDTH - len(trivia.after) - 2
        shorter = f"{margin}{render(doc, indent, room)}  {trivia.after}"
        text = shorter if _fits(shorter) else text
    yield text


def _fits(text: str) -> bool:
    return max(map(len, text.split("\n"))) <= WIDTH
