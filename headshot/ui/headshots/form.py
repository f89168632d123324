"""What is asked for: the look, the one thing that varies, the seeds, the fine tuning, and what it will take."""

import json
import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final, Literal

import gradio as gr

from headshot import backends
from headshot.backend_names import AUTO
from headshot.backends import Backend
from headshot.comparison.comparing import (
    expand_axis,
    format_guidance_scales,
    format_seeds,
    parse_guidance_scales,
    parse_seeds,
    resize_seeds,
    varying_fields,
)
from headshot.comparison.matrix import Matrix, format_prompts, parse_prompts
from headshot.comparison.presets import PRESETS
from headshot.durations import spoken_duration
from headshot.errors import HeadshotError, RequestError
from headshot.request import HeadshotRequest, random_seed
from headshot.sessions.session import SessionRegistry, TabSession
from headshot.settings import Settings
from headshot.ui.messages import Updates, event_handler

from . import controls
from .account import AccountPart
from .photo import PhotoPart

_FIRST_SEEDS = 4  # one row of the grid on a wide screen, two on a phone
_SEED: Final = "seed"
_GUIDANCE: Final = "guidance_scale"
_STEPS: Final = "num_inference_steps"
_MATRIX: Final = "matrix"
_FIRST_GUIDANCE_SCALES = (1, 4, 7.5, 12)  # the photo, half a look, the full look, drama: one row of the grid
_NO_PRESET = "() => null"
_TWIN_SECONDS = 2  # nobody has the same seeds again, and chooses the same count, within them

Restored = Literal["all", "all but the seed", "the seed"]


