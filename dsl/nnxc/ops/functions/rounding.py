"""A function of sizes that Python lacks."""

from __future__ import annotations

from ..base import Helper

DIVISIBLE = Helper("divisible")
