"""Learning-rate schedules: Optax's, under short names. `steps` counts from the start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...dims import const
from ...shapes import TensorType
from ..base import Call, Example, Inputs, Kind, Op, Param, Requirement, Rule, Shaped

_POSITIVE = (0, math.inf)


def _value(name: str, default: float | None = None, doc: str = "") -> Param:
    if default is None:
        return Param(name, Kind.NUMBER, doc=doc, bounds=_POSITIVE)
    return Param(name, Kind.NUMBER, default, doc, bounds=_POSITIVE)


def _within(part: str, *more: str) -> Rule:
    """The rule that steps of a part, and of others, leave some of all `steps`."""

    def rule(_: Inputs, args: Mapping[str, Any]) -> Shaped:
        taken = sum((args[name] for name in more), args[part])
        least = taken if more else taken + const(1)
        names = " and ".join(f"`{name}`" for name in (part, *more))
        fits = Requirement(
            args["steps"],
            least,
            f"{names} must fit into `steps`",
            ">=",
            at=part,
            help="`steps` counts from the start, the warm-up included",
        )
        return Shaped(TensorType("float", ()), requires=(fits,))

    return rule


def _schedule(
    name: str,
    doc: str,
    build: Call | str,
    *params: Param,
    rule: str | Rule = "... -> ...",
    **example: Any,
) -> Op:
    return Op(
        name,
        "schedule",
        doc,
        build,
        params=params,
        inputs=(),
        shape=rule,
        examples=(Example(example, ()),),
    )


_INIT = _value("init", doc="the first value")
_PEAK = _value("peak", doc="the highest value, reached when the warm-up ends")
_STEPS = Param("steps", Kind.SIZE, doc="steps in all, the warm-up included")
_WARMUP = Param("warmup", Kind.SIZE, doc="steps from the first value to the peak")
_START = _value("init", 0.0, "the first value")
_END = _value("end", 0.0, "the last value")
_BEGIN = Param("begin", Kind.INT, 0, "steps before the change begins")
_STAIRCASE = Param("staircase", Kind.BOOL, False, "change at whole intervals only")

ENTRIES: tuple[Op, ...] = (
    _schedule(
        "constant",
        "One value throughout.",
        Call("optax.constant_schedule", ("value",)),
        _value("value"),
        value=0.1,
    ),
    _schedule(
        "linear",
        "A straight line from `init` to `end` over `steps`.",
        Call(
            "optax.linear_schedule",
            ("init", "end", "steps"),
            {"transition_begin": "begin"},
        ),
        _INIT,
        _value("end"),
        _STEPS,
        _BEGIN,
        init=0.1,
        end=0.01,
        steps=100,
    ),
    _schedule(
        "polynomial",
        "From `init` to `end` over `steps` by a power of the share that remains.",
        Call(
            "optax.polynomial_schedule",
            ("init", "end", "power", "steps"),
            {"transition_begin": "begin"},
        ),
        _INIT,
        _value("end"),
        _value("power"),
        _STEPS,
        _BEGIN,
        init=0.1,
        end=0.01,
        power=2,
        steps=100,
    ),
    _schedule(
        "exponential",
        "Multiplied by `rate` every `steps`.",
        Call(
            "optax.exponential_decay",
            ("init", "steps", "rate"),
            {
                "transition_begin": "begin",
                "staircase": "staircase",
                "end_value": "end",
            },
        ),
        _INIT,
        Param("steps", Kind.SIZE, doc="steps for one factor of `rate`"),
        _value("rate"),
        _BEGIN,
        _STAIRCASE,
        Param("end", Kind.NUMBER, None, "where the decay stops", optional=True),
        init=0.1,
        steps=100,
        rate=0.5,
    ),
    _schedule(
        "cosine",
        "Half a cosine from `init` to `alpha * init` over `steps`.",
        Call(
            "optax.cosine_decay_schedule",
            ("init", "steps"),
            {"alpha": "alpha", "exponent": "exponent"},
        ),
        _INIT,
        _STEPS,
        _value("alpha", 0.0),
        _value("exponent", 1.0),
        init=0.1,
        steps=100,
    ),
    _schedule(
        "piecewise",
        "Multiplied by `scale` at each of the `boundaries`.",
        "optax.piecewise_constant_schedule({init}, dict.fromkeys({boundaries}, {scale}))",
        _INIT,
        Param("boundaries", Kind.INTS),
        _value("scale", 0.1),
        init=0.1,
        boundaries=(30, 60),
        scale=0.1,
    ),
    _schedule(
        "warmup_constant",
        "A line up to the peak, then constant.",
        Call("optax.warmup_constant_schedule", ("init", "peak", "warmup")),
        _PEAK,
        _WARMUP,
        _START,
        peak=0.1,
        warmup=10,
    ),
    _schedule(
        "warmup_linear",
        "A line up to the peak, then a line down to `end`.",
        "optax.join_schedules([optax.linear_schedule({init}, {peak}, {warmup}), "
        "optax.linear_schedule({peak}, {end}, {steps} - {warmup})], [{warmup}])",
        _PEAK,
        _WARMUP,
        _STEPS,
        _END,
        _START,
        rule=_within("warmup"),
        peak=0.1,
        warmup=10,
        steps=100,
    ),
    _schedule(
        "warmup_cosine",
        "A line up to the peak, then half a cosine down to `end`.",
        Call(
            "optax.warmup_cosine_decay_schedule",
            ("init", "peak", "warmup", "steps"),
            {"end_value": "end", "exponent": "exponent"},
        ),
        _PEAK,
        _WARMUP,
        _STEPS,
        _END,
        _START,
        _value("exponent", 1.0),
        rule=_within("warmup"),
        peak=0.1,
        warmup=10,
        steps=100,
    ),
    _schedule(
        "warmup_exponential",
        "A line up to the peak, then multiplied by `rate` every `steps`.",
        Call(
            "optax.warmup_exponential_decay_schedule",
            ("init", "peak", "warmup", "steps", "rate"),
            {"staircase": "staircase", "end_value": "end"},
        ),
        _PEAK,
        _WARMUP,
        Param("steps", Kind.SIZE, doc="steps for one factor of `rate`"),
        _value("rate"),
        _START,
        _STAIRCASE,
        Param("end", Kind.NUMBER, None, "where the decay stops", optional=True),
        peak=0.1,
        warmup=10,
        steps=100,
        rate=0.5,
    ),
    _schedule(
        "warmup_rsqrt",
        "A line up to the peak, then down by the inverse square root of the step, as the Transformer's.",
        "lambda step: {peak} * jnp.minimum((step + 1) / {warmup}, jax.lax.rsqrt((step + 1) / {warmup}))",
        _PEAK,
        _WARMUP,
        peak=0.1,
        warmup=10,
    ),
    _schedule(
        "warmup_stable_decay",
        "A line up to the peak, constant, then a line down to `end` over the last `decay` steps.",
        "optax.join_schedules([optax.warmup_constant_schedule({init}, {peak}, {warmup}), "
        "optax.linear_schedule({peak}, {end}, {decay})], [{steps} - {decay}])",
        _PEAK,
        _WARMUP,
        _STEPS,
        Param("decay", Kind.SIZE, doc="steps of the decay, at the end"),
        _END,
        _START,
        rule=_within("warmup", "decay"),
        peak=0.1,
        warmup=10,
        steps=100,
        decay=20,
    ),
    _schedule(
        "onecycle",
        "Up to the peak and down again along cosines, over `steps`.",
        Call(
            "optax.cosine_onecycle_schedule",
            ("steps", "peak"),
            {
                "pct_start": "pct_start",
                "div_factor": "div_factor",
                "final_div_factor": "final_div_factor",
            },
        ),
        _PEAK,
        _STEPS,
        Param("pct_start", Kind.NUMBER, 0.3, bounds=(0, 1)),
        _value("div_factor", 25.0),
        _value("final_div_factor", 10000.0),
        peak=0.1,
        steps=100,
    ),
    _schedule(
        "sgdr",
        "Cosine decay with warm restarts: `cycles` times a warm-up and a cosine of `steps` in all.",
        "optax.sgdr_schedule([dict(init_value={init}, peak_value={peak}, "
        "warmup_steps={warmup}, decay_steps={steps}, end_value={end})] * {cycles})",
        _PEAK,
        _WARMUP,
        Param("steps", Kind.SIZE, doc="steps of one cycle, the warm-up included"),
        Param("cycles", Kind.SIZE),
        _END,
        _START,
        rule=_within("warmup"),
        peak=0.1,
        warmup=10,
        steps=100,
        cycles=3,
    ),
)