class Form:
    """The fields between the photo and the results."""

    def __init__(self, settings: Settings, registry: Mapping[str, Backend], sessions: SessionRegistry) -> None:
        self._settings = settings
        self._most, self._most_in_a_matrix = settings.max_headshots, settings.max_matrix
        self._first = min(_FIRST_SEEDS, self._most)
        self._first_backend = settings.backend
        self._registry = registry
        self._sessions = sessions
        self._controls: dict[str, Any] = {}  # Gradio gives its components their events at run time

    def look(self) -> None:
        self.presets = gr.Radio(
            [preset.name for preset in PRESETS],
            value=PRESETS[0].name,
            label="Look",
            info="Fills the fields below; change them as you like.",
            elem_id="presets",
        )
        for name in ("prompt", "negative_prompt"):
            self._controls[name] = controls.control(name)

    def axis(self) -> None:
        """What differs between the headshots: seeds, guidance or steps."""
        self.varied = gr.Radio(
            [("Seeds", _SEED), ("Guidance", _GUIDANCE), ("Steps", _STEPS), ("Matrix", _MATRIX)],
            value=_SEED,
            label="Compare",
            info="What differs from headshot to headshot.",
            elem_id="varied",
        )
        self.scales = gr.Textbox(
            value=", ".join(f"{scale:g}" for scale in _FIRST_GUIDANCE_SCALES[: self._most]),
            label="Guidance values",
            info=f"1, 4, 7.5, 12: one headshot each, at most {self._most}.",
            max_lines=1,
            visible=False,
            elem_id="scales",
        )
        self.efforts = gr.CheckboxGroup(
            controls.choices(_STEPS),
            value=controls.choices(_STEPS),
            label="Steps to compare",
            info="One headshot each.",
            visible=False,
            elem_id="efforts",
        )
        self.wordings = gr.Textbox(
            value="",
            label="Words to replace in the prompt",
            info="grey, navy, white: the first is looked for, each of the others takes its place. Empty: one prompt.",
            max_lines=1,
            visible=False,
            elem_id="wordings",
        )
        with gr.Row(elem_id="seeds-row"):
            self.seeds = gr.Textbox(
                value=format_seeds(range(1, self._first + 1)),
                label="Seeds",
                info=f"1, 2, 3 or 10-13: one headshot each, at most {self._most}.",
                max_lines=1,
                elem_id="seeds",
            )
            self.count = gr.Dropdown(
                [str(count) for count in range(1, self._most + 1)],
                value=str(self._first),
                label="Count",
                filterable=False,
                elem_id="count",
                min_width=0,
            )
            self.dice = gr.Button("New seeds", elem_id="dice", min_width=0)
            self.locked = gr.Checkbox(
                value=True,
                label="Lock",
                elem_id="locked",
                min_width=0,
                container=False,
            )

    def outlook(self) -> None:
        """What Generate would do with the form as it stands."""
        requests = expand_axis(HeadshotRequest(), _SEED, range(1, self._first + 1))
        self.plan = gr.HTML(self._planned(requests, self._first_backend, None), elem_id="plan", js_on_load=None)
        self.asked = gr.State("")  # the matrix that was asked about, as `_meant` says it
        with gr.Column(visible=False, elem_id="confirm", min_width=0) as self._confirm:
            self._question = gr.HTML(js_on_load=None, elem_id="question")
            with gr.Row():
                self.yes = gr.Button("Make them", variant="primary", elem_id="yes", min_width=0)
                self.no = gr.Button("Not now", elem_id="no", min_width=0)

    def fine_tuning(self) -> None:
        with gr.Accordion("Fine tuning", open=False, elem_id="fine-tuning"):
            for name in (_GUIDANCE, _STEPS):
                self._controls[name] = controls.control(name)
            choices = [("Automatic", AUTO), *((each.title, name) for name, each in self._registry.items())]
            self.backend = gr.Radio(
                choices,
                value=self._first_backend,
                label="Backend",
                info=_readiness(self._registry, self._first_backend),
                elem_id="backend",
            )
            self.account = AccountPart(self._settings, self._registry, self._sessions)
        for backend in self._registry.values():
            where = "here" if len(self._registry) == 1 else f"to {backend.title}"
            with gr.Accordion(f"What the settings mean {where}", open=False):
                gr.Markdown(backend.help)

    @property
    def fields(self) -> set[Any]:
        """All that a comparison is read from."""
        axes = {self.scales, self.efforts, self.wordings}
        return axes | {self.varied, self.seeds, self.locked, self.backend, *self._controls.values()}

    def wire(self, photo: PhotoPart) -> None:
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        texts = [self._controls[name] for name in ("prompt", "negative_prompt", _GUIDANCE)]
        # By default a second choice would be dropped while the first is still handled.
        choosing = {**quick, "trigger_mode": "always_last"}
        self.presets.input(event_handler(self._fill), {self.presets}, texts, **choosing)
        for text in texts:
            text.input(None, None, self.presets, js=_NO_PRESET, api_visibility="private")
        self.dice.click(event_handler(self._roll), {self.seeds}, [self.seeds], **quick)
        self.count.input(event_handler(self._resize), {self.seeds, self.count}, [self.seeds], **choosing)
        self.varied.change(
            event_handler(self._show_axis),
            {self.varied},
            [self.scales, self.efforts, self.wordings, self._controls[_GUIDANCE], self._controls[_STEPS]],
            **quick,
        )
        # Only what is chosen by hand suggests values, and at once: what is filled in has its own.
        self.varied.input(None, self.varied, self.efforts, js=_suggestion(), api_visibility="private")
        # The question comes and goes with the estimate alone: of two events the page may hear in the wrong order.
        told = {*self.fields, self.asked}
        gr.on(
            [field.change for field in told] + [photo.check.change, *self.account.changes],
            event_handler(self._estimate),
            told,
            [self.plan, self.count, self.backend, self._confirm, self._question],
            trigger_mode="always_last",
            **quick,
        )
        self.no.click(event_handler(self._not_now), {self.varied}, [self.asked], **quick)

    def requests(self, values: Updates) -> list[HeadshotRequest]:
        """The comparison that the form spells. Raises RequestError with one sentence where a field cannot be read."""
        request = controls.request(values, self._controls)
        seeds = parse_seeds(values[self.seeds], at_most=self._most)
        match values[self.varied]:
            case "seed":
                return expand_axis(request, _SEED, seeds)
            case "guidance_scale":
                scales = parse_guidance_scales(values[self.scales], at_most=self._most)
                return expand_axis(request.model_copy(update={"seed": seeds[0]}), _GUIDANCE, scales)
            case "num_inference_steps":
                efforts = [controls.read(_STEPS, effort) for effort in sorted(values[self.efforts])]
                if not efforts:
                    raise RequestError("Choose at least one number of steps to compare.")
                if len(efforts) > self._most:
                    raise RequestError(f"That is {len(efforts)} headshots; at most {self._most} run at once.")
                return expand_axis(request.model_copy(update={"seed": seeds[0]}), _STEPS, efforts)
            case "matrix":
                return self._matrix(values, request, seeds).requests()
        raise RequestError("Choose what to compare: seeds, guidance, steps or a matrix of them.")

    def matrix(self, values: Updates) -> Matrix | None:
        """What is asked for where that is a matrix. Raises RequestError as `requests` does."""
        if values[self.varied] != _MATRIX:
            return None
        seeds = parse_seeds(values[self.seeds], at_most=self._most)
        return self._matrix(values, controls.request(values, self._controls), seeds)

    def _matrix(self, values: Updates, request: HeadshotRequest, seeds: list[int]) -> Matrix:
        scales, wordings = values[self.scales].strip(), values[self.wordings].strip()
        matrix = Matrix(
            request,
            seeds,
            parse_guidance_scales(scales, at_most=self._most) if scales else (),
            [controls.read(_STEPS, effort) for effort in sorted(values[self.efforts])],
            parse_prompts(request.prompt, wordings, at_most=self._most) if wordings else (),
        )
        matrix.check(at_most=self._most_in_a_matrix)
        return matrix

    def ask(self, values: Updates, session: TabSession) -> Updates:
        """Ask whether so many are meant. Raises as `requests` and `chain` do."""
        return {self.asked: self._meant(values, session)}

    def is_asked(self, values: Updates, session: TabSession) -> bool:
        """Whether the form still says what was asked about, and the same backend would make it."""
        try:
            return bool(values[self.asked]) and values[self.asked] == self._meant(values, session)
        except HeadshotError:
            return False

    def answered(self) -> Updates:
        return {self.asked: ""}

    def _meant(self, values: Updates, session: TabSession) -> str:
        return f"{self.chain(values, session)[0].name}: {self.requests(values)}"

    @property
    def backends(self) -> set[str]:
        """The names that the backend's field can have."""
        return {AUTO, *self._registry}

    def look_of(self, values: Updates) -> dict[str, Any]:
        """The look that the form spells, without what tells its headshots apart, as JSON's types."""
        request = controls.request(values, self._controls)
        return {**request.model_dump(exclude={"seed"}), "backend": values[self.backend]}

    def chain(self, values: Updates, session: TabSession) -> list[Backend]:
        """The chosen backend, and those that may take over from it."""
        return backends.choose(session.backends(self._registry), values[self.backend])

    @property
    def fillable(self) -> set[Any]:
        """All that `restored` and `repeated` may fill."""
        axes = {self.varied, self.scales, self.efforts, self.wordings}
        return axes | {self.presets, self.seeds, self.locked, *self._controls.values()}

    def restored(self, request: HeadshotRequest, what: Restored) -> Updates:
        """The fields as that request has them; one whose seed nobody knows leaves the seeds as they are."""
        updates: Updates = {}
        if what != "the seed":
            updates[self.presets] = None
            for name, control in self._controls.items():
                updates[control] = controls.written(name, getattr(request, name))
        if what != "all but the seed" and request.seed is not None:
            updates |= {self.seeds: str(request.seed), self.locked: True}
        if what == "all":
            updates[self.varied] = _SEED
        return updates

    def repeated(self, requests: Sequence[HeadshotRequest]) -> Updates | None:
        """The fields as they ask for all of these again; None where no axis of the form spells them."""
        matrix = Matrix.spanned(requests)
        wordings = None if matrix is None else format_prompts(matrix.prompts)
        if matrix is None or wordings is None or any(request.seed is None for request in requests):
            return None
        axes = varying_fields(requests)
        varied = _MATRIX if len(axes) > 1 or axes == ("prompt",) else axes[0] if axes else _SEED
        updates = self.restored(requests[0], "all") | {self.varied: varied, self.seeds: format_seeds(matrix.seeds)}
        if varied in (_GUIDANCE, _MATRIX):
            updates[self.scales] = format_guidance_scales(matrix.guidance_scales)
        if varied in (_STEPS, _MATRIX):
            updates[self.efforts] = [controls.written(_STEPS, steps) for steps in matrix.num_inference_steps]
        if varied == _MATRIX:
            updates[self.wordings] = wordings
        return updates

    def fresh_seeds(self, values: Updates) -> str:
        """As many seeds that nobody chose as the field holds now."""
        try:
            count = len(parse_seeds(values[self.seeds], at_most=self._most))
        except RequestError:  # the dice are a way out of a field that cannot be read
            count = self._first
        return format_seeds([random_seed() for _ in range(count)])

    async def _fill(self, values: Updates, request: gr.Request) -> Updates:
        preset = next((preset for preset in PRESETS if preset.name == values[self.presets]), None)
        if preset is None:
            raise RequestError("There is no such look: choose one of those shown.")
        self._sessions.get(request.session_hash, request.cookies).parent = ""
        return {
            self._controls["prompt"]: preset.prompt,
            self._controls["negative_prompt"]: preset.negative_prompt,
            self._controls[_GUIDANCE]: preset.guidance_scale,
        }

    async def _roll(self, values: Updates, request: gr.Request) -> Updates:
        return {self.seeds: self.fresh_seeds(values)}

    async def _resize(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        choice, before = (values[self.count], values[self.seeds], time.monotonic()), session.last_count_event
        session.last_count_event = choice
        if choice[:2] == before[:2] and choice[2] - before[2] < _TWIN_SECONDS:
            return {self.seeds: gr.skip()}  # a dropdown reports each choice twice: late, it would undo what was typed
        count = int(values[self.count])
        try:
            seeds = parse_seeds(values[self.seeds], at_most=self._most)
        except RequestError:
            return {self.seeds: format_seeds(range(1, count + 1))}
        return {self.seeds: format_seeds(resize_seeds(seeds, count))}

    async def _not_now(self, values: Updates, request: gr.Request) -> Updates:
        return self.answered()

    async def _show_axis(self, values: Updates, request: gr.Request) -> Updates:
        varied = values[self.varied]
        whole = varied == _MATRIX
        return {
            self.scales: gr.Textbox(visible=whole or varied == _GUIDANCE),
            self.efforts: gr.CheckboxGroup(visible=whole or varied == _STEPS),
            self.wordings: gr.Textbox(visible=whole),
            self._controls[_GUIDANCE]: gr.Slider(interactive=not whole and varied != _GUIDANCE),
            self._controls[_STEPS]: gr.Dropdown(interactive=not whole and varied != _STEPS),
        }

    async def _estimate(self, values: Updates, request: gr.Request) -> Updates:
        """Say what Generate would do, or what stands in its way, while the form is filled."""
        session = self._sessions.get(request.session_hash, request.cookies)
        about = _readiness(session.backends(self._registry), values[self.backend])
        asked = self.is_asked(values, session)
        updates: Updates = {self.backend: gr.Radio(info=about), self._confirm: gr.Column(visible=asked)}
        try:
            updates[self.count] = str(len(parse_seeds(values[self.seeds], at_most=self._most)))
        except RequestError:
            updates[self.count] = gr.skip()
        try:
            requests = self.requests(values)
        except HeadshotError as error:
            return {**updates, self.plan: f'<p class="plan wrong">{escape(str(error))}</p>'}
        plan = self._planned(requests, values[self.backend], session)
        matrix = self.matrix(values)
        if asked and matrix is not None:
            updates[self._question] = f"<p><b>Make all of these?</b> {escape(matrix.counted)}.</p>{plan}"
        return {**updates, self.plan: plan}

    def _planned(self, requests: list[HeadshotRequest], backend: str, session: TabSession | None) -> str:
        """How many headshots, by whom, and about how long."""
        noun = "headshot" if len(requests) == 1 else "headshots"
        try:
            registry = self._registry if session is None else session.backends(self._registry)
            chosen = backends.choose(registry, backend)[0]
        except HeadshotError as error:
            return f'<p class="plan wrong">{escape(str(error))}</p>'
        photo, face = (None, None) if session is None else (session.photo, session.face)
        seconds = chosen.estimate(photo, requests, face=face)
        about = "" if seconds is None else f", about {spoken_duration(seconds)}"
        what = f"paid {noun} by {chosen.title}" if chosen.survives_disconnect else noun
        return f'<p class="plan">{len(requests)} {what}{about}</p>'


def _suggestion() -> str:
    """What a choice fills in, as JavaScript: all steps beside each other, in a matrix only for who asks for them."""
    steps = json.dumps(controls.choices(_STEPS))
    return f"(varied) => [varied === {json.dumps(_MATRIX)} ? {steps}.slice(0, 1) : {steps}]"


def _readiness(registry: Mapping[str, Backend], name: str) -> str:
    """The sentence of the chosen backend, or of the one that Automatic would take."""
    try:
        return backends.choose(registry, name)[0].readiness().sentence
    except HeadshotError as error:
        return str(error)
