"""Numbers as people read them. Knows `dims`."""

from __future__ import annotations

from ..dims import Dim

_STEPS = ("", "k", "M", "G", "T", "P", "E")
MAX_POLYNOMIAL = 40


def scaled(number: int, base: int = 1000, unit: str = "") -> str:
    """Three digits and a step: 124M, 1.50k, 999."""
    step = 0
    value = float(number)
    while step < len(_STEPS) - 1 and round(abs(value)) >= base:
        value, step = value / base, step + 1
    infix = "i" if step and base == 1024 else ""
    digits = 0 if not step or abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    gap = " " if unit else ""
    return f"{value:.{digits}f}{gap}{_STEPS[step].upper() if unit else _STEPS[step]}{infix}{unit}"


def byte_size(number: int) -> str:
    """Bytes: 474 MiB."""
    return scaled(number, 1024, "B")


def polynomial(size: Dim) -> str:
    """A size with its coefficients scaled: `170M*B*T + 37k*B*T**2`; `...` where long."""
    terms = sorted(size.terms, key=lambda t: -abs(t[1]))
    text = " + ".join(_term(Dim(((m, 1),)), c) for m, c in terms)
    return text.replace("+ -", "- ") if len(text) <= MAX_POLYNOMIAL else "..."


def _term(monomial: Dim, coefficient: int) -> str:
    factors = str(monomial).replace(" * ", "*")
    return scaled(coefficient) + ("" if monomial.value else f"*{factors}")
