"""Diagnostics as text, JSON, SARIF and workflow commands."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnxc.diagnostics import Diagnostic, Fix, Label
from nnxc.report.formats import FORMATS, render
from nnxc.source import NOWHERE, Source, Span

SPEC = Source(
    "gpt.nnx",
    "block Block(heads):\n"
    "    input x: [B, T, d]\n"
    "    x += x -> LayerNorm as ln_2 -> Linear(4 * d) as c_fc -> gelu\n"
    "    return x\n",
)


def at(source: Source, part: str, text: str = "") -> Label:
    start = source.text.index(part)
    return Label(Span(source, start, start + len(part)), text)


def shapes() -> Diagnostic:
    return Diagnostic(
        "N301",
        "shapes do not match",
        at(SPEC, "LayerNorm", "x is f32[B, T, d]"),
        (at(SPEC, "gelu", "f32[B, T, 4 * d]"),),
        "`+=` needs equal shapes; end the branch with `-> Linear(d)`",
        Fix(Span(SPEC, 103, 103), " -> Linear(d)"),
    )


def one(source: Source, start: int, end: int, label: str = "here") -> str:
    found = Diagnostic("N120", "wrong", Label(Span(source, start, end), label))
    return render([found])


def test_a_frame_shows_the_line_the_marks_and_the_help() -> None:
    assert render([shapes()]) == (
        "error[N301]: shapes do not match\n"
        "  --> gpt.nnx:3:15\n"
        "   |\n"
        " 3 |     x += x -> LayerNorm as ln_2 -> Linear(4 * d) as c_fc -> gelu\n"
        "   |               ^^^^^^^^^                                     ----"
        " f32[B, T, 4 * d]\n"
        "   |               x is f32[B, T, d]\n"
        "   = help: `+=` needs equal shapes; end the branch with `-> Linear(d)`\n"
    )


def test_labels_of_several_lines_stand_in_order_with_a_gap_between() -> None:
    found = Diagnostic(
        "N201",
        "unknown name `y`",
        at(SPEC, "return x", "used here"),
        (at(SPEC, "heads", "a parameter"),),
    )
    assert render([found]) == (
        "error[N201]: unknown name `y`\n"
        "  --> gpt.nnx:4:5\n"
        "   |\n"
        " 1 | block Block(heads):\n"
        "   |             ----- a parameter\n"
        "  ...\n"
        " 4 |     return x\n"
        "   |     ^^^^^^^^ used here\n"
    )


def test_a_label_in_another_file_gets_a_frame_of_its_own() -> None:
    other = Source("blocks.nnx", "block B:\n    return 1\n")
    found = Diagnostic("N201", "twice", at(SPEC, "Block"), (at(other, "B", "first"),))
    assert "  ::: blocks.nnx:1:7\n   |\n 1 | block B:\n   |       - first\n" in render(
        [found]
    )


def test_labels_that_would_collide_get_rows_of_their_own() -> None:
    source = Source("a.nnx", "a b c\n")
    found = Diagnostic(
        "N201",
        "m",
        Label(Span(source, 0, 1), "first"),
        (Label(Span(source, 2, 3), "second"), Label(Span(source, 4, 5), "third")),
    )
    assert render([found]).splitlines()[4:] == [
        "   | ^ - - third",
        "   |   second",
        "   | first",
    ]


def test_tabs_and_wide_characters_keep_the_marks_in_place() -> None:
    source = Source("a.nnx", "\tx = 模型 + y\n")
    line, marks = one(source, 10, 11).splitlines()[3:5]
    before = line[: line.index("y")]
    width = sum(2 if unicodedata.east_asian_width(c) == "W" else 1 for c in before)
    assert marks.index("^") == width


def test_control_characters_cannot_steer_the_terminal() -> None:
    source = Source("a\x1b[31m.nnx", "x = \x1b[2J\u202e\n")
    found = Diagnostic(
        "N116", "bad \x1b", Label(Span(source, 4, 5), "\x07"), help="\x9b"
    )
    text = render([found])
    assert all(char == "\n" or char.isprintable() for char in text)


def test_a_long_line_is_cut_around_the_mark() -> None:
    source = Source("a.nnx", "a" * 5000 + "X" + "b" * 5000)
    line, marks = one(source, 5000, 5001).splitlines()[3:5]
    assert len(line) < 200
    assert line[marks.index("^")] == "X"


def test_a_span_over_several_lines_marks_its_first() -> None:
    assert "^^^^^^^^^^^^^^^^^^^ here" in one(SPEC, 0, 60)


def test_an_empty_span_and_the_end_of_the_text_get_a_mark() -> None:
    end = len(SPEC.text)
    assert one(SPEC, end, end).splitlines()[-1] == "   | ^ here"


def test_a_finding_about_a_file_has_no_frame() -> None:
    missing = Span(Source("no.nnx", ""), 0, 0)
    found = Diagnostic("N901", "cannot be read", Label(missing), help="look")
    assert render([found]) == (
        "error[N901]: cannot be read\n  --> no.nnx\n   = help: look\n"
    )


def test_a_finding_without_a_place_is_only_told() -> None:
    found = Diagnostic("N901", "cannot be read", Label(NOWHERE))
    assert render([found]) == "error[N901]: cannot be read\n"
    assert json.loads(render([found], "json"))["diagnostics"][0]["path"] is None
    assert "file=" not in render([found], "github")


def test_colour_only_adds_escapes() -> None:
    coloured = render([shapes()], colour=True)
    assert "\033[1;31m" in coloured
    assert re.sub(r"\033\[[\d;]*m", "", coloured) == render([shapes()])


def test_json_has_places_texts_and_the_fix() -> None:
    found = json.loads(render([shapes()], "json", more={"written": ["a.py"]}))
    assert found["written"] == ["a.py"]
    [diagnostic] = found["diagnostics"]
    assert diagnostic["related"][0]["label"] == "f32[B, T, 4 * d]"
    assert diagnostic["fix"]["text"] == " -> Linear(d)"
    keys = ("code", "severity", "message", "path", "line", "column")
    assert [diagnostic[key] for key in keys] == [
        "N301",
        "error",
        "shapes do not match",
        "gpt.nnx",
        3,
        15,
    ]
    assert (diagnostic["end_line"], diagnostic["end_column"]) == (3, 24)
    assert diagnostic["help"].startswith("`+=` needs")


def test_sarif_names_rule_place_and_text() -> None:
    spaced = Source("my specs/ü.nnx", "x\n")
    found = Diagnostic("N105", "missing colon", Label(Span(spaced, 0, 1)))
    log = json.loads(render([shapes(), found], "sarif"))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["N105", "N301"]
    first, second = run["results"]
    assert rules[first["ruleIndex"]] == first["ruleId"] == "N301"
    assert first["level"] == "error"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "gpt.nnx"},
        "region": {"startLine": 3, "startColumn": 15, "endLine": 3, "endColumn": 24},
    }
    assert len(first["relatedLocations"]) == 1
    [change] = first["fixes"][0]["artifactChanges"]
    [replacement] = change["replacements"]
    assert replacement["insertedContent"]["text"] == " -> Linear(d)"
    assert "fixes" not in second
    place = second["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20specs/%C3%BC.nnx"


def test_workflow_commands_are_escaped() -> None:
    source = Source("a,b:c%.nnx", "x\n")
    span = Span(source, 0, 1)
    found = Diagnostic("N105", "100%\r\nsure::", Label(span), help="do, this")
    [line] = render([found], "github").splitlines()
    assert line == (
        "::error file=a%2Cb%3Ac%25.nnx,line=1,endLine=1,col=1,endColumn=2,"
        "title=N105%3A missing colon::100%25%0D%0Asure::%0Ahelp: do, this"
    )


def test_nothing_to_say() -> None:
    assert render([]) == ""
    assert render([], "github") == ""
    assert json.loads(render([], "json")) == {"diagnostics": []}
    assert json.loads(render([], "sarif"))["runs"][0]["results"] == []
    with pytest.raises(ValueError, match="unknown format"):
        render([], "xml")


@given(st.text(max_size=60), st.data(), st.sampled_from(FORMATS))
def test_any_text_and_span_can_be_rendered(
    text: str, data: st.DataObject, format: str
) -> None:
    source = Source("a.nnx", text)
    offsets = st.integers(0, len(text))
    spans = [
        Span(source, *sorted((data.draw(offsets), data.draw(offsets))))
        for _ in range(3)
    ]
    primary, *related = (Label(span, text[:5]) for span in spans)
    found = Diagnostic("N120", text, primary, tuple(related), help=text)
    shown = render([found], format)
    assert shown.endswith("\n")
    if format == "text" and text:
        marks = [line for line in shown.splitlines() if set(line) >= {"|", "^"}]
        assert marks
    if format in ("json", "sarif"):
        json.loads(shown)
    if format == "github":
        assert len(shown.split("\n")) == 2
