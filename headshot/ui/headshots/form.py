"""The form: the look, what to vary, the seeds, the fine tuning, and an estimate of how long it will take."""

import json
import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final, Literal

import gradio as gr

from headshot import backends
from headshot.backend_names import AUTO
from headshot.backends import Backend
from headshot.comparison.axes import (
    expand_axis,
    format_guidance_scales,
    format_seeds,
    parse_guidance_scales,
    parse_seeds,
    resize_seeds,
    varying_fields,
)
from headshot.comparison.form_values import FormValues
from headshot.comparison.labels import size_label
from headshot.comparison.matrix import Matrix, format_prompts, parse_prompts
from headshot.comparison.presets import PRESETS, preset_of
from headshot.durations import spoken_duration
from headshot.errors import HeadshotError, RequestError
from headshot.request import HeadshotRequest, random_seed
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
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
# Gradio's Dropdown fires `input` twice per choice: a second identical event within this time is the duplicate.
_DUPLICATE_SECONDS = 2

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
        """Build the looks and the two prompts."""
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
        """Build what to vary (seeds, guidance, steps or a matrix of them) and its values."""
        self.varied = gr.Radio(
            [("Seeds", _SEED), ("Guidance", _GUIDANCE), ("Steps", _STEPS), ("Matrix", _MATRIX)],
            value=_SEED,
            label="Compare",
            info="What to vary.",
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
        self.step_counts = gr.CheckboxGroup(
            controls.choices(_STEPS),
            value=controls.choices(_STEPS),
            label="Steps to compare",
            info="One headshot each.",
            visible=False,
            elem_id="steps-to-compare",
        )
        self.wordings = gr.Textbox(
            value="",
            label="Prompt search & replace",
            info="grey, navy, white: the first term is found, the others replace it. Empty: one prompt.",
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
                label="Keep these seeds",
                elem_id="locked",
                min_width=0,
                container=False,
            )

    def estimate(self) -> None:
        """Build the line that says what Generate would do, and the confirmation of a matrix."""
        requests = expand_axis(HeadshotRequest(), _SEED, range(1, self._first + 1))
        self.plan = gr.HTML(self._estimate_html(requests, self._first_backend, None), elem_id="plan", js_on_load=None)
        self.confirmation_token = gr.State("")  # the `_fingerprint` of the matrix to confirm, "" for none
        with gr.Column(visible=False, elem_id="confirm", min_width=0) as self._confirm:
            self._question = gr.HTML(js_on_load=None, elem_id="question")
            with gr.Row():
                self.yes = gr.Button("Generate", variant="primary", elem_id="yes", min_width=0)
                self.no = gr.Button("Cancel", elem_id="no", min_width=0)

    def fine_tuning(self) -> None:
        """Build guidance, steps, the backend, the account, and how the backends use the settings."""
        with gr.Accordion("Fine tuning", open=False, elem_id="fine-tuning"):
            for name in (_GUIDANCE, _STEPS):
                self._controls[name] = controls.control(name)
            choices = [("Automatic", AUTO), *((each.title, name) for name, each in self._registry.items())]
            self.backend = gr.Radio(
                choices,
                value=self._first_backend,
                label="Backend",
                info=backends.readiness_sentence(self._registry, self._first_backend),
                elem_id="backend",
            )
            self.account = AccountPart(self._settings, self._registry, self._sessions)
        for backend in self._registry.values():
            with gr.Accordion(f"How {backend.title} uses these settings", open=False):
                gr.Markdown(backend.help)

    @property
    def fields(self) -> set[Any]:
        """The components that `requests`, `matrix`, `chain` and `look_of` read."""
        axes = {self.scales, self.step_counts, self.wordings}
        return axes | {self.varied, self.seeds, self.locked, self.backend, *self._controls.values()}

    def wire(self, photo: PhotoPart, memory: Any) -> None:
        """Connect the events. All components of the form must be built.

        Args:
            photo: whose change changes the estimate.
            memory: the component that gets what is typed and chosen, after each change.
        """
        self._memory = memory
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        texts = [self._controls[name] for name in ("prompt", "negative_prompt", _GUIDANCE)]
        # By default Gradio drops a second choice while the first is still handled.
        choosing = {**quick, "trigger_mode": "always_last"}
        self.presets.input(event_handler(self._fill), {self.presets}, texts, **choosing)
        for text in texts:
            text.input(None, None, self.presets, js=_NO_PRESET, api_visibility="private")
        self.dice.click(event_handler(self._roll), {self.seeds}, [self.seeds], **quick)
        self.count.input(event_handler(self._resize), {self.seeds, self.count}, [self.seeds], **choosing)
        self.varied.change(
            event_handler(self._show_axis),
            {self.varied},
            [self.scales, self.step_counts, self.wordings, self._controls[_GUIDANCE], self._controls[_STEPS]],
            **quick,
        )
        # Only a choice by hand suggests values, and at once: a form that is filled in has its own.
        self.varied.input(None, self.varied, self.step_counts, js=_suggestion(), api_visibility="private")
        # The question is shown and hidden by the same event as the estimate, because the browser may apply the updates
        # of two events out of order.
        inputs = {*self.fields, self.confirmation_token}
        gr.on(
            [field.change for field in inputs] + [photo.check.change, *self.account.changes],
            event_handler(self._update_estimate),
            inputs,
            [self.plan, self.count, self.backend, self._confirm, self._question, memory],
            trigger_mode="always_last",
            **quick,
        )
        self.no.click(event_handler(self._cancel_matrix), {self.varied}, [self.confirmation_token], **quick)

    def requests(self, values: Updates) -> list[HeadshotRequest]:
        """The requests of the comparison that the form describes.

        Raises:
            RequestError: with one sentence, if a field cannot be read or there are too many headshots.
        """
        request = controls.request(values, self._controls)
        seeds = parse_seeds(values[self.seeds], at_most=self._most)
        match values[self.varied]:
            case "seed":
                return expand_axis(request, _SEED, seeds)
            case "guidance_scale":
                scales = parse_guidance_scales(values[self.scales], at_most=self._most)
                return expand_axis(request.model_copy(update={"seed": seeds[0]}), _GUIDANCE, scales)
            case "num_inference_steps":
                step_counts = [controls.read(_STEPS, steps) for steps in sorted(values[self.step_counts])]
                if not step_counts:
                    raise RequestError("Choose at least one number of steps to compare.")
                if len(step_counts) > self._most:
                    raise RequestError(f"That is {len(step_counts)} headshots; at most {self._most} run at once.")
                return expand_axis(request.model_copy(update={"seed": seeds[0]}), _STEPS, step_counts)
            case "matrix":
                return self._matrix(values, request, seeds).requests()
        raise RequestError("Choose what to vary: seeds, guidance, steps or a matrix.")

    def matrix(self, values: Updates) -> Matrix | None:
        """The matrix that the form describes, None if it describes none. Raises RequestError as `requests` does."""
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
            [controls.read(_STEPS, steps) for steps in sorted(values[self.step_counts])],
            parse_prompts(request.prompt, wordings, at_most=self._most) if wordings else (),
        )
        matrix.check(at_most=self._most_in_a_matrix)
        return matrix

    def request_confirmation(self, values: Updates, session: TabSession) -> Updates:
        """Ask to confirm this matrix. Raises as `requests` and `chain` do."""
        return {self.confirmation_token: self._fingerprint(values, session)}

    def is_confirmed(self, values: Updates, session: TabSession) -> bool:
        """Whether the matrix to confirm is still the one in the form, for the same backend."""
        token = values[self.confirmation_token]
        try:
            return bool(token) and token == self._fingerprint(values, session)
        except HeadshotError:
            return False

    def clear_confirmation(self) -> Updates:
        """Take the question back."""
        return {self.confirmation_token: ""}

    def _fingerprint(self, values: Updates, session: TabSession) -> str:
        return f"{self.chain(values, session)[0].name}: {self.requests(values)}"

    @property
    def backends(self) -> set[str]:
        """The values that the backend's field can have."""
        return {AUTO, *self._registry}

    def look_of(self, values: Updates) -> dict[str, Any]:
        """The settings in the form without the seed, and the backend, as JSON's types."""
        request = controls.request(values, self._controls)
        return {**request.model_dump(exclude={"seed"}), "backend": values[self.backend]}

    def chain(self, values: Updates, session: TabSession) -> list[Backend]:
        """The chosen backend, and then those that may take over from it. Raises as `backends.choose` does."""
        return backends.choose(session.backends(self._registry), values[self.backend])

    @property
    def restorable(self) -> set[Any]:
        """The components that `restored` and `repeated` may fill."""
        axes = {self.varied, self.scales, self.step_counts, self.wordings}
        return axes | {self.presets, self.seeds, self.locked, *self._controls.values()}

    def restored(self, request: HeadshotRequest, what: Restored) -> Updates:
        """Fill the form with a request.

        Args:
            request: without a seed it leaves the seeds in the form as they are.
            what: which of its fields to fill in.
        """
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
        """Fill the form so that it describes exactly these requests; None if no axis of the form can."""
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
            updates[self.step_counts] = [controls.written(_STEPS, steps) for steps in matrix.num_inference_steps]
        if varied == _MATRIX:
            updates[self.wordings] = wordings
        return updates

    def typed(self, values: Updates) -> FormValues:
        """What is typed and chosen in the form, right or wrong. What is too long to be kept is left out."""
        fields = {name: controls.read(name, values[control]) for name, control in self._controls.items()}
        axes = {name: values[component] for name, component in self._kept.items()}
        steps = [controls.read(_STEPS, each) for each in values[self.step_counts]]
        return FormValues.of_json(json.dumps({**fields, **axes, "steps_values": steps}))

    def filled(self, found: FormValues) -> Updates:
        """Fill the form with these values; those that are None stay."""
        updates: Updates = {}
        for name, control in self._controls.items():
            if (value := getattr(found, name)) is not None:
                updates[control] = controls.written(name, value)
        for name, component in self._kept.items():
            if (value := getattr(found, name)) is not None:
                updates[component] = value
        if found.steps_values is not None:
            updates[self.step_counts] = [controls.written(_STEPS, steps) for steps in found.steps_values]
        if found.backend not in self.backends:
            updates.pop(self.backend, None)
        if found.prompt is not None and found.negative_prompt is not None:
            request = HeadshotRequest(prompt=found.prompt, negative_prompt=found.negative_prompt)
            updates[self.presets] = preset_of(request) or None
        return updates

    @property
    def _kept(self) -> dict[str, Any]:
        """The components that are no field of the request, by their names in `FormValues`."""
        return {
            "seeds": self.seeds,
            "keep_seeds": self.locked,
            "compare": self.varied,
            "guidance_values": self.scales,
            "prompt_values": self.wordings,
            "backend": self.backend,
        }

    def fresh_seeds(self, values: Updates) -> str:
        """Random seeds, as many as the field has now."""
        try:
            count = len(parse_seeds(values[self.seeds], at_most=self._most))
        except RequestError:  # the button also replaces seeds that cannot be read
            count = self._first
        return format_seeds([random_seed() for _ in range(count)])

    async def _fill(self, values: Updates, request: gr.Request) -> Updates:
        preset = next((preset for preset in PRESETS if preset.name == values[self.presets]), None)
        if preset is None:
            raise RequestError("Unknown look. Choose one of those shown.")
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
        if choice[:2] == before[:2] and choice[2] - before[2] < _DUPLICATE_SECONDS:
            return {self.seeds: gr.skip()}  # a late duplicate would undo what was typed since
        count = int(values[self.count])
        try:
            seeds = parse_seeds(values[self.seeds], at_most=self._most)
        except RequestError:
            return {self.seeds: format_seeds(range(1, count + 1))}
        return {self.seeds: format_seeds(resize_seeds(seeds, count))}

    async def _cancel_matrix(self, values: Updates, request: gr.Request) -> Updates:
        return self.clear_confirmation()

    async def _show_axis(self, values: Updates, request: gr.Request) -> Updates:
        varied = values[self.varied]
        whole = varied == _MATRIX
        return {
            self.scales: gr.Textbox(visible=whole or varied == _GUIDANCE),
            self.step_counts: gr.CheckboxGroup(visible=whole or varied == _STEPS),
            self.wordings: gr.Textbox(visible=whole),
            self._controls[_GUIDANCE]: gr.Slider(interactive=not whole and varied != _GUIDANCE),
            self._controls[_STEPS]: gr.Dropdown(interactive=not whole and varied != _STEPS),
        }

    async def _update_estimate(self, values: Updates, request: gr.Request) -> Updates:
        """Show what Generate would do, or why it cannot, while the form is filled in."""
        session = self._sessions.get(request.session_hash, request.cookies)
        about = backends.readiness_sentence(session.backends(self._registry), values[self.backend])
        confirming = self.is_confirmed(values, session)
        updates: Updates = {self.backend: gr.Radio(info=about), self._confirm: gr.Column(visible=confirming)}
        updates[self._memory] = self.typed(values).model_dump(exclude_none=True)
        try:
            updates[self.count] = str(len(parse_seeds(values[self.seeds], at_most=self._most)))
        except RequestError:
            updates[self.count] = gr.skip()
        try:
            requests = self.requests(values)
        except HeadshotError as error:
            return {**updates, self.plan: f'<p class="plan wrong">{escape(str(error))}</p>'}
        plan = self._estimate_html(requests, values[self.backend], session)
        matrix = self.matrix(values)
        if confirming and matrix is not None:
            updates[self._question] = f"<p><b>Generate {size_label(matrix)}?</b></p>{plan}"
        return {**updates, self.plan: plan}

    def _estimate_html(self, requests: list[HeadshotRequest], backend: str, session: TabSession | None) -> str:
        """How many headshots, made by which backend, and about how long they take; or why they cannot be made."""
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
    """JavaScript: which steps to tick when "Compare" changes. All of them, but in a matrix only the first."""
    steps = json.dumps(controls.choices(_STEPS))
    return f"(varied) => [varied === {json.dumps(_MATRIX)} ? {steps}.slice(0, 1) : {steps}]"
