"""Lines to blocks, by their indentation. Every mistake is reported, and costs its line."""

from __future__ import annotations

from typing import Any

from ..diagnostics import Fix, Sink
from ..record import replace
from ..source import Span
from . import tree
from .building.read_line import read_line
from .building.tree_builder import Else, folded
from .cursor import Cursor
from .indentation import deeper, joined, margin
from .lines import MAX_NESTING, Line
from .mistakes import foreign_blocks, python_imports, python_lines
from .mistakes.fault import line_span
from .mistakes.odd_words import unknown_statement
from .mistakes.token_kinds import CONTINUES
from .tokens import RESERVED
from .words import BODY, TOP

MAX_BLOCKS = 20
_TOP_KINDS = frozenset(word.upper() for word in TOP)


class Blocks:
    """Puts lines into blocks. `broken` and `lost` are about the present item."""

    def __init__(self, cursor: Cursor, sink: Sink) -> None:
        self.cursor, self.source, self.sink = cursor, cursor.source, sink
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
        while self.cursor.at < len(self.cursor.lines):
            start = self.cursor.at
            self.broken, self.lost = False, set()
            self.hoisted = []
            item = self.item(self.cursor.lines[start])
            if item:
                items.append(item)
            else:
                self.file_broken = True
                self.file_lost |= self.cursor.names(start)
            items += self.hoisted
        return tuple(items)

    def item(self, line: Line) -> tree.Item | None:
        if line.indent and not _is_statement(line):
            help = "top-level forms begin at the left margin"
            self.error(
                "N107",
                "unexpected indentation",
                line,
                help,
                margin(self.source, line, 0),
            )
        if line.word not in TOP and not line.opaque and self.strays(line):
            return None
        line.begin_with_keyword()
        item: tree.Item | None = self.take(line, "top_line")
        match item:
            case None if line.word == "config":
                self.pass_over(line)
            case None:
                self.abandon_item(line)
            case tree.Definition() | tree.Train() | tree.Weights() if line.opens:
                item = self.filled(item, line, adopts=True)
            case tree.Weights() | tree.Train() if self.goes_deeper(line):
                self.missing_colon(line)
                item = self.filled(item, line)
            case _:
                self.no_body(line)
        return item

    def goes_deeper(self, head: Line) -> bool:
        """Whether the next line is indented deeper than a head."""
        follows = self.cursor.next()
        return follows is not None and follows.indent > head.indent

    def missing_colon(self, head: Line) -> None:
        """Report a head that stands for itself, and has lines below."""
        end = head.tokens[-1]
        at = Span(self.source, end.start, end.end)
        fix = Fix(at, ":")
        self.broken = True
        help = "end the line with `:`"
        self.sink.error("N105", "missing `:`", at, help=help, fix=fix)

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
            self.cursor.at += 1
        elif self.skips_foreign(line):
            pass
        elif _is_statement(line):
            self.grammar = self.cursor.grammar_of(line, self.cursor.at + 1)
            self.statements(line.indent, -1, top=True)
            self.grammar = "body_line"
            help = "indent it into a `block`, `model` or `train`"
            kinds = [t.kind for t in line.tokens]
            if kinds[:2] == ["NAME", "ASSIGN"]:
                self.sink.forget(line_span(self.source, line))
                name = line.word.lower()
                if "ARROW" not in kinds:
                    parameter = f"`model Net({name} = ...)`"
                    help = f"make it a parameter, {parameter}, or indent it"
                line.broken = False  # told here, whatever stands behind
            if not line.broken:
                self.error("N134", "statement outside of a block", line, help)
        else:
            first = line.tokens[0]
            self.sink.add(unknown_statement(self.source, first, TOP))
            self.cursor.at += 1
            self.abandon_item(line)
        return True

    def skips_foreign(self, line: Line) -> bool:
        """Pass over a statement of another language, if the line begins one."""
        if python_lines.begins(line):
            python_lines.skip(self.cursor, line, self.sink)
        elif foreign_blocks.begins(line):
            foreign_blocks.skip(self.cursor, line, self.sink)
        else:
            return False
        self.broken = True
        return True

    # ----------------------------------------------------------------- bodies

    def body(self, head: Line, adopts: bool = False) -> tuple[tree.Statement, ...]:
        """The block below a head. `adopts`: statements that should have been indented
        are taken for it."""
        line = self.cursor.next()
        if line and line.indent > head.indent:
            return self.nested(head, line)
        end = head.tokens[-1]
        at = Span(self.source, end.start - 1, end.end)
        help = "write its lines below, indented by four spaces"
        self.broken = True
        message = f"`{head.word}` has no body"
        if not (line and adopts and _is_statement(line)):
            self.sink.error("N108", message, at, help=help)
            return ()
        start = self.cursor.at
        found = self.statements(
            line.indent, min(head.indent, line.indent) - 1, top=True
        )
        if 0 < line.indent < head.indent:  # the head was told to be indented too far
            return found
        fix = deeper(self.source, self.cursor.lines[start : self.cursor.at])
        self.error("N108", "missing indentation", line, "indent by four spaces", fix)
        return found

    def nested(self, head: Line, line: Line) -> tuple[tree.Statement, ...]:
        if self.depth == MAX_BLOCKS:
            message = f"more than {MAX_BLOCKS} blocks are nested"
            self.error("N117", message, line, "divide it into blocks with names")
            self.broken = True
            self.cursor.skip_deeper(head.indent)
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
        while (line := self.cursor.next()) and line.indent > outer:
            if top and line.indent <= indent and not _is_statement(line):
                break
            if line.indent not in (indent, odd):
                if not line.tabs and not top:
                    self.odd_indent(line, indent)
                odd = line.indent
            elif line.indent == indent:
                odd = indent
            start = self.cursor.at
            statement = self.statement(line)
            if statement:
                found.append(statement)
            else:
                self.lost |= self.cursor.names(start)
        return tuple(found)

    def odd_indent(self, line: Line, indent: int) -> None:
        if line.indent > indent:
            self.unexpected_indent(line)
            return
        message = "indentation fits no block"
        help = f"indent by {indent} spaces, as the block does"
        self.broken = True
        self.error("N109", message, line, help, margin(self.source, line, indent))

    def statement(self, line: Line) -> tree.Statement | None:
        if self.grammar == "weights_line":
            entry = self.take(line, self.grammar)
            if entry is None:
                self.cursor.skip_deeper(line.indent)
            return entry  # type: ignore[no-any-return]
        if line.tokens[0].kind in _TOP_KINDS and not line.opaque:
            if [t.text for t in line.tokens[:2]] == ["train", "only"]:
                self.take(line, "body_line")
                return None
            self.misplaced_item(line)
            return None
        if self.skips_foreign(line):
            return None
        node = self.take(line, "body_line")
        match node:
            case tree.For() | tree.Scan() | tree.Optimize():
                return replace(node, body=self.body(line))
            case _ if line.word in ("if", "elif", "else"):
                return self.choice(line, node)
            case None:
                self.abandon_body(line)
                self.cursor.skip_weights(line)
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
        while (follows := self.cursor.next()) and follows.indent == line.indent:
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
            case None if line.word == "config":
                self.pass_over(line)
            case None:
                self.abandon_body(line)
                self.file_broken = True
        if item:
            self.hoisted.append(item)

    # ------------------------------------------------------------------ lines

    def take(self, line: Line, start: str) -> Any:
        """Parse the present line; None, and the item broken, where that fails."""
        self.cursor.at += 1
        node = None if line.opaque else read_line(self.cursor, line, start, self.sink)
        if line.broken:
            node = None
        line.broken |= node is None
        self.broken |= node is None
        return node

    def abandon_body(self, head: Line) -> None:
        """Look for mistakes in the body of a line that is left out."""
        self.broken = True
        line = self.cursor.next()
        if line and line.indent > head.indent:
            self.nested(head, line)

    def abandon_item(self, head: Line) -> None:
        """As `abandon_body`, where what is left out may be weights."""
        self.grammar = self.cursor.grammar_of(head, self.cursor.at)
        self.abandon_body(head)
        self.grammar = "body_line"

    def pass_over(self, head: Line) -> None:
        """Lines below a head that takes none: they are one mistake with it."""
        start = self.cursor.at - 1
        self.broken = self.file_broken = True
        self.cursor.skip_deeper(head.indent)
        if skipped := self.cursor.skipped(start):
            self.sink.forget(skipped)

    def no_body(self, line: Line) -> None:
        follows = self.cursor.next()
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
        above = self.cursor.lines[self.cursor.at - 1]
        fix = joined(self.source, above, line) or margin(
            self.source, line, above.indent
        )
        self.error("N107", "unexpected indentation", line, help, fix)

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


def _is_statement(line: Line) -> bool:
    """Whether a line seems to be written for a body."""
    if line.word in TOP or line.opaque:
        return False
    first, follows = line.tokens[0], line.tokens[1:2]
    if first.text in BODY:
        return True
    behind = ("NAME", "STRING", "FROM", RESERVED)
    names = bool(follows) and follows[0].kind in behind
    return first.kind != RESERVED and not (first.kind == "NAME" and names)
