"""What code is generated for: releases of Flax, implementations of what JAX computes."""
