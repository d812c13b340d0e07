"""Many seeds, in a file of their own so that other tests run beside them."""

import pytest

from tests.testing.test_world import hold


@pytest.mark.slow
@pytest.mark.parametrize("first", range(2_000, 2_300, 10))
def test_the_rules_hold_among_faults_many_times(first: int) -> None:
    for seed in range(first, first + 10):
        hold(seed)
