"""What `make configs` tries, and what it has found."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.configs.__main__ import main
from tests.configs.changes import NOTHING, absences, changed, changes
from tests.configs.tally import Tally

ROOT = Path(__file__).parents[1]
RESULTS = json.loads((ROOT / "tests/configs/results.json").read_text())
SETTINGS = {
    "model_type": "llama",
    "hidden_size": 8,
    "mlp_bias": False,
    "hidden_act": "silu",
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
    "window": None,
}


def test_each_setting_is_changed() -> None:
    found = list(changes(SETTINGS))
    tried = {(".".join(c.path), json.dumps(c.value)) for c in found}
    for case in (
        ("hidden_size", "4"),
        ("hidden_size", "16"),
        ("mlp_bias", "true"),
        ("hidden_act", '"gelu"'),
        ("rope_parameters.rope_theta", "160000.0"),
        ("window", "4"),
    ):
        assert case in tried
    assert {c.path[0] for c in found} == {*SETTINGS} - {"model_type"}
    assert any("yarn" in str(c) for c in found)
    assert {c.path[-1] for c in found if c.size} == {"hidden_size", "rope_theta"}


def test_what_is_changed_is_the_rest_of_a_copy() -> None:
    sizes = [c for c in changes(SETTINGS) if c.size and c.turn == 0]
    together = changed(SETTINGS, sizes)
    assert together["hidden_size"] == 4
    assert together["rope_parameters"] == {"rope_type": "default", "rope_theta": 16e4}
    assert SETTINGS["hidden_size"] == 8 and changed(SETTINGS, [NOTHING]) == SETTINGS


def test_each_setting_is_left_out() -> None:
    settings = SETTINGS | {"id2label": {"0": "a", "1": "b"}}
    found = {".".join(c.path): changed(settings, [c]) for c in absences(settings)}
    inner = {f"rope_parameters.{key}" for key in SETTINGS["rope_parameters"]}
    assert {*found} == {*settings} - {"model_type"} | inner
    assert "hidden_size" not in found["hidden_size"]
    assert found["rope_parameters.rope_type"]["rope_parameters"] == {"rope_theta": 1e4}


def test_a_tally_counts_what_has_a_reference() -> None:
    tally = Tally()
    for kind in ("followed", "refused: why", "wrong: off by 1", None):
        tally.add(NOTHING, kind)
    assert tally.row() == {"followed": 1, "refused": 1, "wrong": 1}
    assert (tally + tally).count == 6 and tally.wrong == ["nothing = null: off by 1"]


def test_the_readme_says_what_was_found() -> None:
    absent = [row["absent"] for row in RESULTS.values()]
    sums = [
        sum(row[k] for row in rows)
        for rows in (RESULTS.values(), absent)
        for k in ("followed", "refused")
    ]
    assert not any(row["wrong"] for row in (*RESULTS.values(), *absent))
    said = re.sub(r"\s+", " ", (ROOT / "README.md").read_text())
    found = re.search(
        r"([\d,]+) changed settings followed, ([\d,]+) refused; "
        r"([\d,]+) that were left out followed, ([\d,]+) refused; none silently wrong, "
        r"in (\d+) families",
        said,
    )
    assert found is not None
    numbers = [int(number.replace(",", "")) for number in found.groups()]
    assert numbers == [*sums, len(RESULTS)]


def test_without_references_nothing_is_said_to_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARITY", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["tests.configs"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "there are no references" in capsys.readouterr().err
