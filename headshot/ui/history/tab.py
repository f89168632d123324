"""The History tab: finds, names, opens and exports what this browser has made and what has not expired."""

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import gradio as gr

from headshot.backends import Backend
from headshot.errors import RequestError
from headshot.runs import history_queries
from headshot.runs.files import load
from headshot.runs.history_queries import ListState
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.comparisons import Comparisons
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.status import Status
from headshot.sessions.tab_session import TabSession
from headshot.settings import Settings
from headshot.ui import assets
from headshot.ui.headshots.form import Form
from headshot.ui.headshots.photo import PhotoPart
from headshot.ui.messages import Updates, event_handler, note
from headshot.ui.tab_state import TabState
from headshot.ui.team.tab import TeamPart

from . import timeline
from .archives import MAX_ARCHIVE_BYTES, PART_BYTES, HistoryArchives

if TYPE_CHECKING:
    from headshot.storage import History, Usage

PAGE = 24  # comparisons at a time: four screens of them

# Gradio finds the names of a component's own events in its `js_on_load`.
_EVENTS = (
    "find_entries",
    "load_more",
    "edit_entry",
    "delete_entry",
    "open_entry",
    "reuse_settings",
    "export_all",
    "import_archive",
)
_TEMPLATE = Path(__file__).with_name("history.html").read_text(encoding="utf-8")
_GONE = "This is no longer in your history. It was deleted or has expired."
_RUNNING = "This comparison is running. Wait for it, or press Stop first."
_TEAM_RUNNING = "This team’s headshots are being generated. Wait, or press Stop in the Team tab first."


