"""Profiles of the property tests: a failure prints what is needed to replay it.

`default` runs in `make test`; `soak` (HYPOTHESIS_PROFILE=soak, as `make soak` sets) tries far more.
Neither sets a deadline for one example: a busy machine is no fault of the code.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("soak", settings.get_profile("default"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
