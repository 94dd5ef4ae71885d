from __future__ import annotations

from platform_cli.supervisor.health import Health


def test_a_crash_loop_waits_twice_as_long_each_time_up_to_a_minute() -> None:
    health, waits = Health(), list[float]()
    for _ in range(10):
        health.crashes += 1
        waits.append(health.backoff_s)
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_lasts_has_left_its_past_behind_and_not_what_came_since() -> None:
    health = Health("it fell over", 5)
    health.lasted("it fell over")
    assert (health.error, health.backoff_s) == (None, 0)
    health.error = "another release did not come up"
    health.lasted("it fell over")
    assert health.error == "another release did not come up"
    health.recovered()
    assert health.error is None
