"""Lines of a train that are settings of other libraries, or of the loop around a step."""

from __future__ import annotations

import re
from typing import Final

from ...diagnostics import closest, meant, remove, write
from ...syntax import tree
from ..context import Context
from .train_parts import SETTINGS, Goal

# Settings as others call them, and what they set around a step.
SETTINGS_OF_OTHERS: Final = {
    **dict.fromkeys(
        (
            *("clip_grad_norm", "grad_clip", "gradient_clip", "max_grad_norm"),
            *("grad_norm", "global_norm", "clip_norm", "gradient_clipping"),
            *("grad_clip_norm", "clipnorm", "clip_by_global_norm"),
        ),
        "clip",
    ),
    **dict.fromkeys(
        ("accumulation_steps", "gradient_accumulation_steps"), "accumulate"
    ),
    "ema_decay": "ema",
}


_LOOP: Final = (
    "epochs",
    "num_epochs",
    "batch_size",
    "device",
    "seed",
    "shuffle",
    "num_workers",
    "callbacks",
    "early_stopping",
    "patience",
    "num_steps",
    "max_steps",
    "max_epochs",
    "steps_per_epoch",
    "validation_split",
    "log_every",
    "eval_every",
)


_ARGUMENTS: Final = {
    **dict.fromkeys(("learning_rate", "lr"), "adam({value})"),
    **dict.fromkeys(("weight_decay", "wd"), "adamw(1e-3, weight_decay={value})"),
    "momentum": "sgd(0.1, momentum={value})",
    "nesterov": "sgd(0.1, momentum=0.9, nesterov={value})",
    "betas": "adam(1e-3, b1=0.9, b2=0.999)",
}
"""What an optimizer takes, as others have it beside one."""


def elsewhere(ctx: Context, node: tree.Assign, goal: Goal) -> None:
    """Report a line that is about something else than the loss and its step."""
    if len(node.targets) > 1 or _is_read(node):
        return
    name, span = node.targets[0].id, node.targets[0].span
    text = f"a train has no `{name}`"
    if name in _LOOP:
        why = "leave it out: it is for the loop that calls the step"
        ctx.fail("N502", text, span, **remove(span.whole_line(), why))
    if name in _ARGUMENTS:
        made = _ARGUMENTS[name].format(value=node.value.span.text)
        help = f"the optimizer takes it: `optimizer = {made}`"
        ctx.fail("N502", text, span, help=help)
    if name in ("mixed_precision", "fp16", "bf16", "amp", "autocast", "half"):
        ctx.fail("N502", text, span, **write(node.span, "precision = bf16"))
    near = closest(name, SETTINGS, 0.8)
    if near is not None and name not in SETTINGS:
        goal.seen.setdefault(near, span)
        ctx.fail("N502", text, span, **meant(span, near))
    match name, node.value:
        case "metric" | "metrics", tree.Call(tree.Name(called)):
            line = f"metric {called} = {node.value.span.text}"
            ctx.fail("N502", text, span, **write(node.span, line))


def _is_read(node: tree.Assign) -> bool:
    """Whether the text has the name elsewhere too."""
    name = re.escape(node.targets[0].id)
    below = node.span.source.text[node.span.end :]
    return re.search(rf"\b{name}\b", below.partition("\n\n")[0]) is not None
