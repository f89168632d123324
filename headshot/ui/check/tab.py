"""Check a file: drop any picture, see what made it, and take that over into the form."""

import base64
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import gradio as gr
from PIL import Image

from headshot.backend_names import LOCAL, MODELSLAB, STUDIO
from headshot.durations import spoken_duration
from headshot.errors import PhotoError, RequestError
from headshot.imaging.encoding import jpeg
from headshot.imaging.photo import MAX_FILE_BYTES, Photo
from headshot.metadata import Found, differences, read
from headshot.request import HeadshotRequest
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.session import SessionRegistry, TabSession
from headshot.ui.headshots.form import Form, Restored
from headshot.ui.headshots.photo import delete_upload, is_upload
from headshot.ui.history import timeline
from headshot.ui.messages import Updates, event_handler, note

if TYPE_CHECKING:
    from headshot.storage import History, HistoryEntry, StoredHeadshot

_AT_ONCE = 2  # pictures read at a time, whoever sends them: one of 40 megapixels takes 300 MB for a second
_SHOWN_PX = 640  # twice the width it is shown at, for sharp screens
_LONG_CHARS = 600  # of a prompt; what is longer is folded
_MARK_CHARS = 8  # in a history of 5,000 two begin alike in one of 300

_RESTORES: tuple[tuple[Restored, str, str], ...] = (
    ("all", "Restore all", "The prompts, the settings and the seed are in the form."),
    (
        "all but the seed",
        "All but the seed",
        "The prompts and the settings are in the form; your seeds are as they were.",
    ),
    ("the seed", "The seed alone", "The seed is in the form; everything else is as it was."),
)