class HistoryPart:
    """The tab. Call `build` inside it, then `wire` once all other parts are built."""

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, Backend],
        sessions: SessionRegistry,
        recorder: HistoryRecorder,
        comparisons: Comparisons,
        state: TabState,
        cache: Path,
    ) -> None:
        """Keep what the handlers need.

        Args:
            settings: of the server.
            registry: the backends by name.
            sessions: the open tabs.
            recorder: the history.
            comparisons: opens one on the first tab.
            state: lets the browser look at the first tab again.
            cache: where Gradio puts uploads.
        """
        self._settings = settings
        self._titles = {name: backend.title for name, backend in registry.items()}
        self._sessions = sessions
        self._recorder = recorder
        self._comparisons = comparisons
        self._tab_state = state
        self._archives = HistoryArchives(recorder, cache)
        self._serials = itertools.count(1)
        self._asked_at: WeakKeyDictionary[TabSession, float] = WeakKeyDictionary()

    def build(self) -> None:
        """Add the tab's components to the page."""
        # Gradio renders nothing in here: the script adds and removes entries by the patches that come as the value.
        self.list = gr.HTML(
            html_template=_template(self._titles),
            js_on_load=assets.call(
                "mountHistory",
                "{ element, trigger, watch, props, upload }",
                json.dumps({"archive": MAX_ARCHIVE_BYTES, "part": PART_BYTES}),
                json.dumps(_EVENTS),
            ),
            apply_default_css=False,
            elem_id="history",
        )
        self.state = gr.State(ListState())

    def wire(
        self, tab: gr.Tab, tabs: gr.Tabs, photo: PhotoPart, form: Form, team: TeamPart, *, home: str, teams: str
    ) -> None:
        """Connect the events.

        Args:
            tab: this one; the list is read when it is opened.
            tabs: all of them.
            photo: the photo on the first tab.
            form: the settings on the first tab.
            team: the Team tab.
            home: id of the first tab, which shows a comparison that is opened here.
            teams: id of the Team tab, which shows a team that is opened here.
        """
        self._tabs, self._home, self._photo, self._form = tabs, home, photo, form
        self._team, self._teams = team, teams
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        multiple: dict[str, Any] = {**quiet, "trigger_mode": "multiple"}
        state: set[Any] = {self.state}
        listed = [self.list, self.state]
        script: Any = self.list  # its events are named in the script, where Gradio finds them

        def editing(handler: Any) -> Any:
            return event_handler(handler, otherwise=self._edit_refused)

        def listing(handler: Any) -> Any:
            return event_handler(handler, otherwise=self._list_refused)

        tab.select(listing(self._on_tab_opened), state, listed, **quiet)
        # Gradio's "always_last" would send the first search once more, and never the last.
        script.find_entries(listing(self._search), state, listed, **multiple)
        script.load_more(listing(self._load_more), state, listed, **quiet)
        script.edit_entry(editing(self._edit), state, [self.list], **multiple)
        changed = self._tab_state.component
        script.delete_entry(editing(self._delete), state, [self.list, changed], **multiple)
        opened = script.open_entry(
            editing(self._open),
            {self.state, *team.inputs},
            [self.list, tabs, changed, *photo.shown, *team.outputs],
            **quiet,
        )
        reused = script.reuse_settings(
            editing(self._reuse_settings), state, [self.list, tabs, changed, *form.restorable], **quiet
        )
        opened.then(None, js=_scroll_to("#results"), api_visibility="private")
        reused.then(None, js=_scroll_to("#header"), api_visibility="private")
        script.export_all(editing(self._export), state, [self.list], **quiet)
        # trigger_mode="multiple": an earlier import may have sent its result and not quite ended.
        script.import_archive(editing(self._import), state, listed, **multiple)

    # Listing.

    async def _on_tab_opened(self, values: Updates, request: gr.Request) -> Updates:
        """The same list as before, as it is now and as far down."""
        return await self._list_from_top(values[self.state], self._session(request))

    async def _search(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """Search and filter. Requests older than the newest one seen are stale: `asked_at` is the client's time."""
        state = ListState(str(event.search), str(event.backend), event.favourites is True)
        session, asked_at = self._session(request), float(event.asked_at)
        if asked_at < self._asked_at.get(session, 0):
            return {self.list: gr.skip()}
        self._asked_at[session] = asked_at
        return await self._list_from_top(state, session)

    async def _load_more(self, values: Updates, request: gr.Request) -> Updates:
        state: ListState = values[self.state]
        return await self._list("more", state, self._session(request), PAGE)

    async def _list_from_top(self, state: ListState, session: TabSession, **more: object) -> Updates:
        return await self._list("all", state.from_top(), session, max(PAGE, state.count), **more)

    async def _list(self, mode: str, state: ListState, session: TabSession, limit: int, **fields: object) -> Updates:
        if not self._recorder.may_have_data:
            return {self.list: self._patch(mode, entries=[], more=False, line="", **fields), self.state: state}
        backends, settings = self._titles, self._settings

        def read(history: "History") -> "tuple[list[dict[str, Any]], ListState, bool, Usage]":
            found, more, now = history_queries.page_of(history, session.owner, state, limit)
            entries = [timeline.entry_card(runs, session, backends, settings=settings) for runs in found]
            return entries, now, more, history.usage(session.owner)

        entries, now, more, usage = await self._recorder.serialized(session.owner, read)
        line = timeline.usage_line(usage, settings)
        return {self.list: self._patch(mode, entries=entries, more=more, line=line, **fields), self.state: now}

    async def refresh(self, values: Updates, session: TabSession) -> Updates:
        """Return the list as it is now; nothing if the tab lists nothing.

        Args:
            values: of `state`.
            session: the tab's.
        """
        return await self._list_from_top(values[self.state], session) if values[self.state].count else {}

    # Editing.

    async def _edit(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """Save a name or a star, which the page shows already."""
        owner, what = self._session(request).owner, str(event.id)
        match event.action:
            case "rename":
                name = str(event.name)
                done = await self._recorder.serialized(
                    owner, lambda history: history_queries.rename(history, owner, what, name)
                )
            case "favourite":
                on = event.on is True
                done = await self._recorder.serialized(
                    owner, lambda history: history_queries.set_favourite(history, owner, what, on=on)
                )
            case _:
                done = False
        if not done:
            raise RequestError(_GONE)
        return {self.list: gr.skip()}

    async def _delete(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        session, what = self._session(request), str(event.id)
        entries = await self._recorder.run(lambda history: history_queries.with_team(history, session.owner, what))
        if not entries:
            raise RequestError(_GONE)
        ids, tabs = {entry.id for entry in entries}, self._sessions.tabs(session.owner)
        if any(tab.run is not None and tab.run.history_id in ids and tab.run.alive for tab in tabs):
            raise RequestError(_RUNNING)
        if any(tab.team.running and tab.team.group == entries[0].group for tab in tabs):
            raise RequestError(_TEAM_RUNNING)

        def delete(history: "History") -> "Usage":
            for each in ids:
                history.delete(session.owner, each)
            return history.usage(session.owner)

        usage = await self._recorder.serialized(session.owner, delete)
        line = timeline.usage_line(usage, self._settings)
        patch = self._patch("gone", key=entries[0].group or entries[0].id, line=line)
        for tab in tabs:
            run = tab.run
            tab.remove_deleted(entries)
            if run is not None and tab.run is None:
                own = "These headshots were deleted from your history."
                tab.notice = Status(own if tab is session else "Your headshots were deleted in another tab.", "done")
            tab.note_deletion(session)
        return {self.list: patch, **self._tab_state.now(session)}

    # Opening.

    async def _open(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        session, what = self._session(request), str(event.id)
        entry = await self._recorder.run(lambda history: history.comparison(session.owner, what))
        if entry is None:
            raise RequestError(_GONE)
        if entry.kind == "team" and event.whole is True:
            group = await self._recorder.run(lambda history: history_queries.with_team(history, session.owner, what))
            updates = await self._team.open_from_history(values, session, group or (entry,))
            return {**updates, self._tabs: gr.Tabs(selected=self._teams)}
        await self._comparisons.open_entry(session, entry)
        shown = {**self._tab_state.now(session), **self._photo.as_it_is(session)}
        return {**shown, self._tabs: gr.Tabs(selected=self._home)}

    async def _reuse_settings(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """Restore the settings of a comparison or of a headshot. A single headshot is pinned as baseline, too."""
        session, what = self._session(request), str(event.id)
        entry = await self._recorder.run(lambda history: history.comparison(session.owner, what))
        stored = (
            None
            if entry is not None
            else await self._recorder.run(lambda history: history.headshot(session.owner, what))
        )
        updates: Updates = {self._tabs: gr.Tabs(selected=self._home)}
        what_is_loaded = "Settings loaded"
        if entry is not None:
            repeated = self._form.repeated(entry.requests)
            updates |= self._form.restored(entry.requests[0], "all") if repeated is None else repeated
            if repeated is None:
                what_is_loaded = "Settings of the first headshot loaded"
            stored = entry.headshots[0] if len(entry.requests) == 1 and len(entry.headshots) == 1 else None
        elif stored is not None:
            updates |= self._form.restored(stored.request, "all")
        else:
            raise RequestError(_GONE)
        baseline = None if stored is None else load(session, stored, None)
        session.parent = "" if baseline is None else baseline.content_id
        if baseline is not None:
            session.set_baseline(baseline)
            updates |= self._tab_state.now(session)
        pinned = "" if stored is None else ", headshot pinned as baseline"
        photo = "" if session.photo is not None else " Choose a photo, then press Generate."
        note(f"{what_is_loaded}{pinned}.{photo}")
        return updates

    # Exporting and importing.

    async def _export(self, values: Updates, request: gr.Request) -> Updates:
        return {self.list: self._patch("message", exported=await self._archives.export(self._session(request)))}

    async def _import(self, values: Updates, request: gr.Request, event: gr.EventData) -> AsyncIterator[Updates]:
        session = self._session(request)
        async for item in self._archives.import_uploads(session, [str(path) for path in event.paths]):
            if isinstance(item, str):
                yield await self._list_from_top(values[self.state], session, message=item)
            else:
                done, total = item
                yield {self.list: self._patch("importing", done=done, total=total), self.state: gr.skip()}

    # Shared.

    def _session(self, request: gr.Request) -> TabSession:
        return self._sessions.get(request.session_hash, request.cookies)

    def _patch(self, mode: str, **fields: object) -> dict[str, Any]:
        """Return an instruction for the script.

        Args:
            mode: "all": list these entries only. "more": append these entries. "gone": remove one entry. "message",
                "importing": leave the list as it is. "stale": search again.
            **fields: as history.js reads them.
        """
        return {"serial": next(self._serials), "mode": mode, **fields}

    def _edit_refused(self, sentence: str, request: gr.Request) -> Updates:
        """List again: what the page shows may be out of date."""
        return {self.list: self._patch("stale", refused=sentence)}

    def _list_refused(self, sentence: str, request: gr.Request) -> Updates:
        """Do not list again: that would be refused again."""
        return {self.list: self._patch("message", refused=sentence)}


def _scroll_to(narrow: str) -> str:
    """JS that scrolls up, because the list may be scrolled far down. `narrow`: what a phone shows first."""
    # The tab is visible once the update is drawn, and not at all if the event was refused.
    return f"""() => setTimeout(() => {{
      const to = document.querySelector("#page").offsetParent ? "{narrow}" : "#team-results";
      if (document.querySelector("#history")?.offsetParent) return;
      document.querySelector(innerWidth < 1000 ? to : "#header").scrollIntoView();
    }}, 50)"""


def _template(backends: Mapping[str, str]) -> str:
    """The HTML around the list. Gradio compiles it as a template: it must never contain a visitor's text."""
    options = "".join(f'<option value="{escape(name)}">{escape(title)}</option>' for name, title in backends.items())
    return _TEMPLATE.replace("OPTIONS", options).replace("SEVERAL", "" if len(backends) > 1 else "hidden")
