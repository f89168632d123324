"""When a job is asked for, and who may hurry that: on a clock that jumps to whatever happens next."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from headshot.errors import NotConfigured, OutcomeUnknown, Refused, Unavailable
from headshot.modelslab.polling import PollingPolicy, poll_until_done
from headshot.modelslab.replies import JobFailed, JobNotFound, JobResponse, RateLimited

DONE = JobResponse("done", "7", ("https://a/b.png",))
EMPTY = JobResponse("done", "7")
WAITING = JobResponse("waiting", "7", eta_seconds=10)
MISSING = JobNotFound("modelslab", "ModelsLab does not know job 7.")
PLAIN = PollingPolicy(after_eta=0)


class Jumping(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while it works, and passes at once while it waits."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(self._Selector(self))

    def time(self) -> float:
        return self._now

    class _Selector(selectors.SelectSelector):
        def __init__(self, loop: "Jumping") -> None:
            super().__init__()
            self._loop = loop

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            self._loop._now += timeout or 0.0
            return super().select(0)


class Service:
    """Answers in turn, the last one for ever, and notes when it was asked."""

    def __init__(self, *answers: JobResponse | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[float] = []

    async def ask(self, _: JobResponse) -> JobResponse:
        self.asked.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def on_jumping_clock(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    with asyncio.Runner(loop_factory=Jumping) as runner:
        return runner.run(work())


def waited(
    service: Service,
    reply: JobResponse = WAITING,
    policy: PollingPolicy = PLAIN,
    give_up: float = 600,
    hints: Sequence[float] = (),
    on_response: Callable[[JobResponse], None] | None = None,
    before_poll: Callable[[], None] | None = None,
) -> JobResponse:
    async def work() -> JobResponse:
        wake = asyncio.Event() if hints else None
        for seconds in hints:
            asyncio.get_running_loop().call_later(seconds, wake.set)  # type: ignore[union-attr]
        return await poll_until_done(
            reply, service.ask, policy, give_up, wake=wake, on_response=on_response, before_poll=before_poll
        )

    answer: JobResponse = on_jumping_clock(work)
    return answer


def gaps(service: Service) -> list[float]:
    return [later - sooner for sooner, later in zip([0.0, *service.asked], service.asked, strict=False)]


@pytest.mark.parametrize(
    ("eta", "first"), [(13.067986918399999, 13.068), (3600.0, 60.0), (0.0, 0.0), (None, 2.0), (59.5, 59.5)]
)
def test_the_first_poll_is_after_the_eta_up_to_a_minute(eta: float | None, first: float) -> None:
    service = Service(DONE)
    assert waited(service, JobResponse("waiting", "7", eta_seconds=eta)) is DONE
    assert service.asked == [pytest.approx(first, abs=0.001)]


def test_a_job_that_is_done_on_time_is_polled_once_an_instant_after_its_eta() -> None:
    service = Service(DONE)
    waited(service, policy=PollingPolicy())
    assert service.asked == [pytest.approx(10.01)]


def test_the_waits_grow_to_the_longest_and_vary() -> None:
    service = Service(*[WAITING] * 9, DONE)
    assert waited(service) is DONE
    found = gaps(service)
    for gap, wanted in zip(found, [10, 2, 3, 4.5, 6.75, 10, 10, 10, 10, 10], strict=True):
        assert wanted * 0.85 <= gap <= wanted * 1.15 or gap == wanted
    assert len({round(gap, 6) for gap in found[5:]}) == 5


def test_a_webhook_causes_a_poll_at_once_and_only_the_response_to_it_counts() -> None:
    service = Service(WAITING, DONE)
    assert waited(service, JobResponse("waiting", "7", eta_seconds=50), hints=(5, 9)) is DONE
    assert service.asked[0] == 5  # too early, as a forged call would be
    assert 5 + 1.7 <= service.asked[1] <= 5 + 2.3  # the usual wait, for the second hint came later


def test_a_flood_of_webhooks_is_not_a_flood_of_polls() -> None:
    service = Service(*[WAITING] * 8, DONE)
    waited(service, hints=[second / 100 for second in range(1, 1000)])
    assert min(gaps(service)) >= 0.5 - 1e-9


def test_polling_goes_on_if_the_webhook_never_calls() -> None:
    service = Service(WAITING, DONE)
    assert waited(service, hints=(10_000,)) is DONE
    assert service.asked[0] == 10


def test_on_response_gets_every_response() -> None:
    responses: list[JobResponse] = []
    waited(Service(WAITING, MISSING, WAITING, DONE), on_response=responses.append)
    assert responses == [WAITING, WAITING, DONE]


def test_before_poll_is_called_before_every_poll_also_one_without_a_response() -> None:
    before: list[int] = []
    service = Service(WAITING, MISSING, Unavailable("modelslab", "It broke."), Refused("modelslab", "Over."))
    with pytest.raises(Refused):
        waited(service, before_poll=lambda: before.append(len(service.asked)))
    assert before == [0, 1, 2, 3]


@pytest.mark.parametrize("strange", [MISSING, EMPTY])
def test_a_job_that_is_missing_or_empty_for_a_moment_is_asked_for_again(strange: JobResponse | Exception) -> None:
    service = Service(strange, strange, strange, DONE)
    assert waited(service) is DONE
    assert len(service.asked) == 4


@pytest.mark.parametrize(("strange", "words"), [(MISSING, "does not know job 7"), (EMPTY, "sends no picture")])
def test_a_job_that_stays_missing_or_empty_is_given_up_after_the_grace_time(
    strange: JobResponse | Exception, words: str
) -> None:
    service = Service(WAITING, strange)
    with pytest.raises(OutcomeUnknown, match=words):
        waited(service)
    assert 20 <= service.asked[-1] - service.asked[1] <= 20 + 11.5


def test_the_grace_time_starts_again_with_each_consistent_response() -> None:
    moments: list[JobResponse | Exception] = [MISSING, MISSING, WAITING]
    service = Service(*moments * 8, DONE)
    assert waited(service) is DONE


@pytest.mark.parametrize(
    ("answer", "words"), [(WAITING, "It is still working."), (Unavailable("modelslab", "It broke."), "It broke.")]
)
def test_the_time_out_names_the_job_and_the_last_response(answer: JobResponse | Exception, words: str) -> None:
    service = Service(answer)
    with pytest.raises(OutcomeUnknown) as caught:
        waited(service, give_up=300)
    assert 300 <= service.asked[-1] <= 300.5  # one last question, though not right after the one before
    assert str(caught.value) == (
        f"ModelsLab gave no picture for job 7 within 5 minutes. {words} "
        "It may have been billed: ask for the job again later."
    )


def test_a_fault_that_passes_is_waited_out() -> None:
    service = Service(*[Unavailable("modelslab", "It broke.")] * 5, DONE)
    assert waited(service) is DONE


@pytest.mark.parametrize(("retry_after", "gap"), [(7.0, 7.0), (3600.0, 60.0), (0.0, 0.5)])
def test_the_time_that_the_service_asks_for_is_kept_up_to_a_minute(retry_after: float, gap: float) -> None:
    service = Service(RateLimited("modelslab", "Full.", retry_after=retry_after), DONE)
    waited(service)
    assert gaps(service)[1] == pytest.approx(gap)


@pytest.mark.parametrize("kind", [JobFailed, Refused, NotConfigured, OutcomeUnknown])
def test_an_answer_that_ends_the_job_ends_the_waiting(kind: type[Exception]) -> None:
    service = Service(kind("modelslab", "Over."))
    with pytest.raises(kind, match="Over"):
        waited(service)
    assert len(service.asked) == 1
