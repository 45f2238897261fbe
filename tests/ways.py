"""Every way in which a model is built, stored and run, held to what its spec means."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from interpreting import (
    NOT_PARAM,
    Differs,
    Traced,
    arrays_for,
    close,
    compare,
    frozen,
    leaves,
    quiet,
    refilled,
    view,
    weights_of,
)

import nnxc
from nnxc import ir
from tests.fuzz.build import renamed
from tests.fuzz.values import plain
from tests.interpreter.naming import snake

BUILDS = {
    "scan": nnxc.Options(stack="scan", black=False),
    "remat": nnxc.Options(remat=True, black=False),
    "dots": nnxc.Options(remat="dots", black=False),
    "scan, dots without batch": nnxc.Options(
        stack="scan", remat="dots-no-batch", black=False
    ),
}
TUNIX = nnxc.Options(interface="tunix", black=False)
PIECES = (0, 3, 4, 6)  # a prompt, then a token, then two
STARTS = np.array([0, 2], np.int32)  # the second sequence is padded on the left


TOKENS = np.random.default_rng(2).integers(0, 7, (2, PIECES[-1])).astype(np.int32)


def ways(case: Any) -> Iterator[tuple[str, Callable[[], None]]]:
    """What else there is to compare of a case: only where it is not the same code again."""
    subject, model = case.subject, case.subject.create(case.model, case.args)
    seen = {subject.text_of(nnxc.Options(black=False))}
    for label, options in BUILDS.items():
        if (text := subject.text_of(options)) not in seen:
            seen.add(text)
            yield label, lambda o=options: built(case, model, o)
    yield "tree mode", lambda: in_tree_mode(case)
    if subject.program.weights and hasattr(subject.module, "load_pretrained"):
        yield "stored", lambda: stored(case, model)
    if subject.program.generates:
        yield "decoded", lambda: decoded(case, model)
        if subject.builds(TUNIX):
            yield "by Tunix", lambda: by_tunix(case, model)
    for train in subject.program.trains:
        plainly = not train.frozen and len(train.objectives) == 1
        if train.model == case.model and plainly and not train.precision:
            yield "loss", lambda t=train: loss(case, model, t)


def built(case: Any, model: nnx.Module, options: nnxc.Options) -> None:
    """Scanned, rematerialised: the same values and gradients."""
    subject = case.subject
    way = subject.create(case.model, case.args, subject.built(options))
    compare(subject, case.model, case.args, case.inputs, model=model, way=way)


def in_tree_mode(case: Any) -> None:
    """Without references between the parts of a model."""
    with nnx.set_graph_mode(False):
        compare(case.subject, case.model, case.args, case.inputs, gradients=False)


def stored(case: Any, model: nnx.Module) -> None:
    """Saved and loaded, a model is the same one."""
    module = case.subject.module
    given: list[Any] = []
    if "cfg" in inspect.signature(module.load_pretrained).parameters:
        args = renamed(module.Config, frozen(case.args))
        given.append(module.Config(**args))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        module.save_pretrained(model, path)
        loaded = module.load_pretrained(path, *given)
    before, after = weights_of(model), weights_of(loaded)
    if before.keys() != after.keys():
        raise Differs(f"stored: {sorted(map(str, before.keys() ^ after.keys()))}")
    for path, value in before.items():
        if not np.array_equal(value, after[path]):
            raise Differs(f"stored: {path}")
    compare(
        case.subject, case.model, case.args, case.inputs, gradients=False, model=loaded
    )


def decoded(case: Any, model: nnx.Module) -> None:
    """With the cache of `generate`."""

    def pieces(copy: Any) -> Iterator[Any]:
        start = jnp.asarray(STARTS)
        decoder = case.subject.module.init_cache(copy, start, PIECES[-1])
        for a, b in pairwise(PIECES):
            yield decoder(jnp.asarray(TOKENS[:, a:b]))

    in_pieces(case, model, model, pieces)


def by_tunix(case: Any, model: nnx.Module) -> None:
    """With the positions, the masks and the cache that Tunix brings."""
    module = case.subject.built(TUNIX)
    (cls,) = [v for v in vars(module).values() if hasattr(v, "compute_final_logits")]
    way = case.subject.create(cls.__name__, case.args, module)
    there = jnp.arange(PIECES[-1])[None] >= STARTS[:, None]
    positions = jnp.maximum(jnp.cumsum(there, axis=1) - 1, 0)
    mask = jnp.tril(jnp.ones((PIECES[-1], PIECES[-1]), bool)) & there[:, None]

    def pieces(copy: Any) -> Iterator[Any]:
        cache = copy.init_cache(len(STARTS), PIECES[-1], jnp.float32)
        for a, b in pairwise(PIECES):
            tokens = jnp.asarray(TOKENS[:, a:b])
            found, cache = copy(tokens, positions[:, a:b], cache, mask[:, a:b])
            yield found

    in_pieces(case, model, way, pieces)


def in_pieces(
    case: Any,
    model: nnx.Module,
    way: nnx.Module,
    pieces: Callable[[Any], Iterator[Any]],
) -> None:
    """Scores of ragged sequences in pieces are those of each sequence by itself."""
    graph, state, rest = nnx.split(view(way, False), nnx.Not(nnx.RngState), ...)
    weights = {plain(p): v for p, v in weights_of(model).items()}

    def whole(values: Mapping[Any, Any]) -> Any:
        copy = nnx.merge(graph, refilled(state, values), rest)
        return jnp.concatenate([scores(part) for part in pieces(copy)], axis=1)

    def alone(row: int, start: int) -> Callable[[Mapping[Any, Any]], Any]:
        given = (TOKENS[row : row + 1, start:],)
        call = case.subject.meaning.call
        return lambda values: scores(call(case.model, values, given, case.args).value)

    with quiet():
        got = Traced(whole, weights).values()
        for row, start in enumerate(STARTS):
            want = Traced(alone(row, start), weights).values()
            close("decoded", [got[row : row + 1, start:]], [want])


def scores(value: Any) -> Any:
    """The output that scores tokens."""
    if isinstance(value, dict):
        value = value.get("logits", tuple(value.values()))
    elif hasattr(value, "logits"):
        value = value.logits
    return next(part for part in leaves(value) if part.ndim == 3)


def loss(case: Any, model: nnx.Module, train: ir.Train) -> None:
    """The loss of a batch, its metrics and its gradients."""
    subject, name = case.subject, case.model
    suffix = f"_{snake(name)}" if len(subject.program.trains) > 1 else ""
    loss_fn = getattr(subject.module, f"loss_fn{suffix}")
    batch = arrays_for(subject, name, case.args, case.axes, train.batch)
    batch |= {n: x for n, x in case.inputs.items() if fits(batch.get(n), x)}
    graph, state, rest = nnx.split(view(model, True), nnx.Not(nnx.RngState), ...)
    weights = {plain(p): v for p, v in weights_of(model).items()}
    frozen = {plain(p) for p, _ in nnx.to_flat_state(nnx.state(model, NOT_PARAM))}
    trained = {p: v for p, v in weights.items() if p not in frozen}
    draws = "rngs" in inspect.signature(loss_fn).parameters

    def generated(values: Mapping[Any, Any], batch: Mapping[str, Any]) -> Any:
        copy = nnx.merge(graph, refilled(state, {**weights, **values}), rest)
        given = [copy, *[nnx.Rngs(0)] * draws, *(batch[f.name] for f in train.batch)]
        return loss_fn(*given)

    def meant(values: Mapping[Any, Any], batch: Mapping[str, Any]) -> Any:
        there = {**weights, **values}
        return subject.meaning.loss(name, there, batch, case.args)

    with quiet():
        (mine, slopes), (theirs, their_slopes) = (
            Traced(jax.value_and_grad(f, has_aux=True), trained, batch).values()
            for f in (generated, meant)
        )
    if mine[1].keys() != theirs[1].keys():
        raise Differs(f"metrics: {sorted(mine[1])}, not {sorted(theirs[1])}")
    close("loss", [mine[0]], [theirs[0]])
    close("metrics", *([side[1][k] for k in mine[1]] for side in (mine, theirs)))
    close("gradients", *([side[p] for p in trained] for side in (slopes, their_slopes)))


def fits(like: Any, x: Any) -> bool:
    """Whether an input can be a part of the batch."""
    return like is not None and (like.shape, like.dtype) == (x.shape, x.dtype)
