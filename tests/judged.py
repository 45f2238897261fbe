"""One case, judged: the generated model does what the interpreter does, or both refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx
from interpreted import Case
from interpreting import Differs, Known, compare, frozen, modes_of, weights_of

from nnxc.instance import instantiate
from nnxc.instance.nodes import InstanceError
from tests.fuzz.checks import path_of
from tests.interpreter.values import Refused, Required


def judge(case: Case, gradients: bool, known: Known | None = None) -> str:
    """`same`, or what `refused` says; raises `Differs` or whatever went wrong."""
    try:
        model = case.subject.create(case.model, case.args)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # not only what it refuses: a list that is too short
        return refused(case, error)
    try:
        hold(case, model, gradients=gradients, known=known)
    except Refused as error:
        raise Differs(f"the interpreter alone refuses: {error}") from None
    return "same"


def hold(
    case: Case,
    model: nnx.Module,
    way: nnx.Module | None = None,
    gradients: bool = True,
    known: Known | None = None,
) -> None:
    """Evaluation, and training where that is something else; gradients of the latter."""
    modes = modes_of(model)
    for train in (False, True) if modes else (False,):
        compare(
            case.subject,
            case.model,
            case.args,
            case.inputs,
            train=train,
            gradients=gradients and train == bool(modes),
            model=model,
            way=way,
            known=known,
        )


def refused(case: Case, why: Exception) -> str:
    """What a constructor refuses, the interpreter refuses, at weights as the compiler expects
    them. Where it expects none, a list has to be too short for the loop that reads it, which the
    weights of another side tell; `unasked` otherwise."""
    try:
        made = instantiate(case.subject.program, case.model, frozen(case.args), {})
    except InstanceError:
        error = refusal(case, others(case))
        return "refused" if isinstance(error, IndexError | Required) else "unasked"
    weights = {
        path_of(name): jax.ShapeDtypeStruct([s.value for s in w.sizes], "float32")
        for name, w in made.weights().items()
    }
    error = refusal(case, weights)
    if error is None:
        raise Differs(f"the constructor alone refuses: {why}") from None
    return "unasked" if type(error) is LookupError else "refused"


def others(case: Case) -> dict[Any, Any]:
    """The weights of the case that this one is another side of."""
    if case.origin is None:
        return {}
    return weights_of(case.subject.create(case.model, case.origin.args))


def refusal(case: Case, weights: Mapping[Any, Any]) -> Exception | None:
    """The error of the interpreter: sizes that do not fit end in errors of any kind."""
    call = case.subject.meaning.call
    try:
        jax.eval_shape(
            lambda w: call(case.model, w, case.inputs, case.args).value, weights
        )
    except Exception as error:
        return error
    return None
