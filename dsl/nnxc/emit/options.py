"""What a build may choose about the code that it gets."""

from __future__ import annotations

from typing import Final, Literal

from ..record import Record

POLICIES: Final = {  # what the backward pass need not compute again
    "dots": "dots_saveable",
    "dots-no-batch": "dots_with_no_batch_dims_saveable",
}


class Options(Record):
    """`stack`: layers of a stack in a Python loop, or scanned over stacked weights. `remat`:
    recompute each layer of a stack in the backward pass, or all of it but what a policy of
    `POLICIES` saves. `black`: run the text through Black, unless the module has over 2,000 lines.
    `attention`: the implementation that JAX's attention is asked for; None lets JAX choose.
    `interface`: what calls the models that generate, where it asks for more than they have.
    `target`: the release of Flax, one of `RELEASES`; None is the newest. `package`: the module lies
    in a package, and imports its neighbours relatively. `single_file`: it stands alone, with all that
    it uses in it. `card`: beside a module that reads published weights lies a page about its models.
    """

    stack: Literal["loop", "scan"] = "loop"
    remat: bool | Literal["dots", "dots-no-batch"] = False
    black: bool = True
    attention: Literal["xla", "cudnn"] | None = None
    interface: Literal["tunix"] | None = None
    target: str | None = None
    package: bool = False
    single_file: bool = False
    card: bool = False

    @property
    def policy(self) -> str:
        """The further argument of a rematerialisation, if any."""
        name = POLICIES.get(str(self.remat))
        return f", policy=jax.checkpoint_policies.{name}" if name else ""
