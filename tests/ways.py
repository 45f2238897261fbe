"""Every way in which a model is built, stored and run, held to what its spec means."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from adapting import with_adapters
from flax import nnx
from interpreting import (
    Differs,
    Known,
    Traced,
    close,
    frozen,
    leaves,
    quiet,
    refilled,
    view,
    weights_of,
)
from judged import hold
from ways_trained import adapted, trained

import nnxc
from tests.fuzz.build import renamed
from tests.fuzz.values import plain

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


def ways(
    case: Any, known: Known | None = None
) -> Iterator[tuple[str, Callable[[], None]]]:
    """What else there is to compare of a case: only where it is not the same code again. `known`
    is what the case is known to mean."""
    known = {} if known is None else known
    subject, model = case.subject, case.subject.create(case.model, case.args)
    seen = {subject.text_of(nnxc.Options(black=False))}
    for label, options in BUILDS.items():
        if (text := subject.text_of(options)) not in seen:
            seen.add(text)
            yield label, lambda o=options: built(case, model, o, known)
    yield "tree mode", lambda: in_tree_mode(case, known)
    if subject.program.weights and hasattr(subject.module, "load_pretrained"):
        yield "stored", lambda: stored(case, model, known)
    if subject.program.generates:
        yield "decoded", lambda: decoded(case, model)
        if subject.builds(TUNIX):
            yield "by Tunix", lambda: by_tunix(case, model)
    yield from trained(case)
    without = not any(t.adapters for t in subject.program.trains)
    if subject.program.weights and without and (other := with_adapters(case)):
        yield "adapters", lambda: adapted(case, other.module)


def built(case: Any, model: nnx.Module, options: nnxc.Options, known: Known) -> None:
    """Scanned, rematerialised: the same values and gradients."""
    subject = case.subject
    way = subject.create(case.model, case.args, subject.built(options))
    hold(case, model, way, known=known)


def in_tree_mode(case: Any, known: Known) -> None:
    """Without references between the parts of a model."""
    with nnx.set_graph_mode(False):
        model = case.subject.create(case.model, case.args)
        hold(case, model, gradients=False, known=known)


def stored(case: Any, model: nnx.Module, known: Known) -> None:
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
    hold(case, loaded, gradients=False, known=known)


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
        got = Traced(whole, weights).values
        for row, start in enumerate(STARTS):
            want = Traced(alone(row, start), weights).values
            close("decoded", [got[row : row + 1, start:]], [want])


def scores(value: Any) -> Any:
    """The output that scores tokens."""
    if isinstance(value, dict):
        value = value.get("logits", tuple(value.values()))
    elif hasattr(value, "logits"):
        value = value.logits
    return next(part for part in leaves(value) if part.ndim == 3)
