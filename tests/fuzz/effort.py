"""How hard the fuzz tests try: a little in the suite, and as `scripts/fuzz` says in a long run."""

import os

from hypothesis import HealthCheck, settings

EFFORT = max(1, int(os.environ.get("CITYWARDEN_FUZZ", "1")))
"""Times as many examples as in the suite."""


def tries(examples: int) -> settings:
    """Settings of a test that tries so many examples in the suite."""
    return settings(
        max_examples=examples * EFFORT,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
