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
from headshot.runs.files import found_again
from headshot.runs.history_recorder import Keeper
from headshot.sessions.session import Visitor, Visitors
from headshot.settings import Settings
from headshot.ui.headshots import results
from headshot.ui.headshots.form import Form
from headshot.ui.headshots.photo import delete_upload, is_upload
from headshot.ui.headshots.shoot import ShootPart
from headshot.ui.messages import Updates, note, spoken
from headshot.ui.team.tab import TeamPart

from . import timeline

if TYPE_CHECKING:
    from headshot.storage import Comparison, History, Usage

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
class Shown:
    """What a tab shows: what it looks for, and how far down. before: the last one that stands there.

    count: of comparisons.  groups: the teams that stand there; what else of them comes later stands there already.
    """

    search: str = ""
    backend: str = ""
    favourites: bool = False
    before: "Comparison | None" = None
    count: int = 0
    groups: frozenset[str] = frozenset()


class HistoryPart:
    """The tab. cache: where Gradio puts uploads."""

    def __init__(
        self, settings: Settings, registry: Mapping[str, Backend], visitors: Visitors, keeper: Keeper, cache: Path
    ) -> None:
        self._settings = settings
        self._titles = {name: backend.title for name, backend in registry.items()}
        self._visitors = visitors
        self._keeper = keeper
        self._cache = cache
        self._serials = itertools.count(1)
        self._parcels: WeakKeyDictionary[Visitor, Path] = WeakKeyDictionary()
        self._asked_at: WeakKeyDictionary[Visitor, float] = WeakKeyDictionary()
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
        self.shown = gr.State(Shown())

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
            return spoken(handler, otherwise=self._refused)

        def listing(handler: Any) -> Any:
            return spoken(handler, otherwise=self._not_listed)

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
        return await self._first(values[self.shown], self._visitor(request))

    async def _seek(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """asked_at: by the page's clock. What was overtaken on its way is no longer what the page asks for."""
        shown = Shown(str(event.search), str(event.backend), event.favourites is True)
        visitor, asked_at = self._visitor(request), float(event.asked_at)
        if asked_at < self._asked_at.get(visitor, 0):
            return {self.list: gr.skip()}
        self._asked_at[visitor] = asked_at
        return await self._first(shown, visitor)

    async def _further(self, values: Updates, request: gr.Request) -> Updates:
        shown: Shown = values[self.shown]
        return await self._listed("more", shown, self._visitor(request), PAGE)

    async def _first(self, shown: Shown, visitor: Visitor, **news: object) -> Updates:
        afresh = replace(shown, before=None, count=0, groups=frozenset())
        return await self._listed("all", afresh, visitor, max(PAGE, shown.count), **news)

    async def _listed(self, mode: str, shown: Shown, visitor: Visitor, limit: int, **news: object) -> Updates:
        if not self._keeper.has_entries:
            return {self.list: self._news(mode, entries=[], more=False, line="", **news), self.shown: shown}
        backends, hours, api = self._titles, self._settings.history_hours, self._settings.modelslab_api

        def read(history: "History") -> "tuple[list[dict[str, Any]], Shown, bool, Usage]":
            found, more, now = page_of(history, visitor.owner, shown, limit)
            told = [timeline.entry(runs, visitor, backends, hours=hours, api=api) for runs in found]
            return told, now, more, history.usage(visitor.owner)

        entries, now, more, usage = await self._keeper.in_turn(visitor.owner, read)
        line = timeline.line(usage, hours)
        return {self.list: self._news(mode, entries=entries, more=more, line=line, **news), self.shown: now}

    async def renewed(self, values: Updates, visitor: Visitor) -> Updates:
        """What the tab shows as it is now. values: with `shown`."""
        return await self._first(values[self.shown], visitor) if values[self.shown].count else {}

    # What changes.

    async def _amend(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """A name or a star, which the page shows already."""
        owner, what = self._visitor(request).owner, str(event.id)
        match event.action:
            case "rename":
                name = str(event.name)
                done = await self._keeper.in_turn(owner, lambda history: _rename(history, owner, what, name))
            case "favourite":
                on = event.on is True
                done = await self._keeper.in_turn(owner, lambda history: _favour(history, owner, what, on=on))
            case _:
                done = False
        if not done:
            raise RequestError(_GONE)
        return {self.list: gr.skip()}

    async def _discard(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        visitor, what = self._visitor(request), str(event.id)
        runs = await self._keeper.do(lambda history: _together(history, visitor.owner, what))
        if not runs:
            raise RequestError(_GONE)
        ids, tabs = {run.id for run in runs}, self._visitors.tabs(visitor.owner)
        if any(tab.job is not None and tab.job.kept in ids and tab.job.alive for tab in tabs):
            raise RequestError(_RUNNING)
        if any(tab.team.running and tab.team.group == runs[0].group for tab in tabs):
            raise RequestError(_TEAM_RUNNING)

        def delete(history: "History") -> "Usage":
            for one in ids:
                history.delete(visitor.owner, one)
            return history.usage(visitor.owner)

        usage = await self._keeper.in_turn(visitor.owner, delete)
        line = timeline.line(usage, self._settings.history_hours)
        gone = self._news("gone", key=runs[0].group or runs[0].id, line=line)
        job, baseline = visitor.job, visitor.baseline
        for tab in tabs:
            _take_off(tab, runs)
        if visitor.job is job:
            return {self.list: gone, **({} if visitor.baseline is baseline else self._results(visitor))}
        return {
            self.list: gone,
            self._shoot.status: results.status("These headshots were deleted from your history.", kind="done"),
            self._shoot.notes: "",
            **self._results(visitor),
        }

    # What goes on from here.

    async def _open(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        visitor, what = self._visitor(request), str(event.id)
        run = await self._keeper.do(lambda history: history.comparison(visitor.owner, what))
        if run is None:
            raise RequestError(_GONE)
        if run.kind == "team" and event.whole is True:
            group = await self._keeper.do(lambda history: _together(history, visitor.owner, what))
            shown = await self._team.opened(values, visitor, group or (run,))
            return {**shown, self._tabs: gr.Tabs(selected=self._teams)}
        return {**await self._shoot.opened(visitor, run), self._tabs: gr.Tabs(selected=self._home)}

    async def _carry_on(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """A comparison's settings, or a headshot's, in the form. A single headshot is the baseline, too."""
        visitor, what = self._visitor(request), str(event.id)
        run = await self._keeper.do(lambda history: history.comparison(visitor.owner, what))
        kept = None if run is not None else await self._keeper.do(lambda history: history.shot(visitor.owner, what))
        updates: Updates = {self._tabs: gr.Tabs(selected=self._home)}
        whose = "Its settings"
        if run is not None:
            again = self._form.repeated(run.requests)
            updates |= self._form.restored(run.requests[0], "all") if again is None else again
            whose = "The settings of its first headshot" if again is None else whose
            kept = run.shots[0] if len(run.requests) == 1 and len(run.shots) == 1 else None
        elif kept is not None:
            updates |= self._form.restored(kept.request, "all")
        else:
            raise RequestError(_GONE)
        baseline = None if kept is None else found_again(visitor, kept, None)
        visitor.parent = "" if baseline is None else baseline.mark
        if baseline is not None:
            visitor.set_baseline(baseline)
            updates |= self._results(visitor)
        beside = "" if kept is None else ", and the headshot is the baseline"
        photo = "" if visitor.photo is not None else " Choose a photo, then press Generate."
        note(f"{whose} are in the form{beside}.{photo}")
        return updates

    def _results(self, visitor: Visitor) -> Updates:
        shots = results.shots(
            visitor.job,
            visitor.baseline,
            visitor.address,
            earlier=visitor.earlier,
            api=self._settings.modelslab_api,
        )
        return {self._shoot.shots: shots}

    # What goes elsewhere, and comes from there.

    async def _pack(self, values: Updates, request: gr.Request) -> Updates:
        """Everything as one file among the visitor's own, to be fetched at once."""
        visitor = self._visitor(request)
        visitor.clear(self._parcels.pop(visitor, None))
        if not self._keeper.has_entries:
            raise RequestError("There is nothing to export yet.")
        path = visitor.write(f"headshot-history-{datetime.now(UTC):%Y-%m-%d}.zip", b"")
        self._parcels[visitor] = path
        async with self._places:
            await self._keeper.do(lambda history: _packed(history, visitor.owner, path))
        return {
            self.list: self._news(
                "said",
                parcel={
                    "href": visitor.address(path.parent.name, path.name),
                    "name": path.name,
                    "size": timeline.size(path.stat().st_size),
                },
            )
        }

    async def _unpack(self, values: Updates, request: gr.Request, event: gr.EventData) -> AsyncIterator[Updates]:
        """An archive that came as uploads, one for each piece. It is taken in whole, whether its page stays or not."""
        visitor, paths = self._visitor(request), [str(path) for path in event.paths]
        if not paths or not all(is_upload(path, self._cache) for path in paths):
            raise RequestError("The archive did not arrive: choose it again.")
        at = [0, 0]  # how many headshots of how many, written by the thread that takes them in

        def tell(done: int, total: int) -> None:
            at[:] = done, total

        taking = asyncio.create_task(self._taken_in(visitor.owner, paths, tell))
        self._takings.add(taking)
        taking.add_done_callback(self._takings.discard)
        while not taking.done():
            yield {self.list: self._news("taking", done=at[0], total=at[1]), self.shown: gr.skip()}
            await asyncio.wait({taking}, timeout=_TOLD_SECONDS)
        yield await self._first(values[self.shown], visitor, said=taking.result())

    async def _taken_in(self, owner: str, paths: Sequence[str], tell: Callable[[int, int], None]) -> str:
        try:
            async with self._places:
                return await self._keeper.do(lambda history: _unpacked(history, owner, paths, tell))
        finally:
            for path in paths:
                delete_upload(path)

    # Inside.

    def _visitor(self, request: gr.Request) -> Visitor:
        return self._visitors.of(request.session_hash, request.cookies)

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
    history: "History", owner: str, shown: Shown, limit: int
) -> "tuple[list[tuple[Comparison, ...]], bool, Shown]":
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
    entries: list[tuple[Comparison, ...]] = []
    for run in here:
        if not run.group:
            entries.append((run,))
        elif run.group not in groups:
            groups.add(run.group)
            entries.append(history.group(owner, run.group) or (run,))
    last = here[-1] if here else shown.before
    return entries, more, replace(shown, before=last, count=shown.count + len(here), groups=frozenset(groups))


def _together(history: "History", owner: str, name: str) -> "tuple[Comparison, ...]":
    """A comparison, and those of its team."""
    run = history.comparison(owner, name)
    return () if run is None else history.group(owner, run.group) or (run,)


def _take_off(tab: Visitor, runs: "Sequence[Comparison]") -> None:
    """Nothing of what was deleted stays on a page. The Team tab is drawn anew when it is opened."""
    job, baseline = tab.job, tab.baseline
    if tab.team.group and tab.team.group == runs[0].group:
        tab.clear_shots(tab.team.unmake())
    if baseline is not None and baseline.kept in {shot.id for run in runs for shot in run.shots}:
        tab.set_baseline(None)
    if job is not None and job.kept in {run.id for run in runs}:
        tab.job = None
        tab.clear_shots(job.shots)


def _rename(history: "History", owner: str, name: str, to: str) -> bool:
    """A comparison, or all of its team."""
    run = history.comparison(owner, name)
    if run is not None and run.group:
        return history.rename_group(owner, run.group, to)
    return history.rename(owner, name, to)


def _favour(history: "History", owner: str, name: str, *, on: bool) -> bool:
    """A headshot, or a comparison with all of its team."""
    runs = _together(history, owner, name)
    done = [history.favourite(owner, one, on) for one in ([run.id for run in runs] or [name])]  # each, whatever comes
    return all(done)


def _packed(history: "History", owner: str, path: Path) -> None:
    from headshot.storage.transfer import export  # loads SQLAlchemy, for which no page's start should wait

    try:
        with path.open("wb") as out:
            export(history, owner, out)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RequestError("The archive could not be written: try again, or delete some of your history.") from error


def _unpacked(history: "History", owner: str, paths: Sequence[str], tell: Callable[[int, int], None]) -> str:
    """Take in what came in these pieces. Says what that was."""
    from headshot.storage.transfer import import_

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
        came = import_(history, owner, whole, tell)
    return timeline.came(came.comparisons, came.shots, came.skipped, came.looks)


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
