"""The parser's tables: Lark's own, saved, and those of the grammar."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import lark
import pytest
from lark.indenter import Indenter

from nnxc.diagnostics import Sink
from nnxc.source import Source
from nnxc.syntax import analyse, grammar, tree
from nnxc.syntax.hooks import as_lark
from nnxc.syntax.lexer import scan
from nnxc.syntax.lines import join
from nnxc.syntax.parse import parse
from nnxc.syntax.words import BODY, HARD, HEADS, KEYWORDS, TOP

DSL = Path(__file__).parents[1] / "dsl"
ZOO = sorted((DSL / "nnxc/zoo").rglob("*.nnx"))
GRAMMAR = analyse.read_grammar()


@pytest.fixture(scope="module")
def anew() -> lark.Lark:
    return analyse.analysed(GRAMMAR)


def test_the_saved_form_is_current() -> None:
    assert analyse.is_current(GRAMMAR), "run `python -m nnxc.syntax.analyse`"


def test_a_changed_grammar_is_saved_anew() -> None:
    assert not analyse.is_current(GRAMMAR + "\n")


@pytest.mark.parametrize("path", ZOO[::4], ids=lambda path: path.stem)
def test_the_saved_form_is_what_analysis_gives(anew: lark.Lark, path: Path) -> None:
    source, sink = Source(path.name, path.read_text(encoding="utf-8")), Sink()
    for line in join(source, scan(source, sink), sink)[0]:
        kind = "body_line" if line.indent else "top_line"
        if line.indent and line.seems_weights:
            kind = "weights_line"
        parsers = [p.parse_interactive(start=kind) for p in (grammar.LARK, anew)]
        for token in line.tokens[:-1]:
            saved, made = ({*parser.choices()} for parser in parsers)
            assert saved == made
            if token.kind not in saved:
                break
            for parser in parsers:
                parser.feed_token(as_lark(token))


def test_terminals_of_the_saved_form_are_those_of_the_grammar(anew: lark.Lark) -> None:
    saved, made = (
        {one.name: one.pattern.to_regexp() for one in parser.terminals}
        for parser in (grammar.LARK, anew)
    )
    assert saved == made


def test_another_lark_analyses_the_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lark, "__version__", "0")
    parser = grammar._load().parse_interactive(start="top_line")
    assert parser.choices().keys() == grammar.first("top_line")


def test_threads_parse_side_by_side() -> None:
    def read(path: Path) -> tree.File:
        return parse(Source(path.name, path.read_text(encoding="utf-8")), Sink())

    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(read, ZOO[::8])] == [read(path) for path in ZOO[::8]]


class Blocks(Indenter):
    """Lark's own reading of indentation."""

    NL_type = "_NEWLINE"
    OPEN_PAREN_types: ClassVar[list[str]] = ["LPAR", "LSQB"]
    CLOSE_PAREN_types: ClassVar[list[str]] = ["RPAR", "RSQB"]
    INDENT_type = "_INDENT"
    DEDENT_type = "_DEDENT"
    tab_len = 4


@pytest.fixture(scope="module")
def whole() -> lark.Lark:
    return lark.Lark(GRAMMAR, parser="lalr", start="file", postlex=Blocks())


def test_the_rule_for_files_is_lalr() -> None:
    analyse.analysed(GRAMMAR, ["file"])


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_the_rule_for_files_reads_the_zoo(whole: lark.Lark, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    items = parse(Source(path.name, text), Sink()).items
    assert len(whole.parse(text).children) == len(items)


def test_the_words_are_those_of_the_grammar() -> None:
    assert HARD.issubset(KEYWORDS)
    assert set(KEYWORDS) >= TOP | BODY | HEADS
    assert {
        *("block", "config", "defaults", "extern", "generate", "model"),
        *("train", "use", "weights"),
    } == TOP
    assert {"input", "return", "for", "if", "elif", "else"} <= BODY
    assert not BODY & {"true", "false", "none", "not"}
