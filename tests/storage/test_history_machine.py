"""Whatever happens to a history in whatever order, it is what its visitors have left of it, and so are the files."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from databases import Place
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from keeping import ANN, BEN, asked, begin, files_of, save_headshot

from headshot.storage import HistoryEntry, JobId, Store, hash_token, key_fingerprint

OWNERS = (ANN, BEN)
PICTURES = (b"\x89PNG a", b"\x89PNG b", b"\x89PNG c")
PROMPTS = ("teal", "grey", "Teal and grey")
BACKENDS = ("studio", "modelslab")


@dataclass
class Known:
    """What the model knows of a comparison. shots: by id, the position, picture and backend of each, and if loved."""

    owner: str
    prompt: str
    backend: str
    begun: datetime
    name: str = ""
    loved: bool = False
    ended: bool = False
    failures: dict[int, str] = field(default_factory=dict)
    shots: dict[str, tuple[int, bytes, str]] = field(default_factory=dict)
    loved_shots: set[str] = field(default_factory=set)


class Machine(RuleBasedStateMachine):
    """Two visitors with a history and some paid jobs, in which the same pictures stand."""

    place: Place

    @initialize()
    def start(self) -> None:
        self.open()
        for owner in OWNERS:
            self.store.forget(owner)
            self.store.history.forget(owner)
        self.known: dict[str, Known] = {}
        self.jobs: list[tuple[str, bytes]] = []
        self.votes: dict[str, tuple[str, set[str], dict[frozenset[str], str]]] = {}
        for number in range(4):
            self.begin(OWNERS[number % 2], PROMPTS[number % 3], BACKENDS[number // 2])
            self.save_headshot(number, number % 2, PICTURES[number % 3], BACKENDS[0])
            self.save_headshot(number, 1, PICTURES[(number + 1) % 3], BACKENDS[1])

    def open(self) -> None:
        self.store: Store = self.place.open()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def one(self, number: int) -> tuple[str, Known]:
        return list(self.known.items())[number % len(self.known)]

    # What comes.

    @rule(owner=st.sampled_from(OWNERS), prompt=st.sampled_from(PROMPTS), backend=st.sampled_from(BACKENDS))
    def begin(self, owner: str, prompt: str, backend: str) -> None:
        made = begin(self.store.history, owner, asked(prompt, "plain"), backend)
        self.known[made] = Known(owner, prompt, backend, self.place.clock.now)

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 9), at=st.integers(0, 1), png=st.sampled_from(PICTURES), by=st.sampled_from(BACKENDS))
    def save_headshot(self, number: int, at: int, png: bytes, by: str) -> None:
        comparison, known = self.one(number)
        completed = save_headshot(self.store.history, comparison, at, png, by)
        assert completed is not None
        before = {what[:2]: shot for shot, what in known.shots.items()}
        assert before.get((at, png), completed) == completed
        known.shots.setdefault(completed, (at, png, by))
        known.failures.pop(at, None)

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 9), at=st.integers(0, 1), sentence=st.sampled_from(("Declined.", "Too late.")))
    def fail(self, number: int, at: int, sentence: str) -> None:
        comparison, known = self.one(number)
        self.store.history.fail(comparison, at, sentence)
        if at not in {position for position, _, _ in known.shots.values()}:
            known.failures[at] = sentence

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 9))
    def end(self, number: int) -> None:
        comparison, known = self.one(number)
        self.store.history.end(comparison)
        known.ended = True

    @rule(owner=st.sampled_from(OWNERS), png=st.sampled_from(PICTURES))
    def pay(self, owner: str, png: bytes) -> None:
        marks = {"key_fingerprint": key_fingerprint("key", self.store.salt), "photo_sha256": hash_token("photo")}
        job: JobId = self.store.add(owner, "c", 0, asked()[0], api="v6", **marks)
        self.store.sending(job)
        self.store.accepted(job, job)
        self.store.done(job, png, "a.png")
        self.jobs.append((owner, png))

    # What its visitors change, and what somebody else cannot.

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 9), name=st.sampled_from(("", "Board", "grey")), stranger=st.booleans())
    def rename(self, number: int, name: str, stranger: bool) -> None:
        comparison, known = self.one(number)
        assert self.store.history.rename(self.who(known, stranger), comparison, name) is not stranger
        if not stranger:
            known.name = name

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 9), shot=st.integers(0, 3), on=st.booleans(), stranger=st.booleans())
    def favourite(self, number: int, shot: int, on: bool, stranger: bool) -> None:
        comparison, known = self.one(number)
        what = [comparison, *known.shots][shot % (1 + len(known.shots))]
        assert self.store.history.favourite(self.who(known, stranger), what, on) is not stranger
        if stranger:
            return
        if what == comparison:
            known.loved = on
        else:
            (known.loved_shots.add if on else known.loved_shots.discard)(what)

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 9), stranger=st.booleans())
    def delete(self, number: int, stranger: bool) -> None:
        comparison, known = self.one(number)
        assert self.store.history.delete(self.who(known, stranger), comparison) is not stranger
        if not stranger:
            self.drop([comparison])

    @precondition(lambda self: any(known.shots for known in self.known.values()))
    @rule(number=st.integers(0, 9), stranger=st.booleans())
    def delete_shot(self, number: int, stranger: bool) -> None:
        shots = [(shot, known) for known in self.known.values() for shot in known.shots]
        shot, known = shots[number % len(shots)]
        assert self.store.history.delete_headshot(self.who(known, stranger), shot) is not stranger
        if not stranger:
            self.forget_shots(known, [shot])

    @rule(owner=st.sampled_from(OWNERS), jobs=st.booleans())
    def forget(self, owner: str, jobs: bool) -> None:
        if jobs:
            assert self.store.forget(owner) == sum(whose == owner for whose, _ in self.jobs)
            self.jobs = [job for job in self.jobs if job[0] != owner]
        else:
            gone = [comparison for comparison, known in self.known.items() if known.owner == owner]
            assert self.store.history.forget(owner) == len(gone)
            self.drop(gone)

    @rule(minutes=st.integers(0, 40))
    def expire(self, minutes: int) -> None:
        before = self.place.clock.now - timedelta(minutes=minutes)
        gone = [comparison for comparison, known in self.known.items() if known.begun < before]
        assert self.store.history.expire(before) == len(gone)
        self.drop(gone)

    @rule(minutes=st.integers(1, 10))
    def wait(self, minutes: int) -> None:
        self.place.clock.now += timedelta(minutes=minutes)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.open()
        self.store.recover()

    # Votes.

    @precondition(lambda self: any(len(known.shots) > 1 for known in self.known.values()))
    @rule(number=st.integers(0, 9))
    def open_vote(self, number: int) -> None:
        some = [(comparison, known) for comparison, known in self.known.items() if len(known.shots) > 1]
        comparison, known = some[number % len(some)]
        code = self.store.history.open_vote(known.owner, comparison, tuple(known.shots), "")
        self.votes[code] = (comparison, set(known.shots), {})

    @precondition(lambda self: self.votes)
    @rule(number=st.integers(0, 9), data=st.data(), outcome=st.sampled_from(("left", "right", "tie")))
    def cast(self, number: int, data: st.DataObject, outcome: str) -> None:
        code, (comparison, shots, ballots) = list(self.votes.items())[number % len(self.votes)]
        choices = [*self.known[comparison].shots, "no such"]
        left, right = (data.draw(st.sampled_from(choices)) for _ in range(2))
        fits = left != right and {left, right} <= shots
        assert self.store.history.cast(code, BEN, left, right, outcome) is fits  # type: ignore[arg-type]
        if fits:
            ballots[frozenset((left, right))] = outcome

    # What must be so.

    @invariant()
    def the_files_are_those_that_somebody_wants(self) -> None:
        kept = [png for known in self.known.values() for _, png, _ in known.shots.values()]
        assert self.place.files == files_of(*kept, *(png for _, png in self.jobs))

    @invariant()
    def each_visitor_finds_what_is_left(self) -> None:
        for owner in OWNERS:
            own = {comparison: known for comparison, known in self.known.items() if known.owner == owner}
            page = self.store.history.page(owner, limit=1_000)
            assert [found.id for found in page] == list(own)[::-1]
            for found in page:
                self.same(found, own[found.id])
            filters = {
                "search": {found for found, known in own.items() if "grey" in known.prompt or known.name == "grey"},
                "backend": {
                    found
                    for found, known in own.items()
                    if "modelslab" in (known.backend, *(by for _, _, by in known.shots.values()))
                },
                "favourites": {found for found, known in own.items() if known.loved or known.loved_shots},
            }
            values = {"search": "GREY", "backend": "modelslab", "favourites": True}
            for name, wanted in filters.items():
                found = self.store.history.page(owner, **{name: values[name]}, limit=1_000)  # type: ignore[arg-type]
                assert {comparison.id for comparison in found} == wanted, name
            usage = self.store.history.usage(owner)
            pictures = [png for known in own.values() for _, png, _ in known.shots.values()]
            assert (usage.comparisons, usage.headshots) == (len(own), len(pictures))
            assert usage.bytes == sum(map(len, set(pictures)))

    @invariant()
    def a_vote_is_what_was_said_of_what_is_left(self) -> None:
        for code, (comparison, shots, ballots) in self.votes.items():
            found = self.store.history.vote(code)
            assert found is not None
            assert (found.comparison, set(found.shots)) == (comparison, shots)
            said = {
                frozenset((ballot.left, ballot.right)): ballot.outcome for ballot in self.store.history.ballots(code)
            }
            assert said == ballots

    def same(self, found: HistoryEntry, known: Known) -> None:
        assert (found.name, found.favourite, found.ended) == (known.name, known.loved, known.ended)
        assert found.failures == known.failures
        assert [kept.position for kept in found.headshots] == sorted(kept.position for kept in found.headshots)
        assert {
            kept.id: (kept.position, kept.picture.read_bytes(), kept.backend) for kept in found.headshots
        } == known.shots
        assert {kept.id for kept in found.headshots if kept.favourite} == known.loved_shots

    def who(self, known: Known, stranger: bool) -> str:
        return OWNERS[(OWNERS.index(known.owner) + stranger) % 2]

    def drop(self, comparisons: list[str]) -> None:
        for comparison in comparisons:
            known = self.known.pop(comparison)
            self.votes = {code: vote for code, vote in self.votes.items() if vote[0] != comparison}
            self.forget_shots(known, list(known.shots))

    def forget_shots(self, known: Known, gone: list[str]) -> None:
        for shot in gone:
            del known.shots[shot]
            known.loved_shots.discard(shot)
            for _, shots, ballots in self.votes.values():
                shots.discard(shot)
                for pair in [pair for pair in ballots if shot in pair]:
                    del ballots[pair]


def test_whatever_happens_in_whatever_order_the_history_is_what_is_left_of_it(place: Place) -> None:
    place.clock.step = timedelta(seconds=1)
    some = settings(
        max_examples=10 if place.url is None else 4,  # PostgreSQL takes twice the time
        stateful_step_count=20,
        deadline=None,  # two cores that other tests may share
        suppress_health_check=list(HealthCheck),
        phases=[phase for phase in Phase if phase is not Phase.explain],  # which would take minutes
    )
    run_state_machine_as_test(type("PlacedMachine", (Machine,), {"place": place}), settings=some)  # type: ignore[no-untyped-call]
