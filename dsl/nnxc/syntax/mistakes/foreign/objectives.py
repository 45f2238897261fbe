"""Objectives, adapters and second models of a train, said in other ways."""

from __future__ import annotations

import re

from ....diagnostics import Advice, Diagnostic, Fix, remove, write
from ....source import Span
from ..fault import Fault


def minimised(fault: Fault) -> Diagnostic | None:
    """`minimize d_loss over D with adam(2e-4)`."""
    line = fault.rest(fault.first)
    found = re.fullmatch(
        r"minimi[sz]e (.+?) (?:over|for|of|in|wrt) ([\w.]+)(?: (?:with|by|using) (.+))?",
        line.text,
    )
    if found is None:
        return None
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", found[2]).lower()
    margin = "\n" + " " * (fault.line.indent + 4)
    rows = [f"loss = {found[1]}", f"optimizer = {found[3] or 'adam(1e-3)'}"]
    text = f"optimize {name}:{margin}{margin.join(rows)}"
    advice: Advice = {
        "help": f"an objective is a section: write `optimize {name}:`, its lines below",
        "fix": Fix(line, text),
    }
    message = f"no statement begins with `{fault.first.text}`"
    return fault.report("N133", message, advice, at=fault.first)


def adapted(fault: Fault) -> Diagnostic | None:
    """`lora rank=8, target=[fc]` in a train."""
    if fault.first.text.lower() not in ("lora", "adapter", "peft"):
        return None
    line = fault.rest(fault.first)
    items = dict(re.findall(r"(\w+) *[=:] *(\[[^\]]*\]|[\w.\"]+)", line.text))
    paths = [
        v
        for k, v in items.items()
        if k.startswith(("target", "on", "layers", "modules"))
    ]
    rank = items.get("rank") or items.get("r") or "8"
    alpha = f", alpha={items['alpha']}" if "alpha" in items else ""
    on = f" on {paths[0].strip('[]').replace(chr(34), '')}" if paths else ""
    text = f"adapt lora(rank={rank}{alpha}){on}"
    message = f"no statement begins with `{fault.first.text}`"
    return fault.report("N133", message, write(line, text), at=fault.first)


def trained_together(fault: Fault) -> Diagnostic | None:
    """`train Generator, Discriminator:`."""
    if fault.first.kind != "TRAIN" or fault.failure.index != 2:
        return None
    if fault.kind not in ("COMMA", "AND", "PLUS"):
        return None
    help = "a train is of one model: a model applies both, and `optimize name:` trains each of its blocks"
    return fault.report("N120", f"unexpected `{fault.token.text}`", help)


def trained_with(fault: Fault) -> Diagnostic | None:
    """`train Student with teacher = Teacher:`."""
    if fault.first.kind != "TRAIN" or fault.failure.index != 2:
        return None
    place = Span(fault.source, fault.token.start, fault.line.tokens[-1].end)
    found = re.fullmatch(
        r"(?:with|using|from) (?:(\w+) *= *)?(\w+)(\(.*\))?:", place.text
    )
    if found is None:
        return None
    name = found[1] or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", found[2]).lower()
    model = found[2]
    if not re.search(rf"(?m)^model {model}\b", fault.source.text):
        name, model = model.lower(), fault.line.tokens[1].text
    line = f"frozen {name} = {model}{found[3] or ''}"
    fix = Fix(Span(fault.source, fault.before.end, place.end), f":\n    {line}")  # type: ignore[union-attr]
    help = f"a second model is said in the body: write `{line}`"
    return fault.report(
        "N120", f"unexpected `{fault.token.text}`", {"help": help, "fix": fix}
    )


def trained_only(fault: Fault) -> Diagnostic | None:
    """`train only head` in a train."""
    line = fault.rest(fault.first)
    found = re.fullmatch(r"train (only|just) ([\w.\[\], ]+)", line.text)
    if found is None:
        return None
    return fault.report(
        "N120",
        f"unexpected `{found[1]}`",
        write(line, f"only {found[2]}"),
        at=fault.first,
    )


def counted_setting(fault: Fault) -> Diagnostic | None:
    """`accumulate = 4 steps`."""
    tokens = fault.line.tokens
    if fault.kind != "NAME" or fault.after is not tokens[-1] or not fault.before:
        return None
    if [t.kind for t in tokens[:2]] != ["NAME", "ASSIGN"] or fault.before.kind != "INT":
        return None
    place = Span(fault.source, fault.before.end, fault.token.end)
    word = fault.token.text
    return fault.report(
        "N120", f"unexpected `{word}`", remove(place, f"leave out `{word}`")
    )


def unsigned(fault: Fault) -> Diagnostic | None:
    """`extern "jax.scipy.special" logsumexp`."""
    if fault.first.kind != "EXTERN" or not fault.accepts("LPAR") or not fault.before:
        return None
    form = f"{fault.before.text}(x: [B, d]) -> [B, d]"
    help = f"say what it takes and what it gives: `{form}`"
    return fault.report("N120", "missing `(`", help)
