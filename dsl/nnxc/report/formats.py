"""Diagnostics as text, for people and for tools. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..diagnostics import Diagnostic

FORMATS = ("text", "json", "sarif", "github")


def render(
    diagnostics: Sequence[Diagnostic],
    format: str = "text",
    *,
    colour: bool = False,
    more: Mapping[str, object] | None = None,
) -> str:
    """Diagnostics in one of `FORMATS`, with the final line end; "" for nothing to say.

    `more` joins the object that the JSON format makes.
    """
    if format == "text":
        from .render_text import render_text

        return render_text(diagnostics, colour=colour)
    from .render_tools import render_github, render_json, render_sarif

    match format:
        case "json":
            return render_json(diagnostics, more or {})
        case "sarif":
            return render_sarif(diagnostics)
        case "github":
            return render_github(diagnostics)
    raise ValueError(f"unknown format {format!r}")
