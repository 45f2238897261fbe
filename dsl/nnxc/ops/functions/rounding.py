"""A function of sizes that Python lacks."""

from __future__ import annotations

from ..base import Helper

DIVISIBLE = Helper(
    "divisible",
    '''def divisible(value: float, by: int, least: int | None = None) -> int:
    """The nearest multiple, at least `least` and no less than nine tenths of the value."""
    near = max(by if least is None else least, int(value + by / 2) // by * by)
    return near if near >= 0.9 * value else near + by
''',
)
