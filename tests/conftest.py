"""Settings that every test runs under."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "dubhooks",
    deadline=None,  # a machine that is busy is not a defect
    max_examples=100,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("dubhooks")
