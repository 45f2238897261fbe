"""A program whose models take a sequence in pieces: token by token, as one generates text.

Whatever looks back along the sequence (attention, recurrences, causal convolutions) becomes a
layer that keeps what it has seen; all else must treat each entry by itself.
"""

from __future__ import annotations

from .examples import Examples as Examples
from .examples import Found as Found
from .examples import first as first
from .programs import Problem as Problem
from .programs import logits_of as logits_of
from .programs import stepwise as stepwise
from .programs import time_of as time_of
from .tunix_form import Parts as Parts
from .tunix_form import attending as attending
from .tunix_form import for_tunix as for_tunix
from .tunix_form import foreign as foreign
from .tunix_form import parts_of as parts_of
