from datetime import timedelta

from adapters.shared.kafka import CircuitBreaker


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_failure_closes_the_way_for_a_pause_and_then_lets_one_trial_through() -> None:
    time = Time()
    breaker = CircuitBreaker(timedelta(seconds=2), time)
    assert not breaker.remaining()
    breaker.failed()
    assert breaker.remaining() == timedelta(seconds=2)
    time.now += 2.5
    assert not breaker.remaining()
    assert breaker.remaining() == timedelta(seconds=2)


def test_the_trials_success_opens_the_way_for_all() -> None:
    time = Time()
    breaker = CircuitBreaker(timedelta(seconds=2), time)
    breaker.failed()
    time.now += 2.5
    assert not breaker.remaining()
    breaker.succeeded()
    assert not breaker.remaining()
    assert not breaker.remaining()
