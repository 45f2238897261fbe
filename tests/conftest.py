"""Settings that every test shares."""

from hypothesis import HealthCheck, settings

# A busy machine is no failure: laws are to hold, not to be quick.
settings.register_profile(
    "nnxc", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("nnxc")
