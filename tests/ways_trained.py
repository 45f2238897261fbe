"""What trains compute, held to what their spec means: losses, metrics, gradients, adapters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from interpreting import (
    NOT_PARAM,
    RELATIVE,
    Differs,
    Traced,
    arrays_for,
    close,
    leaves,
    python_name,
    quiet,
    refilled,
    spread,
    view,
    weights_of,
)

from nnxc import ir
from nnxc.shapes import DTYPES
from tests.fuzz.values import plain
from tests.interpreter.naming import snake


def trained(case: Any) -> Iterator[tuple[str, Callable[[], None]]]:
    """What there is to compare of the train of a case."""
    for train in case.subject.program.trains:
        if train.model != case.model:
            continue
        for objective in train.objectives:
            label = f"loss of {objective.name}" if objective.name else "loss"
            yield label, lambda t=train, o=objective.name: loss(case, t, o)
            if train.precision:
                yield f"{label} in {train.precision}", lambda t=train, o=objective.name: (
                    loss(case, t, o, DTYPES[t.precision], HALF)
                )
        if train.adapters:
            yield "adapters", lambda: adapted(case, case.subject.module)


HALF = 0.02  # constants are rounded to the dtype of activations


def loss(
    case: Any,
    train: ir.Train,
    objective: str,
    dtype: Any = None,
    relative: float = RELATIVE,
) -> None:
    """The loss of a batch, its metrics and its gradients."""
    subject, name = case.subject, case.model
    suffix = f"_{snake(name)}" if len(subject.program.trains) > 1 else ""
    prefix = f"{objective}_" if objective else ""
    loss_fn = getattr(subject.module, f"{prefix}loss_fn{suffix}")
    model = subject.create(name, {**case.args, **({"dtype": dtype} if dtype else {})})
    kinds = subject.meaning.beside(name, case.args)
    frozen = {
        text: view(subject.create(kind, args, seed=i + 1), False)
        for i, (text, (kind, args)) in enumerate(kinds.items())
    }
    batch = arrays_for(subject, name, case.args, case.axes, train.batch)
    batch |= {n: x for n, x in case.inputs.items() if fits(batch.get(n), x)}
    graph, state, rest = nnx.split(view(model, True), nnx.Not(nnx.RngState), ...)
    weights = {plain(p): v for p, v in weights_of(model).items()}
    fixed = {plain(p) for p, _ in nnx.to_flat_state(nnx.state(model, NOT_PARAM))}
    variable = {p: v for p, v in weights.items() if p not in fixed}
    draws = "rngs" in inspect.signature(loss_fn).parameters
    others = {text: weights_of(one) for text, one in frozen.items()}

    def generated(values: Mapping[Any, Any], batch: Mapping[str, Any]) -> Any:
        copy = nnx.merge(graph, refilled(state, {**weights, **values}), rest)
        streams = [nnx.Rngs(0)] * draws
        given = [batch[f.name] for f in train.batch]
        return loss_fn(copy, *frozen.values(), *streams, *given)

    def meant(values: Mapping[Any, Any], batch: Mapping[str, Any]) -> Any:
        there = {**weights, **values}
        return subject.meaning.loss(
            name, there, batch, case.args, objective=objective or None, frozen=others
        )

    with quiet():
        (mine, slopes), (theirs, their_slopes) = (
            Traced(jax.value_and_grad(f, has_aux=True), variable, batch).values
            for f in (generated, meant)
        )
    if mine[1].keys() != theirs[1].keys():
        raise Differs(f"metrics: {sorted(mine[1])}, not {sorted(theirs[1])}")
    metrics = ([side[1][k] for k in mine[1]] for side in (mine, theirs))
    sides = ([side[p] for p in variable] for side in (slopes, their_slopes))
    close("loss", [mine[0]], [theirs[0]], relative)
    close("metrics", *metrics, relative)
    close("gradients", *sides, relative)


def fits(like: Any, x: Any) -> bool:
    """Whether an input can be a part of the batch."""
    return like is not None and (like.shape, like.dtype) == (x.shape, x.dtype)


def adapted(case: Any, module: Any) -> None:
    """Beside its weights, adapters compute what the spec means at the weights that they are
    merged into; `module` is the generated one that adapts."""
    subject = case.subject
    suffix = f"_{snake(case.model)}" if len(subject.program.trains) > 1 else ""
    add = getattr(module, f"add_adapters{suffix}", None) or module.add_adapters
    model = view(subject.create(case.model, case.args, module, then=add), False)
    graph, state, rest = nnx.split(model, nnx.Not(nnx.RngState), ...)
    weights = weights_of(model)
    if not any(path[-1] == "lora_b" for path in weights):
        raise Differs("adapters: there are none")
    draws = "rngs" in inspect.signature(type(model).__call__).parameters
    given = {python_name(model, n): x for n, x in case.inputs.items()}

    def copied(values: Mapping[Any, Any]) -> Any:
        filled = refilled(state, {plain(p): v for p, v in values.items()})
        return nnx.merge(graph, filled, jax.tree.map(jnp.asarray, rest))

    def beside(values: Mapping[Any, Any]) -> Any:
        streams = {"rngs": nnx.Rngs(0)} if draws else {}
        return list(map(jnp.asarray, leaves(copied(values)(**given, **streams))))

    def merged(values: Mapping[Any, Any]) -> Any:
        whole = weights_of(module.merge_adapters(copied(values)))
        found = subject.meaning.call(case.model, whole, case.inputs, case.args)
        if {*map(plain, whole)} != {*map(plain, found.read)}:
            raise Differs("adapters: weights that are no longer there, or new ones")
        return spread(leaves(found.value), mine.shape)

    with quiet():
        mine = Traced(beside, weights)
        close("adapters, merged", mine.values, Traced(merged, weights).values)
