"""Text to tree. Never raises on any text; every mistake is reported, and costs its line.

Lines are parsed one by one; here they are put into blocks by their indentation.
"""

from __future__ import annotations

from typing import Any

from ..diagnostics import Enough, Fix, Sink, remove, write
from ..record import replace
from ..source import Source, Span
from . import tree
from .build_line import TooDeep
from .lexer import RESERVED, scan
from .line_parser import Failure, parse_line
from .lines import MAX_NESTING, Line, join
from .mistakes import foreign_blocks, python_imports
from .mistakes.fault import Fault, line_span
from .mistakes.unexpected import (
    CONTINUES,
    explain,
    missing_colon,
    python,
    unknown_statement,
)
from .tokens import Token
from .tree_builder import Else, TreeBuilder, folded
from .words import BODY, PYTHON, TOP, UNSUPPORTED

MAX_SIZE = 1_000_000
MAX_ROW = 100_000
MAX_BLOCKS = 20
MAX_FILE = 150_000  # names, numbers, signs and so on in a file
MAX_ITEM = 20_000  # of them in one definition or section
MAX_STATEMENT = 2_000  # of them in one statement
_TOP_KINDS = frozenset(word.upper() for word in TOP)


def parse(source: Source, sink: Sink) -> tree.File:
    """The tree of a text, less what mistakes were found in (then marked `broken`)."""
    try:
        return _parse(source, sink)
    except Enough:
        span = Span(source, 0, len(source.text))
        return tree.File((), (), span, broken=True)


def _parse(source: Source, sink: Sink) -> tree.File:
    text = source.text
    span = Span(source, 0, len(text))
    start = Span(source, 0, 0)
    if len(text) > MAX_SIZE:
        message = f"the file has more than {MAX_SIZE:,} characters"
        sink.error("N102", message, start, help="divide it, and `use` the parts")
        return tree.File((), (), span, broken=True)
    if _has_long_row(source, sink):
        return tree.File((), (), span, broken=True)
    lines, tail = join(source, scan(source, sink), sink)
    if not lines:
        help = "a spec begins with `model Name(...):`"
        sink.error("N103", "the file is empty", start, help=help)
        return tree.File((), tail, span, broken=True)
    too_long = [line for line in lines if _is_too_long(source, line, sink)]
    if too_long:
        return tree.File((), tail, span, broken=True)
    if _has_too_many(source, lines, sink):
        return tree.File((), tail, span, broken=True)
    blocks = _Blocks(source, lines, sink)
    items = blocks.items()
    lost = frozenset(blocks.file_lost)
    return tree.File(items, tail, span, blocks.file_broken, lost)


def _has_too_many(source: Source, lines: list[Line], sink: Sink) -> bool:
    """Whether there is more text than there is time for; reported. What a definition costs grows
    faster than its length, what a file costs does not."""
    whole = item = costs = 0
    for line in lines:
        words = len(line.tokens)
        if not line.indent:
            item, costs = 0, costs + item**2
        whole, item = whole + words, item + words
        if whole <= MAX_FILE and costs + item**2 <= MAX_ITEM**2:
            continue
        message = f"the file has more than {MAX_FILE:,} words and signs"
        help = "divide it, and `use` the parts"
        if whole <= MAX_FILE:
            message = "the definitions up to here are too long together"
            help = "divide them into blocks, or use loops"
        if item > MAX_ITEM:
            message = f"this has more than {MAX_ITEM:,} words and signs"
        sink.error("N251", message, line_span(source, line), help=help)
        return True
    return False


def _has_long_row(source: Source, sink: Sink) -> bool:
    """Whether a row of the text is longer than any that is read; reported."""
    for number in range(1, len(source.starts) + 1):
        row = source.line(number)
        if len(row) > MAX_ROW:
            start = source.starts[number - 1]
            message = f"a line of more than {MAX_ROW:,} characters"
            place = Span(source, start, start + MAX_ROW)
            sink.error("N117", message, place, help="is this a spec?")
            return True
    return False


def _is_too_long(source: Source, line: Line, sink: Sink) -> bool:
    """Whether a statement has more parts than there is time for; reported."""
    if len(line.tokens) <= MAX_STATEMENT:
        return False
    first, last = line.tokens[0], line.tokens[MAX_STATEMENT]
    message = f"a statement of more than {MAX_STATEMENT:,} words and signs"
    help = "write it as several, or as a loop"
    sink.error("N117", message, Span(source, first.start, last.end), help=help)
    return True


