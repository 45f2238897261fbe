"""Diagnostics for tools: JSON, SARIF 2.1.0, GitHub workflow commands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from .. import __version__
from ..codes import CODES
from ..diagnostics import Diagnostic, Fix
from ..source import NOWHERE, Span


def render_json(diagnostics: Iterable[Diagnostic], more: Mapping[str, object]) -> str:
    """One object; lines and columns count from 1, ends are exclusive."""
    found = [_as_json(d) for d in diagnostics]
    return _dump({"diagnostics": found, **more})


def _as_json(diagnostic: Diagnostic) -> dict[str, object]:
    fix = diagnostic.fix
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "path": _path(diagnostic.primary.span),
        **_place(diagnostic.primary.span),
        "label": diagnostic.primary.text,
        "help": diagnostic.help,
        "related": [
            {"path": _path(r.span), **_place(r.span), "label": r.text}
            for r in diagnostic.related
        ],
        "fix": fix and {**_place(fix.span), "text": fix.text},
    }


def _path(span: Span) -> str | None:
    return None if span.source is NOWHERE.source else span.source.path


def _place(span: Span) -> dict[str, int]:
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


def _dump(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True) + "\n"


def render_sarif(diagnostics: Sequence[Diagnostic]) -> str:
    """A SARIF log of one run."""
    codes = sorted({d.code for d in diagnostics})
    rules = [
        {"id": code, "shortDescription": {"text": CODES.get(code, code)}}
        for code in codes
    ]
    results = [_as_sarif(d, codes.index(d.code)) for d in diagnostics]
    tool = {"driver": {"name": "nnxc", "version": __version__, "rules": rules}}
    run = {"tool": tool, "columnKind": "unicodeCodePoints", "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return _dump({"$schema": schema, "version": "2.1.0", "runs": [run]})


def _as_sarif(diagnostic: Diagnostic, rule: int) -> dict[str, object]:
    place = diagnostic.primary.span
    known = place.source is not NOWHERE.source
    fix = diagnostic.fix
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": _whole_text(diagnostic)},
        "locations": [{"physicalLocation": _location(place)}] if known else [],
        "relatedLocations": [
            {
                "id": number,
                "physicalLocation": _location(label.span),
                "message": {"text": label.text or "here"},
            }
            for number, label in enumerate(diagnostic.related)
        ],
        **({"fixes": [_as_sarif_fix(fix, diagnostic.help or "")]} if fix else {}),
    }


def _as_sarif_fix(fix: Fix, help: str) -> dict[str, object]:
    location = _location(fix.span)
    change = {
        "deletedRegion": location["region"],
        "insertedContent": {"text": fix.text},
    }
    file = {
        "artifactLocation": location["artifactLocation"],
        "replacements": [change],
    }
    return {"description": {"text": help}, "artifactChanges": [file]}


def _location(span: Span) -> dict[str, object]:
    path = span.source.path.replace("\\", "/")
    uri = quote(path, errors="surrogateescape")
    location: dict[str, object] = {
        "artifactLocation": {"uri": f"file://{uri}" if path.startswith("/") else uri}
    }
    if span.source.text:
        place = _place(span)
        location["region"] = {
            "startLine": place["line"],
            "startColumn": place["column"],
            "endLine": place["end_line"],
            "endColumn": place["end_column"],
        }
    return location


def _whole_text(diagnostic: Diagnostic) -> str:
    parts = [diagnostic.message]
    if diagnostic.primary.text:
        parts.append(f" ({diagnostic.primary.text})")
    if diagnostic.help:
        parts.append(f"\nhelp: {diagnostic.help}")
    return "".join(parts)


def render_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands, one a line, which GitHub shows beside the code."""
    return "".join(f"{_as_command(d)}\n" for d in diagnostics)


def _as_command(diagnostic: Diagnostic) -> str:
    span = diagnostic.primary.span
    fields: dict[str, object] = {}
    if path := _path(span):
        fields["file"] = path
    if span.source.text:
        place = _place(span)
        fields |= {"line": place["line"], "endLine": place["end_line"]}
        if place["line"] == place["end_line"]:  # columns count within one line only
            fields |= {"col": place["column"], "endColumn": place["end_column"]}
    fields["title"] = f"{diagnostic.code}: {CODES.get(diagnostic.code, 'nnxc')}"
    kind = {"error": "error", "warning": "warning"}.get(diagnostic.severity, "notice")
    listed = ",".join(f"{name}={_property(str(v))}" for name, v in fields.items())
    return f"::{kind} {listed}::{_data(_whole_text(diagnostic))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