class CheckPart:
    """The tab. chain: gives the PEM certificates by which this server knows its own pictures; the keeper's without."""

    def __init__(
        self,
        sessions: SessionRegistry,
        recorder: HistoryRecorder,
        cache: Path,
        *,
        chain: Callable[[], str] | None = None,
    ) -> None:
        self._sessions = sessions
        self._recorder = recorder
        self._cache = cache
        self._chain = chain or recorder.signer.chain
        self._places = anyio.CapacityLimiter(_AT_ONCE)

    def build(self) -> None:
        with gr.Row(elem_id="check-page", equal_height=False):
            with gr.Column(elem_id="check-drop", min_width=0):
                gr.HTML(_INTRODUCTION, apply_default_css=False, js_on_load=None)
                self.file = gr.Image(
                    type="filepath",
                    sources=["upload"],
                    label="Picture to check",
                    show_label=False,
                    container=False,
                    buttons=[],
                    height=184,
                    placeholder="Drop a picture\nor click to choose",
                    elem_id="check-file",
                    alt_text="Picture to check",
                )
                self.picture = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="checked-picture")
            with gr.Column(elem_id="check-found", min_width=0):
                self.report = gr.HTML(_NOTHING_YET, apply_default_css=False, js_on_load=None, elem_id="report")
                self.against = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="against")
                with gr.Row(elem_id="restore", visible=False) as self.buttons:
                    self._restores = {
                        what: gr.Button(
                            label,
                            variant="primary" if what == "all" else "secondary",
                            elem_id=f"restore-{what.replace(' ', '-')}",
                            min_width=0,
                        )
                        for what, label, _ in _RESTORES
                    }
        self.found = gr.State(None)

    def wire(self, form: Form, *, tab: gr.Tab | None = None, tabs: gr.Tabs | None = None, home: str = "") -> None:
        """tab: this one, for the comparison with the form is drawn anew when it is opened.

        tabs, home: where a restored form is shown, and the id of its tab.
        """
        self._form, self._tabs, self._home = form, tabs, home
        quickly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        latest: dict[str, Any] = {**quickly, "trigger_mode": "always_last"}
        compared = [self.against, self.buttons, *self._restores.values()]
        look = (event_handler(self._compare), {self.found, *form.fields}, compared)
        # Gradio's preprocessing would open the file with every decoder that Pillow has.
        shown = [self.file, self.picture, self.report, self.found]
        self.file.input(
            event_handler(self._drop, otherwise=self._refused),
            {self.file},
            shown,
            preprocess=False,
            **latest,
        ).then(*look, **latest)
        if tab is not None:
            tab.select(event_handler(self._compare_again), {self.found, *form.fields}, compared, **latest)
        filled = [*form.fillable, *([tabs] if tabs is not None else [])]
        for what, _, said in _RESTORES:
            self._restores[what].click(
                event_handler(self._restoring(what, said)), {self.found, *form.fields}, filled, **quickly
            ).then(*look, **latest)

    async def _drop(self, values: Updates, request: gr.Request) -> Updates:
        if values[self.file] is None:  # Gradio reports its emptying, which we caused, as an input too
            return {self.file: gr.skip()}
        path = str(values[self.file]["path"])
        if not is_upload(path, self._cache):  # a script could name any file of the server's
            raise PhotoError("The picture did not arrive: drop it again.")
        try:
            found, picture = await anyio.to_thread.run_sync(self._read, Path(path), limiter=self._places)
        finally:
            delete_upload(path)
        session = self._sessions.get(request.session_hash, request.cookies)
        return {
            self.file: None,
            self.picture: picture,
            self.report: _report(found, await self._which(found.parent, session)),
            self.found: found,
        }

    async def _which(self, mark: str, session: TabSession) -> str:
        """Which picture of the visitor's has that mark, as the end of a sentence; "" where none has."""
        shot = session.by_content_id(mark)
        if shot is not None:
            return f", which is on the page: seed {shot.request.seed}"
        if not mark or not self._recorder.may_have_data:
            return ""

        def find(history: "History") -> "tuple[StoredHeadshot, HistoryEntry] | None":
            kept = history.by_content_id(session.owner, mark)
            run = None if kept is None else history.comparison(session.owner, kept.comparison)
            return None if kept is None or run is None else (kept, run)

        found = await self._recorder.run(find)
        if found is None:
            return ""
        kept, run = found
        ago = spoken_duration((datetime.now(UTC) - kept.made).total_seconds())
        seed = kept.request.seed
        return f", which is in your history: seed {seed} of “{timeline.title(run)}”, made {ago} ago"

    def _read(self, path: Path) -> tuple[Found, str]:
        if not path.is_file():
            raise PhotoError("The picture did not arrive whole: drop it again.")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        return read(data, chain=self._chain()), _picture(data)

    def _refused(self, sentence: str, request: gr.Request) -> Updates:
        """The sentence in place of whatever was found in the file before."""
        return {
            self.file: None,
            self.picture: "",
            self.report: f'<div class="checked" role="status"><p class="refused">{escape(sentence)}</p></div>',
            self.found: None,
        }

    async def _compare_again(self, values: Updates, request: gr.Request) -> Updates:
        """The form may have changed meanwhile. Where nothing was found, a file may have been dropped meanwhile."""
        return {self.against: gr.skip()} if values[self.found] is None else await self._compare(values, request)

    async def _compare(self, values: Updates, request: gr.Request) -> Updates:
        found: Found | None = values[self.found]
        if found is None or found.request is None:
            return {self.against: "", self.buttons: gr.Row(visible=False)}
        mine, problem = self._mine(values)
        theirs = found.over(mine[0])
        session = self._sessions.get(request.session_hash, request.cookies)
        beside = bool(found.told - {"seed"})
        can: dict[Restored, bool] = {"all": True, "all but the seed": beside, "the seed": found.seed is not None}
        return {
            self.against: _against(differences(mine, theirs, among=found.told), problem, _photo(found, session)),
            self.buttons: gr.Row(visible=True),
            **{self._restores[what]: gr.Button(interactive=can[what]) for what in can},
        }

    def _restoring(self, what: Restored, said: str) -> Callable[..., Any]:
        async def restore(values: Updates, request: gr.Request) -> Updates:
            found: Found | None = values[self.found]
            if found is None or found.request is None:
                raise RequestError("There is nothing to restore: drop a picture first.")
            mine, _ = self._mine(values)
            updates = self._form.restored(found.over(mine[0]), what)
            if self._tabs is not None:
                updates[self._tabs] = gr.Tabs(selected=self._home)
            session = self._sessions.get(request.session_hash, request.cookies)
            session.parent = found.content_id
            note(" ".join(filter(None, (said, _photo(found, session)[1]))))
            return updates

        return restore

    def _mine(self, values: Updates) -> tuple[Sequence[HeadshotRequest], str]:
        """What the form asks for; where it cannot be read, what it began with, and the sentence that says why."""
        try:
            return self._form.requests(values), ""
        except RequestError as error:
            return [HeadshotRequest()], str(error)


_INTRODUCTION = (
    '<div class="intro"><h2>Check a file</h2><p>Drop a headshot from here, or a picture from A1111, Fooocus, InvokeAI '
    "or ComfyUI: see what made it, and take its settings over. The file is deleted as soon as it is read.</p></div>"
)
_NOTHING_YET = (
    '<div class="checked empty"><p>What a picture tells of itself appears here: its prompts, its settings, its seed, '
    "and whether it is still as it was signed.</p></div>"
)


def _picture(data: bytes) -> str:
    """The dropped picture, small and without all that it tells; a sentence where its pixels cannot be read."""
    try:
        image = Image.fromarray(Photo.from_bytes(data).pixels)
    except PhotoError as error:
        return f'<p class="unseen">It cannot be shown. {escape(str(error))}</p>'
    image.thumbnail((_SHOWN_PX, _SHOWN_PX), Image.Resampling.LANCZOS)
    address = f"data:image/jpeg;base64,{base64.b64encode(jpeg(image, 85)).decode()}"
    return f'<img src="{address}" width="{image.width}" height="{image.height}" alt="The picture you dropped">'


