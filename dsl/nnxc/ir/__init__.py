"""The meaning of a checked spec. Frozen values in closed unions; every expression has its type.

Two worlds: `Static` values are known when a model is constructed (sizes, rates, switches, lists);
`Expr` values are tensors, known when it is called. Names are the spec's own; `emit` makes them
Python's. Sizes in types are canonical `Dim`s over the definition's parameters, axes, static
locals and loop variables.
"""

from __future__ import annotations

from .checkpoint import Computed as Computed
from .checkpoint import Default as Default
from .checkpoint import Key as Key
from .checkpoint import Own as Own
from .checkpoint import Path as Path
from .checkpoint import Recorded as Recorded
from .checkpoint import Row as Row
from .checkpoint import Value as Value
from .checkpoint import Weights as Weights
from .program import Adapters as Adapters
from .program import Config as Config
from .program import Definition as Definition
from .program import Frozen as Frozen
from .program import Generate as Generate
from .program import ModelInput as ModelInput
from .program import Objective as Objective
from .program import Parameter as Parameter
from .program import Program as Program
from .program import Train as Train
from .program import TrainOp as TrainOp
from .statements import Append as Append
from .statements import Assign as Assign
from .statements import Carried as Carried
from .statements import Collected as Collected
from .statements import Computes as Computes
from .statements import Declare as Declare
from .statements import For as For
from .statements import If as If
from .statements import Layer as Layer
from .statements import NewList as NewList
from .statements import Pop as Pop
from .statements import Require as Require
from .statements import Return as Return
from .statements import Scan as Scan
from .statements import StaticLet as StaticLet
from .statements import Step as Step
from .statements import Stmt as Stmt
from .statements import Total as Total
from .statements import UpdateState as UpdateState
from .statements import Variable as Variable
from .static import Function as Function
from .static import Given as Given
from .static import Initializer as Initializer
from .static import Literal as Literal
from .static import Ref as Ref
from .static import Size as Size
from .static import Static as Static
from .static import StaticBinary as StaticBinary
from .static import StaticCall as StaticCall
from .static import StaticIf as StaticIf
from .static import StaticIndex as StaticIndex
from .static import StaticList as StaticList
from .static import StaticSlice as StaticSlice
from .static import StaticUnary as StaticUnary
from .tensors import GRADIENT as GRADIENT
from .tensors import Apply as Apply
from .tensors import Cast as Cast
from .tensors import Choose as Choose
from .tensors import Element as Element
from .tensors import Expr as Expr
from .tensors import Invoke as Invoke
from .tensors import Item as Item
from .tensors import Let as Let
from .tensors import ListOf as ListOf
from .tensors import ListPart as ListPart
from .tensors import ModelCall as ModelCall
from .tensors import NewAxis as NewAxis
from .tensors import OpCall as OpCall
from .tensors import Operator as Operator
from .tensors import Reshape as Reshape
from .tensors import Rest as Rest
from .tensors import Scalar as Scalar
from .tensors import SliceOf as SliceOf
from .tensors import Subscript as Subscript
from .tensors import TupleOf as TupleOf
from .tensors import Type as Type
from .tensors import Var as Var
