"""The parser's tables: made from the grammar, alike everywhere, quick to load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from lark import Lark
from lark.indenter import Indenter

from nnxc.diagnostics import Sink
from nnxc.source import Source
from nnxc.syntax import tables
from nnxc.syntax.parse import parse
from nnxc.syntax.words import BODY, HARD, HEADS, KEYWORDS, TOP

ROOT = Path(__file__).parents[1]
DSL = ROOT / "dsl"
ZOO = sorted((DSL / "nnxc/zoo").rglob("*.nnx"))
GRAMMAR = tables.grammar_path().read_text(encoding="utf-8")


def run(code: str, **environment: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(DSL), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_tables_are_up_to_date() -> None:
    made = tables.generate(GRAMMAR)
    assert (DSL / "nnxc/syntax/_tables.py").read_text(encoding="utf-8") == made


def test_tables_do_not_depend_on_hashing() -> None:
    code = (
        "from hashlib import sha256; from nnxc.syntax import tables\n"
        "text = tables.generate(tables.grammar_path().read_text(encoding='utf-8'))\n"
        "print(sha256(text.encode()).hexdigest())"
    )
    assert run(code, PYTHONHASHSEED="1") == run(code, PYTHONHASHSEED="2")


def test_parsing_loads_no_lark() -> None:
    code = "import sys, nnxc.syntax.parse, nnxc.syntax.format; print('lark' in sys.modules)"
    assert run(code) == "False\n"


class Blocks(Indenter):
    """Lark's own reading of indentation."""

    NL_type = "_NEWLINE"
    OPEN_PAREN_types: ClassVar[list[str]] = ["LPAR", "LSQB"]
    CLOSE_PAREN_types: ClassVar[list[str]] = ["RPAR", "RSQB"]
    INDENT_type = "_INDENT"
    DEDENT_type = "_DEDENT"
    tab_len = 4


@pytest.fixture(scope="module")
def whole() -> Lark:
    return Lark(GRAMMAR, parser="lalr", start="file", postlex=Blocks())


def test_the_rule_for_files_is_lalr() -> None:
    tables.analyse(GRAMMAR, ["file"])


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_the_rule_for_files_reads_the_zoo(whole: Lark, path: Path) -> None:
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
