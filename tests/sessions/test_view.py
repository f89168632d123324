"""What a tab shows, as data."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from shots import PHOTO, run_of, saved
from stub import StubBackend

from headshot.comparison.presets import PRESETS
from headshot.progress import HeadshotStatus, Step
from headshot.request import HeadshotRequest, Note
from headshot.runs.run import Run
from headshot.runs.saved_headshot import SavedHeadshot
from headshot.runs.team import Person, TeamLook
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.status import Status, status_of
from headshot.sessions.tab_session import TabSession
from headshot.sessions.view.cards import details_of
from headshot.sessions.view.comparison import comparison_parts
from headshot.sessions.view.team import team_parts

GREETING = Status("Choose a photo.")


@pytest.fixture
def session(tmp_path: Path) -> TabSession:
    return SessionRegistry(tmp_path, keep_seconds=100).get("tab")


def parts(session: TabSession, run: Run | None, baseline: SavedHeadshot | None = None) -> Mapping[str, Any]:
    session.run, session.baseline = run, baseline
    return comparison_parts(session, GREETING)


def cards(shown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [shown[f"card/{key}"] for key in shown["results"]["keys"]]


def test_notes_that_all_share_are_said_once_and_the_others_at_their_headshot(session: TabSession) -> None:
    shared, own = Note("applied", "navy backdrop"), Note("not applied", "a hat")
    shown = parts(session, run_of(saved(1, shared), saved(2, shared, own), of=2))
    assert (shown["notes"]["applied"], shown["notes"]["missing"]) == (["navy backdrop"], [])
    assert [card["own"] for card in cards(shown)] == [[], ["Not applied: a hat"]]


def test_a_card_names_seed_seconds_and_likeness_and_leaves_out_a_likeness_that_is_not_known(
    session: TabSession,
) -> None:
    first, second, third = cards(parts(session, run_of(saved(1), saved(2, likeness=None), of=3)))
    assert (first["label"], first["facts"]) == ("Seed 1", ["1.2 s", "likeness 0.70"])
    assert (second["facts"], second["name"]) == (["1.2 s"], "headshot-stub-seed-2.png")
    assert (third["kind"], third["text"]) == ("waiting", "waiting")


def test_the_baseline_stands_before_the_comparison_until_it_is_part_of_it(session: TabSession) -> None:
    executive = PRESETS[1]
    baseline = saved(9, guidance_scale=12, prompt=executive.prompt, negative_prompt=executive.negative_prompt)
    shown = cards(parts(session, run_of(saved(1), of=1), baseline))
    assert [(card["label"], card["baseline"]) for card in shown] == [("Seed 9", True), ("Seed 1", False)]
    assert shown[0]["facts"][:3] == ["seed 9", "guidance 12", executive.name]
    shown = cards(parts(session, run_of(saved(1), saved(2), of=2), saved(1)))
    assert [(card["label"], card["baseline"]) for card in shown] == [("Seed 1", True), ("Seed 2", False)]
    assert [card["id"] for card in cards(parts(session, None, baseline))] == ["shot9"]


def test_headshots_that_are_done_out_of_order_stand_where_they_were_asked_for(session: TabSession) -> None:
    shown = cards(parts(session, run_of(saved(3), saved(1), of=3)))
    assert [(card["label"], card["kind"]) for card in shown] == [
        ("Seed 1", "finished"),
        ("Seed 2", "waiting"),
        ("Seed 3", "finished"),
    ]


def test_a_card_has_what_the_viewer_shows_and_the_rest_is_there_on_request(session: TabSession) -> None:
    shot = saved(1, Note("applied", "<b>navy</b>"), prompt="<i>navy</i>")
    run = run_of(shot, of=1)
    run.requests = [shot.request]
    shown = parts(session, run)
    [card] = cards(shown)
    assert card["request"] == shot.request.model_dump()
    assert card["notes"] == [{"kind": "applied", "text": "<b>navy</b>"}]
    assert card["timings"] == [["This headshot", "1.25 s"]]
    assert card["origin"] == {"backend": "stub", "photo": PHOTO.sha256[:6], "face": 1}
    assert PHOTO.sha256 not in json.dumps(shown)
    code = details_of(shot, "enterprise")
    assert "shoot(" in code["python"]
    assert "curl" in code["curl"]
    assert len(json.dumps(card)) < 2_500  # a card's update is sent at every change of it


def test_the_whole_comparison_is_offered_as_files_once_something_is_done(session: TabSession) -> None:
    assert parts(session, run_of(of=2))["results"]["files"] == []
    run = run_of(saved(1), of=2)
    files = parts(session, run)["results"]["files"]
    assert [file["href"] for file in files][:1] == [f"headshots/{session.token}/{run.id}/contact-sheet.png"]
    assert [file["name"] for file in files] == [
        "contact-sheet.png",
        "headshots.pdf",
        "headshots.csv",
        "headshots.zip",
    ]


def test_the_status_is_that_of_the_run_up_to_its_end(session: TabSession) -> None:
    assert parts(session, None)["status"]["text"] == GREETING.text
    run = run_of(saved(1), of=4)
    assert status_of(run) == Status("Starting…", "running", 0, 4)
    run.attempt.stage = Step("Lighting…", 2, 4)
    assert status_of(run) == Status("Lighting…", "running", 2, 4)
    run.stop()
    assert status_of(run) == Status("Stopped: 1 of 4", "stopped")
    assert [card["kind"] for card in cards(parts(session, run))] == ["finished"]
    session.notice = Status("Add a photo first.", "error")
    assert parts(session, run)["status"]["text"] == "Add a photo first."


def test_whatever_a_stopped_run_reports_late_the_page_shows_the_one_that_runs(session: TabSession) -> None:
    former, current = run_of(of=2), run_of(of=1)
    session.begin(former)
    former.stop()
    session.begin(current)
    before = parts(session, session.run)
    former.headshots.append(saved(1))
    former.statuses[former.requests[1]] = HeadshotStatus(former.requests[1], "waiting", "late")
    former.attempt.stage, former.attempt.error = Step("late", 1, 2), "late"
    assert parts(session, session.run) == before


def test_a_prompt_is_data_and_never_markup(session: TabSession) -> None:
    hostile = '"><img src=x onerror=alert(1)>'
    shot = saved(1, Note("applied", hostile), prompt=hostile)
    run = run_of(shot, of=1)
    run.requests = [HeadshotRequest(seed=1, prompt=hostile)]
    [card] = cards(parts(session, run))
    assert card["request"]["prompt"] == hostile


def team_cards(session: TabSession) -> list[Mapping[str, Any]]:
    shown = team_parts(session)
    return [shown[f"team/card/{key}"] for key in shown["team"]["keys"]]


def test_a_persons_card_says_what_is_known_of_them_until_there_is_a_headshot(session: TabSession) -> None:
    for name in ("ann.jpg", "ben.jpg", "cy.jpg", "dan.jpg"):
        session.team.add(Person(name))
    _, ben, cy, dan = session.team.people
    ben.refusal, cy.crowd, dan.failure = "No face.", "2 faces found; using the clearest.", "It was declined."
    assert [(card["label"], card["state"], card["texts"]) for card in team_cards(session)] == [
        ("ann", "fine", ["ready"]),
        ("ben", "refused", ["No face."]),
        ("cy", "remarks", ["2 faces found; using the clearest."]),
        ("dan", "refused", ["It was declined."]),
    ]
    assert all(card["removable"] for card in team_cards(session))
    assert team_parts(session)["team/status"]["text"] == "3 photos ready; 1 photo can’t be used, see its card."


def test_while_a_team_runs_its_status_names_the_person_and_nobody_can_be_removed(session: TabSession) -> None:
    for name in ("ann.jpg", "ben.jpg"):
        session.team.add(Person(name))
    request = HeadshotRequest(seed=1)
    session.team.request_run(TeamLook(request, [StubBackend()], ["Corporate"]))
    assert team_parts(session)["team/status"]["text"] == "Starting…"
    session.team.start()
    ann = session.team.current = session.team.people[0]
    ann.run = run_of(of=1)
    ann.run.attempt.stage = Step("Lighting…", 0, 1)
    shown = team_parts(session)["team/status"]
    assert (shown["text"], shown["stage"], shown["total"]) == ("1 of 2: ann", "Lighting…", 2)
    assert [(card["state"], card["removable"]) for card in team_cards(session)] == [
        ("waiting", False),
        ("queued", False),
    ]
    session.team.stop()
    assert team_parts(session)["team/status"]["text"] == "Stopped: 0 of 2"
