"""Sizes as expressions, of the language and of Python alike. Knows the standard library only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dims import Atom, Dim, Func, Monomial


def rendered(dim: Dim, name: Callable[[str], str], python: bool) -> str:
    """The size with `name` saying how each symbol is spelt; negative terms come last. In `python`,
    powers have spaces as Black gives them."""
    text = ""
    for monomial, coefficient in sorted(dim.terms, key=lambda term: term[1] < 0):
        if not text:
            text = _render_term(monomial, coefficient, name, python)
            continue
        body = _render_term(monomial, abs(coefficient), name, python)
        text += f" - {body}" if coefficient < 0 else f" + {body}"
    return text or "0"


def _render_term(
    monomial: Monomial, coefficient: int, name: Callable[[str], str], python: bool
) -> str:
    factors = [_render_power(a, p, name, python) for a, p in monomial]
    # `a * b // c` would divide the product, and `-a // b` the negative.
    if coefficient != 1 or len(monomial) > 1:
        factors = [
            f"({factor})" if _is_quotient(*power) else factor
            for factor, power in zip(factors, monomial, strict=True)
        ]
    if abs(coefficient) != 1 or not factors:
        factors.insert(0, str(abs(coefficient)))
    return ("-" if coefficient < 0 else "") + " * ".join(factors)


def _is_quotient(atom: Atom, exponent: int) -> bool:
    return exponent == 1 and not isinstance(atom, str) and atom.name == "floordiv"


def _render_power(
    atom: Atom, exponent: int, name: Callable[[str], str], python: bool
) -> str:
    body = name(atom) if isinstance(atom, str) else _render_func(atom, name, python)
    if exponent == 1:
        return body
    return _power(body, str(exponent)) if python else f"{_wide(body)}**{exponent}"


def _power(base: str, exponent: str) -> str:
    """A power as Black has it: with spaces where an operand is more than a name or a number."""
    words = (text.replace(".", "").replace("_", "") for text in (base, exponent))
    operator = "**" if all(map(str.isalnum, words)) else " ** "
    return f"{grouped(base)}{operator}{grouped(exponent)}"


def _wide(text: str) -> str:
    return f"({text})" if " " in text else text


def _render_func(atom: Func, name: Callable[[str], str], python: bool) -> str:
    texts = [a.render(name, python) for a in atom.args]
    match atom.name:
        case "floordiv":
            return f"{grouped(texts[0])} // {grouped(texts[1])}"
        case "pow":
            if python:
                return _power(*texts)
            spaced = " ** " if " " in "".join(texts) else "**"
            return f"{grouped(texts[0])}{spaced}{grouped(texts[1])}"
        case "index":
            return f"{texts[0]}[{texts[1]}]"
        case "if":
            return f"({texts[0]} if {texts[1]} else {texts[2]})"
    return f"{atom.name}({', '.join(texts)})"


def grouped(text: str) -> str:
    """The text as an operand of `//` or `**`."""
    return f"({text})" if " " in text or text.startswith("-") else text
