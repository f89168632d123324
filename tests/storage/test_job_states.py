"""No paid job is lost and none is sent twice, whatever happens in whatever order: drawn at random, and by kill -9."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import crashing
import pytest
from databases import Place
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from headshot.errors import Stopped
from headshot.request import HeadshotRequest
from headshot.storage import JobId, JobState, StateError, hash_token, key_fingerprint

OWNERS = tuple(hash_token(f"token of {name}") for name in ("ann", "ben"))
PICTURES = (b"\x89PNG a", b"\x89PNG b")
KEPT = timedelta(hours=1)
A_DAY = timedelta(hours=24)
KILLS = 10  # at each point
ENOUGH = 4  # jobs: with fewer, nothing is deleted, or most would go before anything happened to them


@pytest.fixture(scope="module")
def warm() -> Iterator[crashing.Warm]:
    with crashing.warm() as program:
        yield program


# --- at random, against a model


@dataclass
class Known:
    """What the model knows of a job: what should be in the store, and what the service has really been sent."""

    owner: str
    token: str
    created_at: datetime
    changed_at: datetime
    state: JobState = JobState.PENDING
    stranded: bool = False
    remote_id: str | None = None
    picture: bytes | None = None
    may_post: bool = False  # the process that called `sending` lives, and has not posted yet
    accepted_posts: int = 0

    @property
    def track_id(self) -> str:
        return f"track {self.token}"


class Machine(RuleBasedStateMachine):
    """Visitors, a server that crashes, and a service that answers late, twice, in another order, or not at all."""

    place: Place
    jobs = Bundle("jobs")

    @initialize(target=jobs, far=st.lists(st.integers(0, 3), min_size=2 * ENOUGH, max_size=2 * ENOUGH))
    def start(self, far: list[int]) -> MultipleResults[JobId]:
        """Jobs that went well until now, of both visitors, for the draw to have something to spoil."""
        self.store = self.place.open()
        for owner in OWNERS:
            self.store.forget(owner)
        self.known: dict[JobId, Known] = {}
        self.tokens = 0
        jobs = []
        for number, steps in enumerate(far):
            jobs.append(job := self.add(OWNERS[number % 2]))
            if steps > 0:
                self.send(job, asked=True)
            if steps > 1:
                self.post(job, "answered")
            if steps > 2:
                self.completed(job, PICTURES[number % 3 % 2])
        return multiple(*jobs)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    # What a visitor does.

    @rule(target=jobs, owner=st.sampled_from(OWNERS))
    def add(self, owner: str) -> JobId:
        self.tokens += 1
        token = f"token {self.tokens}"
        marks = {"key_fingerprint": key_fingerprint("key", self.store.salt), "photo_sha256": hash_token("photo")}
        job = self.store.add(
            owner,
            "c",
            self.tokens,
            HeadshotRequest(seed=self.tokens),
            api="enterprise",
            track_id=f"track {token}",
            webhook_mark=hash_token(token),
            **marks,
        )
        now = self.place.clock.now
        self.known[job] = Known(owner, token, now, now)
        return job

    @rule(job=jobs, asked=st.booleans())
    def send(self, job: JobId, asked: bool) -> None:
        known = self.known.get(job)
        if known is None:
            with pytest.raises(Stopped):
                self.store.sending(job, asked=asked)
        elif known.state is not JobState.PENDING or (known.stranded and not asked):
            with pytest.raises(StateError):
                self.store.sending(job, asked=asked)
        else:
            self.store.sending(job, asked=asked)
            self.moved(known, JobState.SENT)
            known.may_post = True

    # What the server does, with what the service makes of it.

    @rule(job=jobs, outcome=st.sampled_from(["not connected", "answered", "answer lost", "never arrived"]))
    def post(self, job: JobId, outcome: str) -> None:
        known = self.known.get(job)
        if known is None or not known.may_post:
            return
        known.may_post = False
        if outcome == "not connected":
            assert self.store.reset_to_pending(job, "not connected")
            self.moved(known, JobState.PENDING)
            return
        if outcome != "never arrived":
            known.accepted_posts += 1
        if outcome == "answered":
            self.accepted(job)

    @rule(job=jobs)
    def accepted(self, job: JobId) -> None:
        """The POST's answer, also late and twice; or a webhook's word for it."""
        known = self.known.get(job)
        if known is not None:
            known.may_post = False  # the service has it
        if known is None:
            assert not self.store.accepted(job, name(job))
        elif known.state is JobState.PENDING:
            with pytest.raises(StateError):
                self.store.accepted(job, name(job))
        else:
            assert self.store.accepted(job, name(job), 3.5) is (known.state in (JobState.SENT, JobState.UNKNOWN))
            if not known.state.ended and known.state is not JobState.PROCESSING:
                self.moved(known, JobState.PROCESSING)
                known.remote_id = name(job)

    @rule(job=jobs)
    def no_answer(self, job: JobId) -> None:
        known = self.known.get(job)
        if known is not None and known.state is JobState.PENDING:
            with pytest.raises(StateError):
                self.store.unknown(job, "No answer came.")
            return
        changes = known is not None and known.state in (JobState.SENT, JobState.PROCESSING)
        assert self.store.unknown(job, "No answer came.") is changes
        if known is not None and changes:
            self.moved(known, JobState.UNKNOWN)
            known.may_post = False

    @rule(job=jobs)
    def declined(self, job: JobId) -> None:
        known = self.known.get(job)
        changes = known is not None and not known.state.ended
        assert self.store.failed(job, "Declined.") is changes
        if known is not None and changes:
            self.moved(known, JobState.FAILED)
            known.may_post = False

    @rule(job=jobs, picture=st.sampled_from(PICTURES))
    def completed(self, job: JobId, picture: bytes) -> None:
        """A poll brought the picture, also late and twice."""
        known = self.known.get(job)
        if known is not None and known.state in (JobState.PENDING, JobState.SENT):
            with pytest.raises(StateError):
                self.store.done(job, picture, "a.png")
            return
        changes = known is not None and not known.state.ended
        assert self.store.done(job, picture, "a.png") is changes
        if known is not None and changes:
            self.moved(known, JobState.DONE)
            known.picture = picture

    @rule(job=jobs, forged=st.sampled_from(["", "", "token", "track", "name", "another's name"]), again=jobs)
    def called_back(self, job: JobId, forged: str, again: JobId) -> None:
        """A webhook, genuine or forged, and what a receiver does that believes it."""
        known = self.known.get(job)
        token = "guessed" if forged == "token" or known is None else known.token
        track_id = "guessed" if forged == "track" or known is None else known.track_id
        remote_id = {"name": "guessed", "another's name": name(again)}.get(forged, name(job))
        found = self.store.by_webhook(hash_token(token), track_id, remote_id)
        if known is None or forged in ("token", "track") or known.state is JobState.PENDING or self.age(known) > A_DAY:
            fits = known is not None and not forged and known.remote_id == remote_id and self.age(known) <= A_DAY
        elif known.remote_id is not None:
            fits = known.remote_id == remote_id
        else:
            fits = remote_id not in {other.remote_id for other in self.known.values()}
        assert (found is not None) is fits
        if found is not None and known is not None:
            assert (found.id, found.owner) == (job, known.owner)
            if remote_id == name(job) and known.state is not JobState.PENDING:  # `fetch` tells the receiver
                self.accepted(job)
                self.completed(job, PICTURES[0])

    @rule()
    def crash(self) -> None:
        """The process is gone with all it knew; the next one finds only what was committed."""
        self.store.close()
        self.store = self.place.open()
        recovery = self.store.recover()
        was = {state: {job for job, known in self.known.items() if known.state is state} for state in JobState}
        assert {job.id for job in recovery.unknown} == was[JobState.SENT]
        assert {job.id for job in recovery.never_sent} == was[JobState.PENDING]
        assert {job.id for job in recovery.to_poll} == was[JobState.PROCESSING]
        for known in self.known.values():
            known.may_post = False
            if known.state is JobState.SENT:
                self.moved(known, JobState.UNKNOWN)
            elif known.state is JobState.PENDING:
                known.stranded = True

    @precondition(lambda self: len(self.known) >= ENOUGH)
    @rule(owner=st.sampled_from(OWNERS))
    def forget(self, owner: str) -> None:
        gone = [job for job, known in self.known.items() if known.owner == owner]
        assert self.store.forget(owner) == len(gone)
        self.drop(gone)

    @precondition(lambda self: len(self.known) >= ENOUGH)
    @rule(hours=st.sampled_from([0.5, 0.5, 2, 26]))
    def expire(self, hours: float) -> None:
        """Time goes by, and what was kept its time goes with it."""
        self.place.clock.now += timedelta(hours=hours)
        now = self.place.clock.now
        gone = []
        for job, known in self.known.items():
            rests = known.state.ended or known.stranded
            if now - known.changed_at > KEPT if rests else now - known.created_at > A_DAY:
                gone.append(job)
        assert self.store.expire(now - KEPT) == len(gone)
        self.drop(gone)

    # What must hold after every step.

    @invariant()
    def the_store_is_what_the_model_is(self) -> None:
        for owner in OWNERS:
            found = {job.id: job for job in self.store.jobs(owner, limit=1000)}
            assert set(found) == {job for job, known in self.known.items() if known.owner == owner}
            for job, row in found.items():
                known = self.known[job]
                assert (row.state, row.stranded, row.remote_id) == (known.state, known.stranded, known.remote_id)
                assert (row.picture is None) is (known.picture is None)
                if row.picture is not None:
                    assert row.picture.read_bytes() == known.picture

    @invariant()
    def the_files_are_those_of_the_jobs_that_are_done(self) -> None:
        wanted = {sha256(known.picture).hexdigest() for known in self.known.values() if known.picture is not None}
        assert self.place.files == wanted

    @invariant()
    def no_job_was_taken_twice(self) -> None:
        assert all(known.accepted_posts <= 1 for known in self.known.values())

    @invariant()
    def no_visitor_sees_anothers(self) -> None:
        for job in list(self.known)[-1:]:
            stranger = OWNERS[self.known[job].owner == OWNERS[0]]
            assert self.store.job(stranger, job) is None
            assert self.store.timeline(stranger, job) == ()

    def moved(self, known: Known, state: JobState) -> None:
        known.state, known.stranded, known.changed_at = state, False, self.place.clock.now

    def drop(self, jobs: list[JobId]) -> None:
        for job in jobs:
            del self.known[job]

    def age(self, known: Known) -> timedelta:
        return self.place.clock.now - known.created_at


def name(job: JobId) -> str:
    """What the service calls a job."""
    return f"remote {job}"


def test_whatever_happens_in_whatever_order_no_job_is_lost_or_sent_twice(place: Place) -> None:
    place.clock.step = timedelta(0)
    some = settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,  # two cores that other tests may share
        suppress_health_check=list(HealthCheck),
        phases=[phase for phase in Phase if phase is not Phase.explain],  # which would take minutes
    )
    run_state_machine_as_test(type("PlacedMachine", (Machine,), {"place": place}), settings=some)  # type: ignore[no-untyped-call]


# --- real processes


# What a restart makes of a job whose process was killed there, and how often the service has it.
AFTER = dict(
    zip(
        crashing.POINTS,
        [
            (None, 0),
            (JobState.PENDING, 0),
            (JobState.PENDING, 0),
            (JobState.UNKNOWN, 0),
            (JobState.UNKNOWN, 1),
            (JobState.UNKNOWN, 1),
            (JobState.PROCESSING, 1),
            (JobState.PROCESSING, 1),
            (JobState.PROCESSING, 1),
            (JobState.DONE, 1),
        ],
        strict=True,
    )
)


@pytest.mark.parametrize("point", crashing.POINTS)
def test_a_process_killed_there_leaves_what_a_restart_can_go_on_from(
    place: Place, warm: crashing.Warm, point: str, tmp_path: Path
) -> None:
    service = tmp_path / "service"
    service.touch()
    state, posts = AFTER[point]
    done: set[str] = set()
    place.open().close()
    for number in range(KILLS):
        owner = hash_token(f"visitor {number}")
        warm.killed_at(point, "pay", place.folder, place.url, owner=owner, service=str(service))
        if point == "before the picture has its name":
            left = place.files - done
            assert len(left) == 1
            assert left.pop().startswith("unfinished-"), "a picture that may be half has a whole one's name"
        with place.open() as store:
            recovery = store.recover()
            found = store.jobs(owner)
            assert [job.state for job in found] == ([] if state is None else [state])
            if state is JobState.PENDING:
                assert found[0].stranded
                assert found[0].id in {job.id for job in recovery.never_sent}
            if state is JobState.PROCESSING:
                assert [job.id for job in recovery.to_poll] == [found[0].id]
                assert found[0].remote_id == f"remote-{found[0].id}"
                assert place.files == done, "a picture that no job has"
                assert store.done(found[0].id, crashing.PICTURE + found[0].id.encode(), "a.png")
            for job in store.in_state(owner, JobState.DONE):
                picture = crashing.PICTURE + job.id.encode()
                assert job.picture is not None
                assert job.picture.read_bytes() == picture
                done.add(sha256(picture).hexdigest())
            assert place.files == done
    taken = Counter(service.read_text().split())
    assert sum(taken.values()) == posts * KILLS
    assert set(taken.values()) <= {1}


@pytest.mark.parametrize("point", ["before the commit of forget", "before the picture is deleted"])
def test_a_process_killed_while_it_deletes_leaves_all_or_what_a_restart_sweeps(
    place: Place, warm: crashing.Warm, point: str, tmp_path: Path
) -> None:
    owner, other = OWNERS
    for _ in range(KILLS):
        with place.open() as store:
            for whose, picture in ((owner, PICTURES[0]), (owner, PICTURES[1]), (other, PICTURES[1])):
                marks = {"key_fingerprint": hash_token("key"), "photo_sha256": hash_token("photo")}
                job = store.add(whose, "c", 0, HeadshotRequest(), api="v6", **marks)
                store.sending(job)
                store.accepted(job, job)
                store.done(job, picture, "a.png")
        warm.killed_at(point, "forget", place.folder, place.url, owner=owner)
        with place.open() as store:
            store.recover()
            left = store.jobs(owner)
            assert len(left) == (2 if "commit" in point else 0)
            assert place.files == {sha256(picture).hexdigest() for picture in PICTURES[0 if left else 1 : 2]}
            assert [job.picture.read_bytes() for job in store.jobs(other)] == [PICTURES[1]]  # type: ignore[union-attr]
            store.forget(owner)
            store.forget(other)


def test_a_process_killed_while_it_makes_the_tables_leaves_an_empty_database(place: Place, warm: crashing.Warm) -> None:
    warm.killed_at("before the commit of open", "open", place.folder, place.url)
    with place.open() as store:
        assert store.recover().to_poll == ()


def test_of_many_processes_that_race_for_each_job_one_sends_it(place: Place, warm: crashing.Warm) -> None:
    with place.open() as store:
        marks = {"key_fingerprint": hash_token("key"), "photo_sha256": hash_token("photo")}
        jobs = [store.add(OWNERS[0], "c", number, HeadshotRequest(), api="v6", **marks) for number in range(40)]
        sent = warm.race(place.folder, place.url, jobs, runners=4)
        assert sorted(sent) == sorted(jobs)
        assert len(store.in_state(OWNERS[0], JobState.SENT)) == len(jobs)
