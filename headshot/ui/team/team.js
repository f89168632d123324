// The team: its status, everyone's card, its files and its notes, drawn from the tab's state.
import { keepingFocus, fileLinks, finishedCard, noteLists, person as drawing } from "../headshots/templates.js";
import { repeat } from "../lit/directives/repeat.js";
import { html, nothing, render } from "../lit/lit-html.js";
import { onChange, part } from "../tab_state.js";

const places = {}; // by name: the element to draw into
const empty = {}; // what stands where nobody is yet: {frames, promise}
let remove = null; // tells the server whose card's button was pressed
let changePlan = null; // asks the server what the button would do now
let running = false;

export function mountTeamStatus(element) {
  mount("status", element);
}

export function mountTeamNotes(element) {
  mount("notes", element);
}

export function mountTeam(element, onRemove, onPlan) {
  remove = onRemove;
  changePlan = onPlan;
  empty.frames ??= element.querySelector(".shots");
  empty.promise ??= element.querySelector(".promise");
  mount("team", element);
}

function mount(name, element) {
  places[name] = element;
  element.replaceChildren();
  draw();
}

onChange(() => {
  draw();
  const before = running;
  running = part("team")?.running ?? false;
  if (before && !running) changePlan?.();
});

function draw() {
  const { status, team, notes } = places;
  if (status) render(statusLine(part("team/status") ?? {}), status);
  if (notes) render(noteLists(part("team/notes")), notes);
  if (team) keepingFocus(team, () => render(people(part("team") ?? { keys: [], files: [] }), team));
}

// Only the text is read aloud when it changes: the stage changes several times a second.
function statusLine({ text = "", kind = "", done, total, stage = "" }) {
  if (kind !== "running")
    return html`<div class="status ${kind}"><p role="status" aria-live="polite"><span class="stage">${text}</span></p></div>`;
  const spoken = html`<span role="status" aria-live="polite" class="stage">${text}</span>`;
  return html`<div class="status running"
    ><p>${spoken}<span class="count" aria-hidden="true">${stage}</span></p
    ><progress max=${total} value=${done} aria-label="Progress"></progress></div
  >`;
}

function people({ keys, files }) {
  if (!keys.length) return html`${empty.frames}${empty.promise}`;
  return html`<div class="shots">${repeat(keys, (key) => key, cardOf)}</div>${files.length ? fileLinks("Team files", files) : nothing}`;
}

function cardOf(key) {
  const card = part(`team/card/${key}`);
  return card.kind === "finished" ? finishedCard(card) : personCard(card);
}

const CLASSES = { remarks: "ready", fine: "ready" }; // other states are their own class

const personCard = ({ key, label, thumbnail, state, texts, removable }) => html`<div
  class="shot person ${CLASSES[state] ?? state}"
  ><div class="held"
    ><div class="frame">${thumbnail ? html`<img src=${thumbnail} alt="Photo of ${label}" />` : drawing}</div
    >${removable ? removeButton(key, label) : nothing}</div
  ><div class="label"><b title=${label}>${label}</b>${caption(state, texts)}</div></div
>`;

function caption(state, texts) {
  if (state === "remarks") return html`<ul class="facts remarks">${texts.map((text) => html`<li>${text}</li>`)}</ul>`;
  return html`<span class="facts ${{ refused: "why", fine: "fine" }[state] ?? ""}">${texts[0]}</span>`;
}

const removeButton = (key, label) => html`<button
  type="button"
  class="remove"
  title="Remove"
  aria-label="Remove ${label}"
  @click=${() => remove(key)}
  ><svg viewBox="0 0 20 20" aria-hidden="true"
    ><path d="m5 5 10 10M15 5 5 15" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" /></svg
></button>`;

// The server names a headshot by its settings, and that name wins over the link's own. So a click on a download link
// saves the file from here, under the person's name.
document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("#team a.download");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const response = await fetch(link.href);
  if (!response.ok) return open(link.href, "_blank"); // the page that opens says why
  const named = document.createElement("a");
  named.href = URL.createObjectURL(await response.blob());
  named.download = link.download;
  named.click();
  setTimeout(() => URL.revokeObjectURL(named.href), 60_000);
});
