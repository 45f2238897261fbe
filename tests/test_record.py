"""Records behave as the frozen dataclasses that they stand for."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping

import pytest

from nnxc.record import EMPTY, Record, field, names_of, replace


class Point(Record):
    x: int
    y: int = 0
    note: str = field(default="", compare=False)
    tags: Mapping[str, str] = EMPTY


def test_fields_come_by_position_name_and_default() -> None:
    point = Point(1, note="here")
    assert (point.x, point.y, point.note, point.tags) == (1, 0, "here", {})
    assert names_of(point) == ("x", "y", "note", "tags")


def test_equality_passes_over_uncompared_fields_and_other_types() -> None:
    class Other(Record):
        x: int
        y: int = 0

    assert Point(1, 2, "a") == Point(1, 2, "b")
    assert Point(1, 2) != Point(2, 2)
    assert Other(1) != Point(1)


def test_hash_follows_equality() -> None:
    class Key(Record):
        name: str
        note: str = field(default="", compare=False)

    assert hash(Key("a", "x")) == hash(Key("a", "y"))
    assert len({Key("a"), Key("a"), Key("b")}) == 2


def test_records_are_frozen() -> None:
    point = Point(1)
    with pytest.raises(AttributeError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del point.x


def test_fields_with_defaults_come_last() -> None:
    with pytest.raises(TypeError):

        class Late(Point):
            z: int


@pytest.mark.parametrize(
    "args, kwargs", [((), {}), ((1, 2, "", [], 5), {}), ((1,), {"z": 1})]
)
def test_wrong_arguments_are_type_errors(
    args: tuple[object, ...], kwargs: dict[str, int]
) -> None:
    with pytest.raises(TypeError):
        Point(*args, **kwargs)  # type: ignore[arg-type]


def test_argument_given_twice_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        Point(1, x=1)  # type: ignore[misc]


def test_replace_copy_pickle_and_match() -> None:
    point = Point(1, 2)
    assert replace(point, y=5) == Point(1, 5)
    assert copy.deepcopy(point) == point == pickle.loads(pickle.dumps(point))
    match point:
        case Point(x, 2):
            assert x == 1
        case _:
            raise AssertionError("the pattern must match")
