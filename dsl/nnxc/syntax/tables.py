"""Makes `_tables.py`, the parser's tables, from `grammar/nnx.lark`.

Run `python -m nnxc.syntax.tables` after a change of the grammar. Only this file uses
lark; a compile loads the tables alone. States are numbered breadth first over sorted
symbols, so that equal grammars give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

STARTS = ("body_line", "top_line", "weights_line")
PATTERNS = ("NAME", "WINDOW", "INT", "FLOAT")
ACCEPT = 0
INLINE = ""
END = "$END"

_HEADER = '''\
"""The parser's tables, made by `python -m nnxc.syntax.tables` from grammar/nnx.lark.

LITERALS  spelling of a keyword, operator or bracket -> terminal
PATTERNS  terminal -> regular expression
RULES     (name, length, children, origin): the name is "" where children replace the
          node; a child is a position in the rule, or -1 for an optional part left out
STATES    symbol -> next state (0 accepts), or ~rule to reduce by
STARTS    start symbol -> state
"""

# fmt: off
'''


def grammar_path() -> Path:
    """The grammar: beside the package where installed, else in the checkout.

    Raises FileNotFoundError where there is neither.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "grammar", package.parents[1] / "grammar"):
        if (folder / "nnx.lark").is_file():
            return folder / "nnx.lark"
    raise FileNotFoundError("grammar/nnx.lark")


def generate(grammar: str) -> str:
    """The text of `_tables.py`. Raises as `analyse` does."""
    parser = analyse(grammar, STARTS)
    table = parser.parser.parser._parse_table
    rules = sorted(_reduced_rules(table), key=_rule_key)
    numbers = {_rule_key(rule): number for number, rule in enumerate(rules)}
    terminals = {terminal.name: terminal.pattern for terminal in parser.terminals}
    literals = {p.value: name for name, p in terminals.items() if p.type == "str"}
    patterns = {name: terminals[name].value for name in PATTERNS}
    states, starts = _number_states(table, numbers)
    return _HEADER + "\n".join(
        (
            *_dict("LITERALS", "dict[str, str]", sorted(literals.items())),
            *_dict("PATTERNS", "dict[str, str]", patterns.items()),
            "RULES: tuple[tuple[str, int, tuple[int, ...], str], ...] = (",
            *(f"    {_describe(rule)!r}," for rule in rules),
            ")",
            "STATES: tuple[dict[str, int], ...] = (",
            *(f"    {row!r}," for row in states),
            ")",
            *_dict("STARTS", "dict[str, int]", starts.items()),
            "",
        )
    )


def analyse(grammar: str, starts: Sequence[str]) -> Any:
    """Lark's parser for some rules. Raises lark's GrammarError where LALR(1) fails."""
    from lark import Lark
    from lark.lexer import Lexer

    class NoLexer(Lexer):
        def __init__(self, conf: object) -> None: ...

        def lex(self, lexer_state: object, parser_state: object) -> Iterator[Any]:
            return iter(())

    return Lark(
        grammar,
        parser="lalr",
        lexer=NoLexer,
        start=list(starts),
        strict=True,
        maybe_placeholders=True,
    )


def _reduced_rules(table: Any) -> set[Any]:
    actions = (row.values() for row in table.states.values())
    return {arg for row in actions for action, arg in row if str(action) == "Reduce"}


def _rule_key(rule: Any) -> tuple[str, tuple[str, ...]]:
    return rule.origin.name, tuple(symbol.name for symbol in rule.expansion)


def _describe(rule: Any) -> tuple[str, int, tuple[int, ...], str]:
    """A rule as the driver needs it; punctuation is no child."""
    options, name = rule.options, str(rule.alias or rule.origin.name)
    bits = "".join(str(int(gap)) for gap in options.empty_indices)
    gaps = [len(ones) for ones in (bits or "0" * len(rule.expansion)).split("0")]
    children = [-1] * gaps[0]
    for position, symbol in enumerate(rule.expansion):
        if not (symbol.is_term and symbol.filter_out):
            children.append(position)
        children += [-1] * gaps[position + 1]
    if name.startswith("_") or (options.expand1 and not rule.alias):
        name = INLINE
    return name, len(rule.expansion), tuple(children), str(rule.origin.name)


def _number_states(
    table: Any, rules: dict[tuple[str, tuple[str, ...]], int]
) -> tuple[list[dict[str, int]], dict[str, int]]:
    order = [table.start_states[start] for start in STARTS]
    number = {state: index for index, state in enumerate(order)}
    rows: list[dict[str, int]] = []
    for state in order:
        row: dict[str, int] = {}
        for symbol, (action, target) in sorted(table.states[state].items()):
            if str(action) == "Shift":
                if target not in number:
                    number[target] = len(order)
                    order.append(target)
                row[symbol] = number[target]
            else:
                row[symbol] = ~rules[_rule_key(target)]
        if state in table.end_states.values():
            row[END] = ACCEPT
        rows.append(row)
    return rows, {start: index for index, start in enumerate(STARTS)}


def _dict(name: str, kind: str, items: Any) -> Iterator[str]:
    yield f"{name}: {kind} = {{"
    yield from (f"    {key!r}: {value!r}," for key, value in items)
    yield "}"


if __name__ == "__main__":
    text = generate(grammar_path().read_text(encoding="utf-8"))
    (Path(__file__).parent / "_tables.py").write_text(text, encoding="utf-8")
