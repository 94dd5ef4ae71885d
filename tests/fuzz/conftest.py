"""Sets how many examples there are: for `make test`, and with `--hypothesis-profile long`."""

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "short", max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=SLOW
)
settings.register_profile("long", max_examples=20_000, deadline=None, database=None, suppress_health_check=SLOW)
settings.load_profile("short")