class _Blocks:
    """Puts lines into blocks. `broken` and `lost` are about the present item."""

    def __init__(self, source: Source, lines: list[Line], sink: Sink) -> None:
        self.source, self.lines, self.sink = source, lines, sink
        self.at = 0
        self.depth = self.branches = 0
        self.broken = False
        self.lost: set[str] = set()
        self.file_broken = False
        self.file_lost: set[str] = set()
        self.hoisted: list[tree.Item] = []
        self.grammar = "body_line"

    # -------------------------------------------------------------- top level

    def items(self) -> tuple[tree.Item, ...]:
        items: list[tree.Item] = []
        while self.at < len(self.lines):
            start = self.at
            self.broken, self.lost = False, set()
            self.hoisted = []
            item = self.item(self.lines[start])
            if item:
                items.append(item)
            else:
                self.file_broken = True
                self.file_lost |= self.names(start)
            items += self.hoisted
        return tuple(items)

    def item(self, line: Line) -> tree.Item | None:
        if line.indent and not self.is_statement(line):
            help = "top-level forms begin at the left margin"
            self.error(
                "N107", "unexpected indentation", line, help, self.margin(line, 0)
            )
        if line.word not in TOP and not line.opaque and self.strays(line):
            return None
        line.begin_with_keyword()
        item: tree.Item | None = self.take(line, "top_line")
        match item:
            case None:
                self.abandon_item(line)
            case tree.Definition() | tree.Train() | tree.Weights() if line.opens:
                item = self.filled(item, line, adopts=True)
            case _:
                self.no_body(line)
        return item

    def filled(self, item: Any, head: Line, adopts: bool = False) -> Any:
        """An item with the lines below its head; those of weights have a grammar of their own."""
        self.grammar = "weights_line" if isinstance(item, tree.Weights) else "body_line"
        body: tuple[Any, ...] = self.body(head, adopts)
        self.grammar = "body_line"
        lost = frozenset(self.lost)
        return replace(item, body=body, broken=self.broken, lost=lost)

    def strays(self, line: Line) -> bool:
        """Deal with a line that begins no top-level form."""
        if line.word == "from":
            self.sink.add(python_imports.explained(self.source, line))
            self.at += 1
        elif self.is_foreign(line):
            self.skip_foreign(line)
        elif foreign_blocks.begins(line):
            self.skip_block(line)
        elif self.is_statement(line):
            self.grammar = self.guessed(line, self.at + 1)
            self.statements(line.indent, -1, top=True)
            self.grammar = "body_line"
            help = "indent it into a `block`, `model` or `train`"
            if [t.kind for t in line.tokens[:2]] == ["NAME", "ASSIGN"]:
                self.sink.forget(line_span(self.source, line))
                name = line.word.lower()
                help = f"make it a parameter, `model Net({name} = ...)`, or indent it"
            if not line.broken:
                self.error("N134", "statement outside of a block", line, help)
        else:
            first = line.tokens[0]
            self.sink.add(unknown_statement(self.source, first, TOP))
            self.at += 1
            self.abandon_item(line)
        return True

    def is_statement(self, line: Line) -> bool:
        """Whether a line seems to be written for a body."""
        if line.word in TOP or line.opaque:
            return False
        first, follows = line.tokens[0], line.tokens[1:2]
        if first.text in BODY:
            return True
        names = bool(follows) and follows[0].kind in (
            "NAME",
            "STRING",
            "FROM",
            RESERVED,
        )
        return first.kind != RESERVED and not (first.kind == "NAME" and names)

    # ----------------------------------------------------------------- bodies

    def body(self, head: Line, adopts: bool = False) -> tuple[tree.Statement, ...]:
        """The block below a head. `adopts`: statements that should have been indented
        are taken for it."""
        line = self.next()
        if line and line.indent > head.indent:
            return self.nested(head, line)
        end = head.tokens[-1]
        at = Span(self.source, end.start - 1, end.end)
        help = "write its lines below, indented by four spaces"
        self.broken = True
        message = f"`{head.word}` has no body"
        if not (line and adopts and self.is_statement(line)):
            self.sink.error("N108", message, at, help=help)
            return ()
        start = self.at
        found = self.statements(
            line.indent, min(head.indent, line.indent) - 1, top=True
        )
        if 0 < line.indent < head.indent:  # the head was told to be indented too far
            return found
        fix = self.indented(self.lines[start : self.at])
        self.error("N108", "missing indentation", line, "indent by four spaces", fix)
        return found

    def indented(self, lines: list[Line]) -> Fix | None:
        """A fix that indents lines by four spaces more."""
        if any(line.tabs for line in lines):
            return None
        start = line_span(self.source, lines[0]).start
        span = Span(self.source, start, lines[-1].tokens[-1].end)
        rows = span.text.split("\n")
        return Fix(
            span, "\n".join(f"    {row}" if row.strip() else row for row in rows)
        )

    def nested(self, head: Line, line: Line) -> tuple[tree.Statement, ...]:
        if self.depth == MAX_BLOCKS:
            message = f"more than {MAX_BLOCKS} blocks are nested"
            self.error("N117", message, line, "divide it into blocks with names")
            self.broken = True
            self.skip_deeper(head.indent)
            return ()
        self.depth += 1
        body = self.statements(line.indent, head.indent)
        self.depth -= 1
        return body

    def statements(
        self, indent: int, outer: int, top: bool = False
    ) -> tuple[tree.Statement, ...]:
        """The lines that are indented deeper than `outer`; `indent` is the first's.
        `top`: they stand where items should, which was reported; they end at the next.
        """
        found: list[tree.Statement] = []
        odd = indent
        while (line := self.next()) and line.indent > outer:
            if top and line.indent <= indent and not self.is_statement(line):
                break
            if line.indent not in (indent, odd):
                if not line.tabs and not top:
                    self.odd_indent(line, indent)
                odd = line.indent
            elif line.indent == indent:
                odd = indent
            start = self.at
            statement = self.statement(line)
            if statement:
                found.append(statement)
            else:
                self.lost |= self.names(start)
        return tuple(found)

    def odd_indent(self, line: Line, indent: int) -> None:
        if line.indent > indent:
            self.unexpected_indent(line)
            return
        message = "indentation fits no block"
        help = f"indent by {indent} spaces, as the block does"
        self.broken = True
        self.error("N109", message, line, help, self.margin(line, indent))

    def margin(self, line: Line, indent: int) -> Fix | None:
        """A fix that indents a line otherwise."""
        first = line.tokens[0].start
        start = self.source.text.rfind("\n", 0, first) + 1
        return Fix(Span(self.source, start, first), " " * indent)

    def statement(self, line: Line) -> tree.Statement | None:
        if self.grammar == "weights_line":
            entry = self.take(line, self.grammar)
            self.skip_deeper(line.indent if entry is None else MAX_SIZE)
            return entry  # type: ignore[no-any-return]
        if line.tokens[0].kind in _TOP_KINDS and not line.opaque:
            self.misplaced_item(line)
            return None
        if self.is_foreign(line):
            self.skip_foreign(line)
            return None
        if foreign_blocks.begins(line):
            self.skip_block(line)
            return None
        node = self.take(line, "body_line")
        match node:
            case tree.For() | tree.Scan() | tree.Optimize():
                return replace(node, body=self.body(line))
            case _ if line.word in ("if", "elif", "else"):
                return self.choice(line, node)
            case None:
                self.abandon_body(line)
                self.skip_weights(line)
                return None
            case _:
                statement: tree.Statement = node
                return statement

    def choice(self, line: Line, node: tree.If | Else | None) -> tree.If | None:
        """An `if` with all of its branches, built from the last to the first."""
        if line.word != "if":
            help = "it belongs below the body of an `if`, indented as that is"
            self.error("N136", f"`{line.word}` without `if`", line, help)
            self.broken = True
        arms = [(node, self.branch_body(line, node))]
        orelse: tuple[tree.Statement, ...] = ()
        trivia = tree.NO_TRIVIA
        while (follows := self.next()) and follows.indent == line.indent:
            if follows.word not in ("elif", "else") or line.word == "else":
                break
            node = self.take(follows, "body_line")
            self.branches += follows.word == "elif"
            body = self.branch_body(follows, node)
            if follows.word == "elif":
                arms.append((node, body))
                continue
            orelse, trivia = body, replace(follows.trivia, blank=False)
            break
        too_many = self.branches >= MAX_NESTING
        self.branches -= len(arms) - 1
        if too_many:
            self.error("N117", f"more than {MAX_NESTING} branches", line)
            self.broken = True
            return None
        return folded(arms, orelse, trivia)

    def branch_body(
        self, line: Line, node: tree.If | Else | None
    ) -> tuple[tree.Statement, ...]:
        if node is not None:
            return self.body(line)
        self.abandon_body(line)
        return ()

    def misplaced_item(self, line: Line) -> None:
        """An item inside a block: report it, and read it as if it stood outside."""
        help = f"move it out: `{line.word}` stands at the top level"
        self.error("N135", f"`{line.word}` inside a block", line, help)
        self.broken = True
        item = self.take(line, "top_line")
        match item:
            case tree.Definition() | tree.Train() | tree.Weights() if line.opens:
                item = self.filled(item, line)
            case None:
                self.abandon_body(line)
                self.file_broken = True
        if item:
            self.hoisted.append(item)

    # ------------------------------------------------------------------ lines

    def next(self) -> Line | None:
        return self.lines[self.at] if self.at < len(self.lines) else None

    def names(self, start: int) -> set[str]:
        """The names in the lines from `start` to the present one."""
        tokens = (
            token for line in self.lines[start : self.at] for token in line.tokens
        )
        return {token.text for token in tokens if token.kind == "NAME"}

    def take(self, line: Line, start: str) -> Any:
        """Parse the present line; None, and the item broken, where that fails."""
        self.at += 1
        node = None if line.opaque else self.parse(line, start)
        if line.broken:
            node = None
        line.broken |= node is None
        self.broken |= node is None
        return node

    def parse(self, line: Line, start: str) -> Any:
        builder = TreeBuilder(self.source, line, self.sink)
        tokens = line.tokens
        try:
            result = parse_line(start, tokens, builder)
            if isinstance(result, Failure):
                fault = Fault(self.source, line, result, self.end_of_body(line))
                if not line.told:
                    self.sink.add(explain(fault))
                if not missing_colon(fault):
                    return None
                end = tokens[-1]
                tokens = [*tokens[:-1], Token("COLON", ":", end.start, end.end), end]
                result = parse_line(start, tokens, builder)
        except TooDeep as deep:
            help = "name a part of it on a line of its own"
            at = Span(self.source, deep.start, deep.end)
            self.sink.error("N117", "expression is nested too deeply", at, help=help)
            return None
        return None if builder.failed else result

    def end_of_body(self, head: Line) -> int:
        """Where the lines below the present one end that are indented deeper."""
        at = self.at
        while at < len(self.lines) and self.lines[at].indent > head.indent:
            at += 1
        return (
            self.lines[at - 1].tokens[-1].end if at > self.at else head.tokens[-1].end
        )

    def is_foreign(self, line: Line) -> bool:
        """Whether a line is Python, or of a later release, body and all."""
        first, follows = line.tokens[0], line.tokens[1:2]
        if line.opaque or not follows:
            return False
        if first.text in UNSUPPORTED:
            return follows[0].kind in ("NAME", "STRING", RESERVED)
        return first.kind == RESERVED and follows[0].kind != "ASSIGN"

    def skip_foreign(self, line: Line) -> None:
        word = line.word
        if word in UNSUPPORTED:
            self.error("N190", f"`{word}` is not supported yet", line)
        else:
            if word == "import":
                self.sink.add(python_imports.explained(self.source, line))
            else:
                found = python(self.source, line, line.tokens[0])
                self.sink.add(replace(found, **self.around(line)))
        self.broken = True
        start = self.at
        self.at += 1
        self.skip_deeper(line.indent)
        while (follows := self.next()) and follows.word in ("except", "finally"):
            self.at += 1
            self.skip_deeper(line.indent)
        self.forget(start)

    def skip_block(self, line: Line) -> None:
        """A statement of another language, with the lines below that belong to it."""
        self.broken = True
        start = self.at
        self.at += 1
        self.skip_deeper(line.indent)
        while (follows := self.next()) and foreign_blocks.goes_on(follows, line):
            self.at += 1
            self.skip_deeper(line.indent)
        whole = Span(self.source, line.tokens[0].start, line.tokens[-1].end)
        last = self.lines[self.at - 1]
        closes = self.source.text.find("\n", last.tokens[-1].end)
        self.forget(start)
        self.sink.forget(Span(self.source, whole.start, max(whole.end, closes)))
        self.sink.add(foreign_blocks.explained(self.source, line))

    def forget(self, start: int) -> None:
        """What was told of the lines below the one at `start`, up to the present, is not."""
        skipped = self.lines[start + 1 : self.at]
        if skipped:
            start = line_span(self.source, skipped[0]).start
            end = skipped[-1].tokens[-1].end
            self.sink.forget(Span(self.source, start, end))

    def around(self, line: Line) -> dict[str, Any]:
        """What a fix must change around a line of Python."""
        above = self.lines[self.at - 1] if self.at else None
        below = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else None
        words = [token.text for token in line.tokens]
        lone = not below or below.indent < line.indent
        if line.word == "pass" and above and lone and above.word in ("if", "else"):
            start = line_span(self.source, above).start
            lines = Span(self.source, start, line_span(self.source, line).end)
            if not below or below.word not in ("elif", "else"):
                return {**remove(lines, PYTHON["pass"])}
        if line.word == "yield" and len(words) == 3 and below:
            name = words[1]
            place = Span(self.source, line.tokens[0].start, line.tokens[-1].end)
            text = f"collect {name}s = {name}"
            if [t.text for t in below.tokens[:-1]] == ["return", name]:
                end = below.tokens[-1].end
                between = self.source.text[place.end : below.tokens[1].start]
                fix = Fix(
                    Span(self.source, place.start, end), f"{text}{between}{name}s"
                )
                why = f"`collect` gathers what each step gives: write `{text}`, and return `{name}s`"
                return {"help": why, "fix": fix}
            return {**write(place, text, PYTHON["yield"])}
        return {}

    def skip_deeper(self, indent: int) -> None:
        while (line := self.next()) and line.indent > indent:
            self.at += 1

    def skip_weights(self, line: Line) -> None:
        """Lines of weights where statements belong are one mistake."""
        while line.seems_weights and (follows := self.next()) and follows.seems_weights:
            self.at += 1

    def abandon_body(self, head: Line) -> None:
        """Look for mistakes in the body of a line that is left out."""
        self.broken = True
        line = self.next()
        if line and line.indent > head.indent:
            self.nested(head, line)

    def abandon_item(self, head: Line) -> None:
        """As `abandon_body`, where what is left out may be weights."""
        self.grammar = self.guessed(head, self.at)
        self.abandon_body(head)
        self.grammar = "body_line"

    def guessed(self, head: Line, at: int) -> str:
        """What a head, or the line at `at` if it is deeper, seem to belong to."""
        below = [line for line in self.lines[at : at + 1] if line.indent > head.indent]
        weights = any(line.seems_weights for line in (head, *below))
        return "weights_line" if weights else "body_line"

    def no_body(self, line: Line) -> None:
        follows = self.next()
        if follows and follows.indent > line.indent:
            self.unexpected_indent(follows)
            self.file_broken = True
            self.abandon_item(line)

    def unexpected_indent(self, line: Line) -> None:
        help = "indent it as the line above, or end that with `:`"
        self.broken = True
        if line.tokens[0].kind in CONTINUES:
            help = "lines continue inside brackets: put both into `(...)`"
            line.opaque = True
        line.told = True
        above = self.lines[self.at - 1]
        fix = self.joined(above, line) or self.margin(line, above.indent)
        self.error("N107", "unexpected indentation", line, help, fix)

    def joined(self, above: Line, line: Line) -> Fix | None:
        """A fix that puts a value of two lines into brackets."""
        starts = [t.end for t in above.tokens if t.kind in ("ASSIGN", "RETURN")]
        if not line.opaque or not starts:
            return None
        place = Span(self.source, starts[0], line.tokens[-1].end)
        return Fix(place, f" ({place.text.strip()})")

    def error(
        self,
        code: str,
        message: str,
        line: Line,
        help: str | None = None,
        fix: Fix | None = None,
    ) -> None:
        """Report at the first word of a line."""
        first = line.tokens[0]
        span = Span(self.source, first.start, first.end)
        self.sink.error(code, message, span, help=help, fix=fix)
