"""The same examples on every run, and no clock over them: a slow machine is not a fault of the code."""

from hypothesis import HealthCheck, settings

settings.register_profile("cca", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cca")
