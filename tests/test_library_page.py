"""The library's page says what the entries are."""

from __future__ import annotations

import re

from make_library_page import PAGE, page

from nnxc.ops import ALL


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `python tests/make_library_page.py`"


def test_every_entry_has_its_call() -> None:
    calls = re.findall(r"`(?:[^`]*-> )?(\w+)\(", page())
    assert {op.name for op in ALL} <= set(calls)


def test_layers_have_examples() -> None:
    layers = [op for op in ALL if op.group == "layer"]
    assert page().count("```nnx") == len(layers)