# In words that stay true where the file comes from a server with other backends.
_BACKENDS = {STUDIO: "the studio", LOCAL: "the local pipeline", MODELSLAB: "ModelsLab"}
_SEALS = {"ours": "good", "changed": "bad", "broken": "bad", "stranger": "warn", "none": "quiet"}


def _report(found: Found, which: str) -> str:
    """which: whose mark the parent's is, as the end of a sentence."""
    maker = found.maker or ("Nothing tells what made it" if found.request is None else "An unknown program")
    made = [found.source, found.backend and f"made by {_BACKENDS.get(found.backend, found.backend)}", found.model]
    asked, given = found.request, found.told
    after = f"Made after the picture with the mark {_short(found.parent)}{which}." if found.parent else ""
    parts = [
        f"<header><h2>{escape(maker)}</h2>{_line(made)}</header>",
        f'<p class="seal {_SEALS[found.credentials.state]}">{escape(found.credentials.sentence)}</p>',
        *(f'<p class="remark">{escape(remark)}</p>' for remark in found.remarks),
        f'<p class="after">{escape(after)}</p>' if after else "",
    ]
    if asked is not None:
        parts += [_prompt("Prompt", asked.prompt)] if "prompt" in given else []
        parts += [_prompt("Negative prompt", asked.negative_prompt)] if "negative_prompt" in given else []
    parts.append(_facts(_main(found)))
    if found.notes:
        notes = "".join(
            f'<li><span class="kind">{escape(each.kind.capitalize())}</span> {escape(each.text)}</li>'
            for each in found.notes
        )
        parts.append(f"<details><summary>Notes ({len(found.notes)})</summary><ul>{notes}</ul></details>")
    more = [*found.settings, *found.versions, *([("Made after", found.parent)] if found.parent else [])]
    more += [("Its mark", found.content_id)] if asked is not None else []
    if more:
        parts.append(f"<details><summary>Everything else it tells ({len(more)})</summary>{_facts(more)}</details>")
    return f'<div class="checked" role="status">{"".join(parts)}</div>'


def _main(found: Found) -> list[tuple[str, str]]:
    asked, given = found.request, found.told
    told = []
    if asked is not None:
        told = [
            ("Seed", "" if asked.seed is None else str(asked.seed)),
            ("Steps", str(asked.num_inference_steps) if "num_inference_steps" in given else ""),
            ("Guidance", f"{asked.guidance_scale:g}" if "guidance_scale" in given else ""),
            ("Took", "" if found.seconds is None else f"{found.seconds:.1f} s"),
            ("Mark", _short(found.content_id)),
        ]
    told += [("File", found.format), ("Read from", ", ".join(found.carriers) or "nothing: it carries no recipe")]
    return [(title, text) for title, text in told if text]


def _short(mark: str) -> str:
    """As much of a mark as an eye compares."""
    return f"{mark[:_MARK_CHARS]}…"


def _line(phrases: Iterable[str]) -> str:
    told = " · ".join(escape(phrase) for phrase in phrases if phrase)
    return f"<p>{told}</p>" if told else ""


def _prompt(title: str, text: str) -> str:
    words = f"<blockquote>{escape(text) or '<i>empty</i>'}</blockquote>"
    if len(text) > _LONG_CHARS:
        words = f"<details><summary>{len(text):,} characters</summary>{words}</details>"
    return f'<section class="words"><h3>{escape(title)}</h3>{words}</section>'


def _facts(told: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<div><dt>{escape(title)}</dt><dd>{escape(text)}</dd></div>" for title, text in told)
    return f"<dl>{rows}</dl>"


def _photo(found: Found, session: TabSession) -> tuple[str, str]:
    """Whether the form's photo is the one that the picture was made from: a class for its looks, and a sentence."""
    if not found.photo_sha256:
        return "quiet", ""
    if session.photo is None:
        return "warn", "It was made from a photo that is not here: choose that one to get the same picture."
    if session.photo.sha256 == found.photo_sha256:
        return "good", "It was made from this very photo."
    return "warn", "It was made from another photo: choose that one to get the same picture."


def _against(rows: Sequence[tuple[str, str, str]], problem: str, photo: tuple[str, str]) -> str:
    looks, sentence = photo
    about = f'<p class="seal {looks}">{escape(sentence)}</p>' if sentence else ""
    if problem:
        words = f"The form cannot be read as it stands, so its first values are shown. {problem}"
        about += f'<p class="remark">{escape(words)}</p>'
    title = "<h3>Compared with the form</h3>"
    if not rows:
        return f'<div class="against">{title}<p class="same">No difference.</p>{about}</div>'
    head = '<tr><td></td><th scope="col">In the form</th><th scope="col">In the file</th></tr>'
    lines = "".join(
        f'<tr><th scope="row">{escape(field)}</th><td>{escape(mine)}</td><td class="theirs">{escape(theirs)}</td></tr>'
        for field, mine, theirs in rows
    )
    return f'<div class="against">{title}<table><thead>{head}</thead><tbody>{lines}</tbody></table>{about}</div>'
