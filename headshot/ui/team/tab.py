"""One look for a whole team: many photos in, a headshot of everybody out, and all of them as files."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import gradio as gr
from PIL import Image

from headshot.backend_names import AUTO
from headshot.backends import Backend
from headshot.comparison.labels import setting_labels
from headshot.durations import spoken_duration
from headshot.errors import HeadshotError, NotConfigured, PhotoError, RequestError, Stopped, Unavailable
from headshot.imaging import photo_check
from headshot.imaging.encoding import jpeg
from headshot.imaging.face import Face
from headshot.imaging.photo import MAX_FILE_BYTES, Photo
from headshot.progress import Step
from headshot.request import HeadshotRequest
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.execution import execute
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run
from headshot.runs.team import Person, Team, TeamLook, lossless
from headshot.sessions.session import SessionRegistry, TabSession
from headshot.settings import Settings
from headshot.ui.headshots import results
from headshot.ui.headshots.form import Form
from headshot.ui.headshots.photo import delete_upload, is_upload, open_upload
from headshot.ui.messages import Updates, event_handler, message_for, note, toast

from . import cards

if TYPE_CHECKING:
    from headshot.storage import HistoryEntry

_AT_ONCE = 2  # photos looked at at a time, whoever sends them: one of 40 megapixels takes 300 MB for a second
_MAX_BYTES = 2**29  # of one team's clean photos on the disk: 48 of 12 megapixels take it up, as noisy as photos come
_THUMBNAIL = (480, 600)  # twice the size of a card at four in a row, for sharp screens
_HEAD_SHARE = 0.42  # of the thumbnail's height that the face takes, as in most headshots
_THE_FORM = ""  # stands for the form as it is, where else a saved look's id stands
_NAMED = re.compile(r"[0-9a-f]{32}([~+])(.*)", re.DOTALL)  # what any_file.js makes of a file's name
_SCRIPT = Path(__file__).with_name("team.js").read_text(encoding="utf-8")
_BUTTONS = Path(__file__).parents[1].joinpath("retry_buttons.js").read_text(encoding="utf-8")
_GONE = "The photos of this team are gone: put in everybody’s photo again to make more."
_STAYS = "The headshots of the team before stay in your history."
_WAITING = "The Team tab holds photos that wait for their headshots: make these, or start a new team there first."
_RUNNING = "The team’s headshots are being made: let it end, or press Stop first."
_SHOW_RESULTS = """() => {
  if (innerWidth >= 1000) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelector("#team-results").scrollIntoView({behavior: calm ? "auto" : "smooth"});
}"""


class TeamPart:
    """The tab."""

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, Backend],
        sessions: SessionRegistry,
        queues: Mapping[str, BackendQueue],
        form: Form,
        recorder: HistoryRecorder,
        cache: Path,
    ) -> None:
        self._most = settings.max_matrix
        self._minutes = settings.keep_minutes
        self._api = settings.modelslab_api
        self._registry = registry
        self._sessions = sessions
        self._queues = queues
        self._form = form
        self._recorder = recorder
        self._cache = cache
        self._places = anyio.CapacityLimiter(_AT_ONCE)

    def build(self) -> None:
        bare: dict[str, Any] = {"apply_default_css": False}
        with gr.Row(elem_id="team-page", equal_height=False):
            with gr.Column(elem_id="team-form", min_width=0):
                gr.HTML(_introduction(self._most), js_on_load=_SCRIPT, **bare)
                self.files = gr.File(
                    file_count="multiple",
                    file_types=["image", ".heic", ".heif"],
                    label="Photos of the team",
                    show_label=False,
                    container=False,
                    height=150,
                    elem_id="team-files",
                )
                self.look = gr.Dropdown(
                    [("The form as it stands", _THE_FORM)],
                    value=_THE_FORM,
                    label="Look",
                    info="The same settings and the same seed for everybody.",
                    filterable=False,
                    elem_id="team-look",
                )
                self.words = gr.HTML(js_on_load=None, elem_id="team-words", **bare)
                with gr.Column(elem_id="team-go", min_width=0):
                    self.plan = gr.HTML(js_on_load=None, elem_id="team-plan", **bare)
                    with gr.Column(visible=False, elem_id="team-confirm", min_width=0) as self.confirm:
                        self.question = gr.HTML(js_on_load=None, elem_id="team-question", **bare)
                        with gr.Row():
                            self.yes = gr.Button("Make them", variant="primary", elem_id="team-yes", min_width=0)
                            self.no = gr.Button("Not now", elem_id="team-no", min_width=0)
                    with gr.Row(elem_id="team-actions"):
                        self.make = gr.Button("Make the team", variant="primary", elem_id="team-make")
                        self.stop = gr.Button("Stop", elem_id="team-stop")
            with gr.Column(elem_id="team-results", min_width=0):
                self.status = gr.HTML(_GREETING, js_on_load=None, elem_id="team-status", **bare)
                self.people = gr.HTML(cards.drawn(Team(), _nowhere), js_on_load=_BUTTONS, elem_id="team", **bare)
                self.notes = gr.HTML(js_on_load=None, elem_id="team-notes", **bare)
                self.over = gr.Button("Start a new team", size="sm", elem_id="team-over", visible=False)

    @property
    def asked(self) -> set[Any]:
        """What a look is read from."""
        return {self.look, *self._form.fields}

    @property
    def shown(self) -> list[Any]:
        """All that a team is shown in."""
        return [self.status, self.people, self.notes, self.over, self.words, self.plan, self.confirm, self.question]

    def wire(self, tab: gr.Tab) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        asked = self.asked
        shown = self.shown
        refused = {"otherwise": self._refused}
        tab.select(event_handler(self._opened), asked, [*shown, self.look], **quiet)
        self.look.input(event_handler(self._looked), asked, shown, trigger_mode="always_last", **quiet)
        # Gradio's preprocessing would refuse a whole batch for one file's type.
        self.files.upload(
            event_handler(self._put_in, otherwise=self._refused_photos),
            {self.files, *asked},
            [self.files, *shown],
            preprocess=False,
            **quiet,
        )
        pressed = self.make.click(event_handler(self._plan, **refused), asked, shown, **quiet)
        confirmed = self.yes.click(event_handler(self._plan_paid, **refused), asked, shown, **quiet)
        # Multiple: what follows on a refusal may still be under way when what follows on the next press must begin.
        running = [
            event.then(event_handler(self._run, **refused), asked, shown, trigger_mode="multiple", **quiet)
            for event in (pressed, confirmed)
        ]
        self.no.click(None, None, self.confirm, js="() => ({visible: false, __type__: 'update'})", **quiet)
        self.stop.click(event_handler(self._stop), asked, shown, **quiet)
        self.people.select(event_handler(self._act, **refused), asked, shown, trigger_mode="multiple", **quiet)
        self.over.click(event_handler(self._start_over), asked, shown, cancels=running, **quiet)
        for button in (self.make, self.yes):  # on a phone the results lie below
            button.click(None, js=_SHOW_RESULTS, api_visibility="private")

    # What is put in.

    async def _put_in(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        files = [(str(file["path"]), str(file.get("orig_name") or file["path"])) for file in values[self.files] or []]
        try:
            if not all(
                is_upload(path, self._cache) for path, _ in files
            ):  # a script could name any file of the server's
                raise PhotoError("The photos did not arrive: choose them again.")
            session = self._sessions.get(request.session_hash, request.cookies)
            async with aclosing(self._taken(values, session, files)) as updates:
                async for update in updates:
                    yield update
        finally:
            for path, _ in files:
                if is_upload(path, self._cache):
                    delete_upload(path)

    async def _taken(
        self, values: Updates, session: TabSession, files: Sequence[tuple[str, str]]
    ) -> AsyncGenerator[Updates]:
        if session.team.running:
            raise RequestError(_RUNNING)
        if session.team.found:
            session.team = Team()
            note(_STAYS)
        team = session.team
        async with team.checking:
            room = max(0, self._most - len(team.people))
            left_out = len(files) - room
            for number, (path, file_name) in enumerate(files[:room], start=1):
                text = f"Looking at photo {number} of {len(files[:room])}"
                yield {self.status: cards.running(number - 1, len(files[:room]), text, ""), **self._drawn(session)}
                with suppress(Stopped):  # the visitor left
                    person = await anyio.to_thread.run_sync(
                        self._look_at, session, path, file_name, limiter=self._places
                    )
                    if session.team is team:
                        team.add(person)
        yield {self.files: None, **await self.now(values, session)}
        if left_out > 0:
            people = "one person was" if left_out == 1 else f"{left_out} people were"
            raise RequestError(f"A team has at most {self._most} people here: {people} left out.")

    def _look_at(self, session: TabSession, path: str, file_name: str) -> Person:
        """Whoever is on the upload, which is deleted. Raises Stopped after the visitor left."""
        named = _NAMED.fullmatch(file_name)
        large, name = (named[1] == "+", named[2]) if named else (False, file_name)
        try:
            if large:
                raise PhotoError(f"The file is larger than {MAX_FILE_BYTES // 2**20} MB: export it smaller.")
            photo = open_upload(path)
        except PhotoError as error:
            return Person(name, refusal=str(error))
        finally:
            delete_upload(path)
        check = photo_check.check(photo.pixels)
        small = session.write("person.jpg", _thumbnail(photo, check.chosen))
        person = Person(
            name,
            sha256=photo.sha256,
            chosen_face=check.chosen,
            thumbnail=session.address(small.parent.name, small.name),
            thumbnail_path=small,
        )
        if check.chosen is None:
            person.refusal = " ".join(advice.text for advice in check.advice)
            return person
        if len(check.faces) > 1:
            person.face, person.crowd = (
                check.faces.index(check.chosen),
                f"The clearest of {len(check.faces)} faces is taken.",
            )
        person.remarks = [advice.text for advice in check.advice if advice.code != "several faces"]
        data = lossless(photo)
        person.size_bytes = len(data)
        if sum(each.size_bytes for each in session.team.people) + len(data) > _MAX_BYTES:
            person.refusal = "The team’s photos are too large together: put this one into a second team."
            return person
        person.photo = session.write("photo.png", data)
        return person

    async def _act(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """What a card's button asks for."""
        session = self._sessions.get(request.session_hash, request.cookies)
        team = session.team
        person = next((each for each in team.people if each.key == str(event.id)), None)
        if event.action != "remove" or person is None:
            return {self.status: gr.skip()}
        if team.running:
            raise RequestError(_RUNNING)
        if team.found:
            raise RequestError(_GONE)
        team.remove(person)
        _clear(session, [person])
        return await self.now(values, session)

    async def _start_over(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        former, session.team = session.team, Team()
        former.stop()
        session.delete_headshots(former.headshots)
        _clear(session, former.people)
        if former.headshots:
            note(_STAYS)
        return await self.now(values, session)

    async def opened(self, values: Updates, session: TabSession, group: "Sequence[HistoryEntry]") -> Updates:
        """The tab with a team of the history in place of the one in it, which may be the same.

        values: of `asked`.  Raises RequestError where something would be lost by that.
        """
        former = session.team
        if former.group != group[0].group:
            if former.running:
                raise RequestError(_RUNNING)
            if former.waiting or former.checking.locked():
                raise RequestError(_WAITING)
            session.team = Team.of(group, session.backends(self._registry), session)
            session.delete_headshots(former.headshots)
            _clear(session, former.people)
        return await self.now(values, session)

    # The look.

    async def _opened(self, values: Updates, request: gr.Request) -> Updates:
        """The tab is opened: the form may say something else by now, and looks may have come or gone."""
        session = self._sessions.get(request.session_hash, request.cookies)
        looks = await self._recorder.saved_settings(session.owner)
        choices = [("The form as it stands", _THE_FORM), *((look.name, look.id) for look in looks)]
        chosen = values[self.look] if values[self.look] in [value for _, value in choices] else _THE_FORM
        values = {**values, self.look: chosen}
        return {self.look: gr.Dropdown(choices, value=chosen), **await self._looked(values, request)}

    async def _looked(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        return await self.now(values, session)

    async def _locked(self, values: Updates, session: TabSession) -> TeamLook:
        """The look as it stands now. Raises RequestError where it cannot be read, and NotConfigured."""
        # Along the seeds, of whatever is varied on the first tab, for the settings are those of its fields then.
        along = {**values, self._form.varied: "seed"}
        request, name = self._form.requests(along)[0], ""
        wanted = values[self.look]
        if wanted != _THE_FORM:
            look = next(
                (each for each in await self._recorder.saved_settings(session.owner) if each.id == wanted), None
            )
            if look is None:
                raise RequestError("This look is no longer there: choose another one.")
            known = {key: value for key, value in look.settings.items() if key in HeadshotRequest.model_fields}
            request, name = HeadshotRequest(**{**known, "seed": request.seed}), look.name
            along[self._form.backend] = look.settings.get("backend") or AUTO
        chain = self._form.chain(along, session)
        return TeamLook(request, chain, setting_labels(request, chain[0].title, name))

    # The run.

    async def _plan(self, values: Updates, request: gr.Request) -> Updates:
        return await self._pressed(values, request, meant=False)

    async def _plan_paid(self, values: Updates, request: gr.Request) -> Updates:
        """Once it was said that so many are meant to be paid for."""
        return await self._pressed(values, request, meant=True)

    async def _pressed(self, values: Updates, request: gr.Request, *, meant: bool) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        team = session.team
        async with team.checking:
            if team.running:
                toast(_RUNNING)
                return {self.status: gr.skip()}
            if team.found:
                raise PhotoError(_GONE)
            locked = await self._locked(values, session)
            missing = team.missing(locked)
            if not team.people:
                raise PhotoError("Put in the photos of your team first.")
            if not team.usable:
                raise PhotoError("None of these photos can be used: the cards say why.")
            if not missing:
                raise RequestError("Everybody has a headshot in this look: choose another look, or add photos.")
            if not meant and any(backend.survives_disconnect for backend in locked.backends):
                return {self.status: gr.skip(), **self._asked(team, locked, missing)}
            session.delete_headshots(team.begin(locked))
        return {
            self.words: cards.line(locked.words),
            self.status: cards.running(0, len(team.usable), "Starting…", ""),
            **self._drawn(session),
            self.confirm: gr.Column(visible=False),
        }

    def _asked(self, team: Team, locked: TeamLook, missing: Sequence[Person]) -> Updates:
        """Ask whether so many are meant to be paid for."""
        paid = next(backend for backend in locked.backends if backend.survives_disconnect)
        noun = "headshot" if len(missing) == 1 else "headshots"
        text = f"<p><b>{len(missing)} paid {noun} by {escape(paid.title)}.</b> Make all of these?"
        doubtful = sum(_may_be_billed(person) for person in missing)
        if doubtful and locked.same_as(team.look):
            one = "One of them was" if doubtful == 1 else f"{doubtful} of them were"
            text += f" {one} sent before without an answer, and may be charged twice."
        return {self.confirm: gr.Column(visible=True), self.question: f"{text}</p>"}

    async def _run(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        session = self._sessions.get(request.session_hash, request.cookies)
        team = session.team
        async with team.making:
            if not team.run_requested or team.look is None:  # the form was refused, or Stop was quicker
                return
            team.run_requested = False
            turn = team.run_version
            try:
                async with aclosing(self._everybody(session, team, team.look)) as updates:
                    async for update in updates:
                        yield update
            finally:
                if team.run_version == turn:
                    team.running, team.current = False, None
        if not team.running:  # as the next one may be, which was waiting for this one's end
            yield await self.now(values, session)

    async def _everybody(self, session: TabSession, team: Team, locked: TeamLook) -> AsyncGenerator[Updates]:
        """One after the other, so that one photo at a time is in memory."""
        turn = team.run_version
        for person in team.missing(locked):
            if team.run_version != turn:
                return
            team.current = person
            try:
                async with aclosing(self._one(session, team, locked, person)) as updates:
                    async for update in updates:
                        yield update
            except Stopped:
                return
            except (NotConfigured, Unavailable) as error:  # the next one's would be answered alike
                person.failure = str(error)
                raise
            except Exception as error:  # noqa: BLE001  logged in sentence(), where it is a bug
                person.failure = message_for(error)

    async def _one(self, session: TabSession, team: Team, locked: TeamLook, person: Person) -> AsyncGenerator[Updates]:
        at = team.usable.index(person) + 1
        text, stage = f"{at} of {len(team.usable)}: {person.name}", ""

        def now() -> Updates:
            status = cards.running(len(team.headshots), len(team.usable), text, stage)
            return {self.status: status, **self._drawn(session)}

        yield now()
        turn = team.run_version
        photo = await anyio.to_thread.run_sync(person.opened, limiter=self._places)
        run = person.run
        if run is None:
            run = person.run = Run(
                [locked.request],
                photo,
                person.chosen_face,
                person.face,
                locked.backends,
                owner=session.owner,
                kind="team",
                group=team.group,
                name=person.name,
            )
        else:
            run.reopen()
            run.photo, run.backends = photo, locked.backends
        if team.run_version != turn:  # stopped while the photo was read
            run.stop()
        try:
            async with aclosing(execute(run, photo, self._queues, session, self._recorder)) as news:
                async for item in news:
                    if isinstance(item, Step):
                        stage = item.stage
                    if team.run_version == turn:
                        yield now()
        finally:
            team.history_error = team.history_error or run.history_error
            if session.photo is None or session.photo.sha256 != photo.sha256:
                for backend in locked.backends:
                    backend.drop_cache(photo)
            await anyio.to_thread.run_sync(self._recorder.end, run)

    async def _stop(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        session.team.stop()
        return await self.now(values, session)

    # What is shown.

    def _drawn(self, session: TabSession) -> Updates:
        team = session.team
        return {
            self.people: cards.drawn(team, session.address, api=self._api),
            self.notes: results.notes(team),
            self.over: gr.Button(visible=bool(team.people) and not team.running),
        }

    def _standing(self, session: TabSession) -> str:
        """How the team stands, while nothing is made."""
        team = session.team
        done, total = len(team.headshots), len(team.usable)
        if not team.people:
            return _GREETING
        if not team.group:
            return results.status(f"{_counted(total, 'photo')} ready{_unusable(team)}.")
        if team.found:
            kind = "done" if done == total else "stopped"
            return results.status(f"From your history: {done} of {_counted(total, 'headshot')}", kind=kind)
        if done == total:
            return results.status(f"{_counted(done, 'headshot')}{_unusable(team)}", kind="done")
        if team.stopped:
            return results.status(f"Stopped: {done} of {total}", kind="stopped")
        return results.status(f"{done} of {_counted(total, 'headshot')}: the cards say why.", kind="stopped")

    async def now(self, values: Updates, session: TabSession) -> Updates:
        """The whole tab as things stand, the look as it is now, and what the button would do. values: of `asked`."""
        team, updates = session.team, self._drawn(session)
        if team.running and team.look is not None:
            return {self.status: gr.skip(), self.words: cards.line(team.look.words), **updates}
        updates |= {self.status: self._standing(session), self.confirm: gr.Column(visible=False)}
        if team.found and team.look is not None:
            return {
                **updates,
                self.words: cards.line(team.look.words),
                self.plan: f'<p class="plan">{_GONE}</p>',
            }
        try:
            locked = await self._locked(values, session)
        except HeadshotError as error:
            return {**updates, self.words: f'<p class="plan wrong">{escape(str(error))}</p>', self.plan: ""}
        return {**updates, self.words: cards.line(locked.words), self.plan: _planned(team, locked)}

    def _refused(self, words: str, request: gr.Request) -> Updates:
        """The sentence above the people; whatever had landed stays."""
        session = self._sessions.get(request.session_hash, request.cookies)
        if session.team.running:  # something else was refused beside it
            return {self.status: gr.skip()}
        return {self.status: results.status(words, kind="error"), **self._drawn(session)}

    def _refused_photos(self, words: str, request: gr.Request) -> Updates:
        return {self.files: None, **self._refused(words, request)}


def _unusable(team: Team) -> str:
    number = len(team.people) - len(team.usable)
    return f", {_counted(number, 'photo')} cannot be used: the {'card says' if number == 1 else 'cards say'} why" * (
        number > 0
    )


def _planned(team: Team, locked: TeamLook) -> str:
    """What the button would do, and about how long that takes."""
    missing = team.missing(locked)
    if not team.usable:
        return ""
    if not missing:
        return '<p class="plan">Everybody has a headshot in this look.</p>'
    backend = locked.backends[0]
    seconds = backend.estimate(None, [locked.request])
    about = "" if seconds is None else f", about {spoken_duration(len(missing) * seconds)}"
    what = f"paid headshot by {backend.title}" if backend.survives_disconnect else "headshot"
    noun = what if len(missing) == 1 else what.replace("headshot", "headshots")
    rest = "" if len(missing) == len(team.usable) else ": the others are there in this look"
    return f'<p class="plan">{len(missing)} {noun}{about}{rest}</p>'


def _may_be_billed(person: Person) -> bool:
    standings = () if person.run is None else person.run.statuses.values()
    return any(at.kind in ("unknown", "under way") for at in standings)


def _clear(session: TabSession, people: Sequence[Person]) -> None:
    """Delete their photos."""
    for person in people:
        session.delete_slot(person.photo)
        session.delete_slot(person.thumbnail_path)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _nowhere(corner: str, name: str) -> str:
    raise ValueError("nobody is there whose files these could be")


def _thumbnail(photo: Photo, chosen: Face | None) -> bytes:
    """A small JPEG around the face in a headshot's shape, of the whole photo's middle where there is none."""
    image = Image.fromarray(photo.pixels)  # not `photo.image`, which would stay in memory with the photo
    width, height = _THUMBNAIL
    shape = width / height
    tall = min(image.height, image.width / shape)
    x, y = image.width / 2, image.height / 2
    if chosen is not None:
        left, top, across, down = (float(value) for value in chosen.box)
        tall = min(tall, down / _HEAD_SHARE)
        x, y = left + across / 2, top + down * 0.55
    x = min(max(x, tall * shape / 2), image.width - tall * shape / 2)
    y = min(max(y, tall / 2), image.height - tall / 2)
    box = (x - tall * shape / 2, y - tall / 2, x + tall * shape / 2, y + tall / 2)
    return jpeg(image.resize(_THUMBNAIL, Image.Resampling.LANCZOS, box=box), 85)


_GREETING = results.status("Put in everybody’s photo, then press Make the team.")


def _introduction(most: int) -> str:
    return (
        '<div class="intro"><h2>One look for a whole team</h2><p>A photo of each person in, one consistent set of '
        f"headshots out: the same crop, light and backdrop for everybody. Up to {most} people, "
        f"{MAX_FILE_BYTES // 2**20} MB each.</p></div>"
    )
