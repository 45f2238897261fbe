"""What a line of Python takes from elsewhere, and what is not in its text by itself."""

from __future__ import annotations

from typing import TypeAlias

from ...record import Record


class Stored(Record):
    """A static value that a call asks its object for, by its name in the spec."""

    name: str


class Found(Record):
    """A size that a call reads from what a block gives."""

    name: str


class Axis(Record):
    """An axis that a call reads from the shape of an input; `late` where that input's name may
    have another value by then."""

    name: str
    late: bool


class Field(Record):
    """A field of the Config that a constructor reads."""

    name: str


class OwnDtype(Record):
    """The dtype that an object computes in."""


Use: TypeAlias = str | Stored | Found | Axis | Field | OwnDtype  # a str: a local name
