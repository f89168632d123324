"""History: everything that this browser has made and that has not expired, to find, name, open and take along."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import anyio.to_thread
import gradio as gr

from headshot.backends import Backend
from headshot.errors import RequestError
from headshot.runs.files import load
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.session import SessionRegistry, TabSession
from headshot.settings import Settings
from headshot.ui.headshots import results
from headshot.ui.headshots.form import Form
from headshot.ui.headshots.photo import delete_upload, is_upload
from headshot.ui.headshots.shoot import ShootPart
from headshot.ui.messages import Updates, event_handler, note
from headshot.ui.team.tab import TeamPart

from . import timeline

if TYPE_CHECKING:
    from headshot.storage import History, HistoryEntry, Usage

PAGE = 24  # comparisons at a time: four screens of them
MAX_ARCHIVE_BYTES = 2 * 2**30  # that one visitor may bring along: a thousand headshots
_PART_BYTES = 8 * 2**20  # an archive comes in pieces, for the server takes no file that is larger than a photo
_TOLD_SECONDS = 0.5  # how often a page hears how far its archive is
_AT_ONCE = 2  # archives that are packed or unpacked, each of which keeps a disk busy for a while

_SCRIPT = Path(__file__).with_name("history.js").read_text(encoding="utf-8")
_GONE = "This is no longer in your history: it was deleted, or has been kept for its time."
_RUNNING = "This comparison is running: let it end, or press Stop first."
_TEAM_RUNNING = "This team’s headshots are being made: let it end, or press Stop in the Team tab first."


@dataclass(frozen=True)
class ListState:
    """What a tab shows: what it looks for, and how far down. before: the last one that stands there.

    count: of comparisons.  groups: the teams that stand there; what else of them comes later stands there already.
    """

    search: str = ""
    backend: str = ""
    favourites: bool = False
    before: "HistoryEntry | None" = None
    count: int = 0
    groups: frozenset[str] = frozenset()


class HistoryPart:
    """The tab. cache: where Gradio puts uploads."""

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, Backend],
        sessions: SessionRegistry,
        recorder: HistoryRecorder,
        cache: Path,
    ) -> None:
        self._settings = settings
        self._titles = {name: backend.title for name, backend in registry.items()}
        self._sessions = sessions
        self._recorder = recorder
        self._cache = cache
        self._serials = itertools.count(1)
        self._parcels: WeakKeyDictionary[TabSession, Path] = WeakKeyDictionary()
        self._asked_at: WeakKeyDictionary[TabSession, float] = WeakKeyDictionary()
        self._places = anyio.CapacityLimiter(_AT_ONCE)
        self._takings: set[asyncio.Task[str]] = set()  # the event loop itself holds a task by a thread only

    def build(self) -> None:
        # Gradio draws nothing in here: the script puts in what comes as the value, and takes out what goes, so that
        # neither the pictures nor the focus of what stays are lost.
        self.list = gr.HTML(
            html_template=_frame(self._titles),
            js_on_load=_SCRIPT.replace("MAX_ARCHIVE_BYTES", str(MAX_ARCHIVE_BYTES)).replace(
                "PART_BYTES", str(_PART_BYTES)
            ),
            apply_default_css=False,
            elem_id="history",
        )
        self.shown = gr.State(ListState())

    def wire(
        self, tab: gr.Tab, tabs: gr.Tabs, shoot: ShootPart, form: Form, team: TeamPart, *, home: str, teams: str
    ) -> None:
        """tab: this one, which is read when it is opened.

        home, teams: the ids of those that show what is opened here, and a team.
        """
        self._tabs, self._home, self._shoot, self._form = tabs, home, shoot, form
        self._team, self._teams = team, teams
        self._on_the_page = [shoot.status, shoot.shots, shoot.notes]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        listed = [self.list, self.shown]
        heard: Any = self.list  # its events are the script's own, which Gradio reads there

        def said(handler: Any) -> Any:
            return event_handler(handler, otherwise=self._refused)

        def listing(handler: Any) -> Any:
            return event_handler(handler, otherwise=self._not_listed)

        tab.select(listing(self._again), {self.shown}, listed, **quiet)
        # Gradio's "always_last" would ask the first question once more, and never the last.
        heard.seek(listing(self._seek), {self.shown}, listed, trigger_mode="multiple", **quiet)
        heard.further(listing(self._further), {self.shown}, listed, **quiet)
        heard.amend(said(self._amend), {self.shown}, [self.list], trigger_mode="multiple", **quiet)
        self.discarded = heard.discard(
            said(self._discard), {self.shown}, [self.list, *self._on_the_page], trigger_mode="multiple", **quiet
        )
        opened = heard.resume(
            said(self._open), {self.shown, *team.asked}, [self.list, tabs, *shoot.shown, *team.shown], **quiet
        )
        continued = heard.carry_on(
            said(self._carry_on), {self.shown}, [self.list, tabs, shoot.shots, *form.fillable], **quiet
        )
        opened.then(None, js=_scroll_to("#results"), api_visibility="private")
        continued.then(None, js=_scroll_to("#header"), api_visibility="private")
        heard.pack(said(self._pack), {self.shown}, [self.list], **quiet)
        # Multiple: the one before may have answered and not quite ended.
        heard.unpack(said(self._unpack), {self.shown}, listed, trigger_mode="multiple", **quiet)

    # What is listed.

    async def _again(self, values: Updates, request: gr.Request) -> Updates:
        """What the tab showed before, as it is now and as far down."""
        return await self._first(values[self.shown], self._session(request))

    async def _seek(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """asked_at: by the page's clock. What was overtaken on its way is no longer what the page asks for."""
        shown = ListState(str(event.search), str(event.backend), event.favourites is True)
        session, asked_at = self._session(request), float(event.asked_at)
        if asked_at < self._asked_at.get(session, 0):
            return {self.list: gr.skip()}
        self._asked_at[session] = asked_at
        return await self._first(shown, session)

    async def _further(self, values: Updates, request: gr.Request) -> Updates:
        shown: ListState = values[self.shown]
        return await self._listed("more", shown, self._session(request), PAGE)

    async def _first(self, shown: ListState, session: TabSession, **news: object) -> Updates:
        afresh = replace(shown, before=None, count=0, groups=frozenset())
        return await self._listed("all", afresh, session, max(PAGE, shown.count), **news)

    async def _listed(self, mode: str, shown: ListState, session: TabSession, limit: int, **news: object) -> Updates:
        if not self._recorder.may_have_data:
            return {self.list: self._news(mode, entries=[], more=False, line="", **news), self.shown: shown}
        backends, hours, api = self._titles, self._settings.history_hours, self._settings.modelslab_api

        def read(history: "History") -> "tuple[list[dict[str, Any]], ListState, bool, Usage]":
            found, more, now = page_of(history, session.owner, shown, limit)
            told = [timeline.entry_card(runs, session, backends, hours=hours, api=api) for runs in found]
            return told, now, more, history.usage(session.owner)

        entries, now, more, usage = await self._recorder.serialized(session.owner, read)
        line = timeline.line(usage, hours)
        return {self.list: self._news(mode, entries=entries, more=more, line=line, **news), self.shown: now}

    async def renewed(self, values: Updates, session: TabSession) -> Updates:
        """What the tab shows as it is now. values: with `shown`."""
        return await self._first(values[self.shown], session) if values[self.shown].count else {}

    # What changes.

    async def _amend(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """A name or a star, which the page shows already."""
        owner, what = self._session(request).owner, str(event.id)
        match event.action:
            case "rename":
                name = str(event.name)
                done = await self._recorder.serialized(owner, lambda history: _rename(history, owner, what, name))
            case "favourite":
                on = event.on is True
                done = await self._recorder.serialized(owner, lambda history: _favour(history, owner, what, on=on))
            case _:
                done = False
        if not done:
            raise RequestError(_GONE)
        return {self.list: gr.skip()}

    async def _discard(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        session, what = self._session(request), str(event.id)
        runs = await self._recorder.run(lambda history: _group_by_team(history, session.owner, what))
        if not runs:
            raise RequestError(_GONE)
        ids, tabs = {entry.id for entry in runs}, self._sessions.tabs(session.owner)
        if any(tab.run is not None and tab.run.history_id in ids and tab.run.alive for tab in tabs):
            raise RequestError(_RUNNING)
        if any(tab.team.running and tab.team.group == runs[0].group for tab in tabs):
            raise RequestError(_TEAM_RUNNING)

        def delete(history: "History") -> "Usage":
            for one in ids:
                history.delete(session.owner, one)
            return history.usage(session.owner)

        usage = await self._recorder.serialized(session.owner, delete)
        line = timeline.line(usage, self._settings.history_hours)
        gone = self._news("gone", key=runs[0].group or runs[0].id, line=line)
        run, baseline = session.run, session.baseline
        for tab in tabs:
            _prepare_edit(tab, runs)
        if session.run is run:
            return {self.list: gone, **({} if session.baseline is baseline else self._results(session))}
        return {
            self.list: gone,
            self._shoot.status: results.status("These headshots were deleted from your history.", kind="done"),
            self._shoot.notes: "",
            **self._results(session),
        }

    # What goes on from here.

    async def _open(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        session, what = self._session(request), str(event.id)
        entry = await self._recorder.run(lambda history: history.comparison(session.owner, what))
        if entry is None:
            raise RequestError(_GONE)
        if entry.kind == "team" and event.whole is True:
            group = await self._recorder.run(lambda history: _group_by_team(history, session.owner, what))
            shown = await self._team.opened(values, session, group or (entry,))
            return {**shown, self._tabs: gr.Tabs(selected=self._teams)}
        return {**await self._shoot.opened(session, entry), self._tabs: gr.Tabs(selected=self._home)}

    async def _carry_on(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """A comparison's settings, or a headshot's, in the form. A single headshot is the baseline, too."""
        session, what = self._session(request), str(event.id)
        entry = await self._recorder.run(lambda history: history.comparison(session.owner, what))
        kept = (
            None
            if entry is not None
            else await self._recorder.run(lambda history: history.headshot(session.owner, what))
        )
        updates: Updates = {self._tabs: gr.Tabs(selected=self._home)}
        whose = "Its settings"
        if entry is not None:
            again = self._form.repeated(entry.requests)
            updates |= self._form.restored(entry.requests[0], "all") if again is None else again
            whose = "The settings of its first headshot" if again is None else whose
            kept = entry.headshots[0] if len(entry.requests) == 1 and len(entry.headshots) == 1 else None
        elif kept is not None:
            updates |= self._form.restored(kept.request, "all")
        else:
            raise RequestError(_GONE)
        baseline = None if kept is None else load(session, kept, None)
        session.parent = "" if baseline is None else baseline.content_id
        if baseline is not None:
            session.set_baseline(baseline)
            updates |= self._results(session)
        beside = "" if kept is None else ", and the headshot is the baseline"
        photo = "" if session.photo is not None else " Choose a photo, then press Generate."
        note(f"{whose} are in the form{beside}.{photo}")
        return updates

    def _results(self, session: TabSession) -> Updates:
        shots = results.shots(
            session.run,
            session.baseline,
            session.address,
            earlier=session.other_runs,
            api=self._settings.modelslab_api,
        )
        return {self._shoot.shots: shots}

    # What goes elsewhere, and comes from there.

    async def _pack(self, values: Updates, request: gr.Request) -> Updates:
        """Everything as one file among the visitor's own, to be fetched at once."""
        session = self._session(request)
        session.delete_slot(self._parcels.pop(session, None))
        if not self._recorder.may_have_data:
            raise RequestError("There is nothing to export yet.")
        path = session.write(f"headshot-history-{datetime.now(UTC):%Y-%m-%d}.zip", b"")
        self._parcels[session] = path
        async with self._places:
            await self._recorder.run(lambda history: _packed(history, session.owner, path))
        return {
            self.list: self._news(
                "said",
                parcel={
                    "href": session.address(path.parent.name, path.name),
                    "name": path.name,
                    "size": timeline.size(path.stat().st_size),
                },
            )
        }

    async def _unpack(self, values: Updates, request: gr.Request, event: gr.EventData) -> AsyncIterator[Updates]:
        """An archive that came as uploads, one for each piece. It is taken in whole, whether its page stays or not."""
        session, paths = self._session(request), [str(path) for path in event.paths]
        if not paths or not all(is_upload(path, self._cache) for path in paths):
            raise RequestError("The archive did not arrive: choose it again.")
        at = [0, 0]  # how many headshots of how many, written by the thread that takes them in

        def tell(done: int, total: int) -> None:
            at[:] = done, total

        taking = asyncio.create_task(self._taken_in(session.owner, paths, tell))
        self._takings.add(taking)
        taking.add_done_callback(self._takings.discard)
        while not taking.done():
            yield {self.list: self._news("taking", done=at[0], total=at[1]), self.shown: gr.skip()}
            await asyncio.wait({taking}, timeout=_TOLD_SECONDS)
        yield await self._first(values[self.shown], session, said=taking.result())

    async def _taken_in(self, owner: str, paths: Sequence[str], tell: Callable[[int, int], None]) -> str:
        try:
            async with self._places:
                return await self._recorder.run(lambda history: _unpacked(history, owner, paths, tell))
        finally:
            for path in paths:
                delete_upload(path)

    # Inside.

    def _session(self, request: gr.Request) -> TabSession:
        return self._sessions.get(request.session_hash, request.cookies)

    def _news(self, mode: str, **news: object) -> dict[str, Any]:
        """What the script does with the list. all: these entries, in place of whatever is there.  more: these behind
        it.  gone: without that one.  said, taking: as it is.  stale: it asks anew.
        """
        return {"serial": next(self._serials), "mode": mode, **news}

    def _refused(self, sentence: str, request: gr.Request) -> Updates:
        """What the page showed before it was asked may not be so."""
        return {self.list: self._news("stale", refused=sentence)}

    def _not_listed(self, sentence: str, request: gr.Request) -> Updates:
        """To ask anew at once would be refused anew."""
        return {self.list: self._news("said", refused=sentence)}


def _scroll_to(narrow: str) -> str:
    """The list may have been scrolled far down. narrow: what a phone shows first."""
    # The tab is there once the update is drawn, and not at all where the act was refused.
    return f"""() => setTimeout(() => {{
      const to = document.querySelector("#page").offsetParent ? "{narrow}" : "#team-results";
      if (document.querySelector("#history")?.offsetParent) return;
      document.querySelector(innerWidth < 1000 ? to : "#header").scrollIntoView();
    }}, 50)"""


def page_of(
    history: "History", owner: str, shown: ListState, limit: int
) -> "tuple[list[tuple[HistoryEntry, ...]], bool, ListState]":
    """The next entries, whether others follow, and what is shown with them. A team stands where its latest run does."""
    found = history.page(
        owner,
        search=shown.search,
        backend=shown.backend,
        favourites=shown.favourites,
        before=shown.before,
        limit=limit + 1,
    )
    here, more = found[:limit], len(found) > limit
    groups = set(shown.groups)
    entries: list[tuple[HistoryEntry, ...]] = []
    for entry in here:
        if not entry.group:
            entries.append((entry,))
        elif entry.group not in groups:
            groups.add(entry.group)
            entries.append(history.group(owner, entry.group) or (entry,))
    last = here[-1] if here else shown.before
    return entries, more, replace(shown, before=last, count=shown.count + len(here), groups=frozenset(groups))


def _group_by_team(history: "History", owner: str, name: str) -> "tuple[HistoryEntry, ...]":
    """A comparison, and those of its team."""
    entry = history.comparison(owner, name)
    return () if entry is None else history.group(owner, entry.group) or (entry,)


def _prepare_edit(tab: TabSession, runs: "Sequence[HistoryEntry]") -> None:
    """Nothing of what was deleted stays on a page. The Team tab is drawn anew when it is opened."""
    run, baseline = tab.run, tab.baseline
    if tab.team.group and tab.team.group == runs[0].group:
        tab.delete_headshots(tab.team.reset_results())
    if baseline is not None and baseline.history_id in {shot.id for entry in runs for shot in entry.headshots}:
        tab.set_baseline(None)
    if run is not None and run.history_id in {entry.id for entry in runs}:
        tab.run = None
        tab.delete_headshots(run.headshots)


def _rename(history: "History", owner: str, name: str, to: str) -> bool:
    """A comparison, or all of its team."""
    entry = history.comparison(owner, name)
    if entry is not None and entry.group:
        return history.rename_group(owner, entry.group, to)
    return history.rename(owner, name, to)


def _favour(history: "History", owner: str, name: str, *, on: bool) -> bool:
    """A headshot, or a comparison with all of its team."""
    runs = _group_by_team(history, owner, name)
    done = [
        history.favourite(owner, one, on) for one in ([entry.id for entry in runs] or [name])
    ]  # each, whatever comes
    return all(done)


def _packed(history: "History", owner: str, path: Path) -> None:
    from headshot.storage.transfer import export_history  # loads SQLAlchemy, for which no page's start should wait

    try:
        with path.open("wb") as out:
            export_history(history, owner, out)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RequestError("The archive could not be written: try again, or delete some of your history.") from error


def _unpacked(history: "History", owner: str, paths: Sequence[str], tell: Callable[[int, int], None]) -> str:
    """Take in what came in these pieces. Says what that was."""
    from headshot.storage.transfer import import_history

    with tempfile.TemporaryFile() as whole:
        try:
            for path in paths:
                with Path(path).open("rb") as part:
                    shutil.copyfileobj(part, whole)
                delete_upload(path)
                if whole.tell() > MAX_ARCHIVE_BYTES:
                    raise RequestError(f"The archive is too large: at most {MAX_ARCHIVE_BYTES / 2**30:g} GB come in.")
        except OSError as error:
            raise RequestError("The archive did not arrive whole: choose it again.") from error
        came = import_history(history, owner, whole, tell)
    return timeline.came(came.comparisons, came.headshots, came.skipped, came.saved_settings)


def _frame(backends: Mapping[str, str]) -> str:
    """What stands around the list. Gradio reads it as a template: nothing of a visitor's may ever stand in it."""
    options = "".join(f'<option value="{escape(name)}">{escape(title)}</option>' for name, title in backends.items())
    return _FRAME.replace("OPTIONS", options).replace("SEVERAL", "" if len(backends) > 1 else "hidden")


_FRAME = """
<div class="history">
  <header class="top">
    <div><h2>History</h2><p class="store"></p></div>
    <div class="carrying">
      <button type="button" class="file pack" data-do="pack">Export everything</button>
      <button type="button" class="file unpack" data-do="choose">Import</button>
      <input type="file" accept=".zip,application/zip" hidden aria-label="A history that was exported">
    </div>
  </header>
  <p class="work" role="status"></p>
  <div class="status share" hidden>
    <progress aria-label="How much of the archive is here"></progress><span class="count" aria-hidden="true"></span>
  </div>
  <a class="parcel" hidden download></a>
  <div class="sieve" role="search" hidden>
    <input type="search" placeholder="Search prompts and names" aria-label="Search prompts and names" maxlength="200">
    <select aria-label="Backend" SEVERAL><option value="">All backends</option>OPTIONS</select>
    <button type="button" class="act only" data-do="only" aria-pressed="false">Favourites only</button>
  </div>
  <div class="days"></div>
  <div class="empty" hidden></div>
  <button type="button" class="act further" data-do="further" hidden>Show more</button>
  <p class="aloud" role="status"></p>
</div>
"""
