// The comparison: its status, its cards, its files and its notes, drawn from the tab's state.
import { html, nothing, render } from "../lit/lit-html.js";
import { repeat } from "../lit/directives/repeat.js";
import { onChange, part } from "../tab_state.js";
import { completed } from "./cards.js";
import { openFullscreen } from "./fullscreen.js";
import { placeBar } from "./selection.js";
import { fileLinks, finishedCard, keepingFocus, noteLists, person, statusLine } from "./templates.js";

const places = {}; // by name: the element to draw into
let trigger = null; // tells the server which button was pressed
let sorted = false;
let greeting = {}; // the status before the server has sent one
const empty = {}; // what stands where no headshot is yet: {frames, promise}

// A button of a card or of the viewer.
export function act(action, id) {
  trigger("select", { action, id });
}

export function mountStatus(element, first) {
  greeting = first;
  mount("status", element);
}

export function mountNotes(element) {
  mount("notes", element);
}

export function mountShots(element, send) {
  trigger = send;
  empty.frames ??= element.querySelector(".shots");
  empty.promise ??= element.querySelector(".promise");
  mount("shots", element);
  placeBar(element);
}

function mount(name, element) {
  places[name] = element;
  element.replaceChildren();
  draw();
}

onChange(draw);

function draw() {
  const { status, shots, notes } = places;
  if (status) render(statusLine(part("status") ?? greeting), status);
  if (notes) render(noteLists(part("notes")), notes);
  if (shots) keepingFocus(shots, () => render(comparison(part("results")), shots));
}

// Templates

const NO_RESULTS = { keys: [], matrix: null, files: [], remaining: 0, earlier: [], promise: true };

function comparison(results) {
  const { keys, matrix, files, remaining, earlier, promise: first } = results ?? NO_RESULTS;
  return html`${toolbar(keys, matrix)}${matrix && !keys.length ? nothing : grid(keys)}${matrix ? table(matrix) : nothing}
  ${files.length || remaining ? fileLinks("The whole comparison as files", files, rest(remaining)) : nothing}${first ? empty.promise : nothing}
  ${earlier.length ? earlierRuns(earlier) : nothing}`;
}

const likeness = (key) => part(`card/${key}`).likeness ?? -1;

function grid(keys) {
  const finished = (key) => part(`card/${key}`).kind === "finished";
  const rank = (key) => (finished(key) ? likeness(key) : -2);
  const order = sorted ? [...keys].sort((one, other) => rank(other) - rank(one)) : keys;
  return order.length ? html`<div class="shots">${repeat(order, (key) => key, cardOf)}</div>` : empty.frames;
}

function table({ columns, rows }) {
  const heading = (words) => html`${words.slice(0, -1).map((word) => html`<i>${word}</i>`)}${words.at(-1)}`;
  return html`<div class="matrix" tabindex="0" role="region" aria-label="The matrix">
    <table style="--columns: ${columns.length}">
      <thead>
        <tr><td></td>${columns.map((words) => html`<th scope="col">${heading(words)}</th>`)}</tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ title, keys }) =>
            html`<tr><th scope="row">${heading(title)}</th>${keys.map((key) => html`<td>${cardOf(key)}</td>`)}</tr>`
        )}
      </tbody>
    </table>
  </div>`;
}

function cardOf(key) {
  const card = part(`card/${key}`);
  if (!card) return nothing;
  return card.kind === "finished" ? finishedCard(card) : unfinishedCard(card);
}

const unfinishedCard = ({ kind, label, text, preview, doubtful, acts = [] }) => html`<div class="shot ${kind}"
  ><div class="frame"
    >${preview ? html`<img class="preview" src=${preview} alt="Preview, ${label.toLowerCase()}" />` : person}</div
  ><div class="label"
    ><b>${label}</b><span class="facts ${doubtful ? "doubtful" : ""}">${text}</span
    >${acts.length ? html`<div class="acts">${acts.map(actButton)}</div>` : nothing}</div
  ></div
>`;

const actButton = ({ act: action, id, text, label }) => html`<button
  type="button"
  data-act=${action}
  data-job=${id}
  aria-label=${label ?? nothing}
  @click=${() => act(action, id)}
  >${text}</button
>`;

function rest(remaining) {
  if (!remaining) return nothing;
  const words = remaining === 1 ? "Generate the remaining one" : `Generate the remaining ${remaining}`;
  return html`<button type="button" class="file" data-act="make all" @click=${() => act("make all", "")}>${words}</button>`;
}

function earlierRuns(earlier) {
  const button = ({ id, text }) =>
    html`<button type="button" class="file" data-act="open" data-job=${id} @click=${() => act("open", id)}>${text}</button>`;
  return html`<nav class="files earlier" aria-label="Earlier"><span>Earlier at ModelsLab</span>${earlier.map(button)}</nav>`;
}

// The toolbar above the headshots

const drawing = (path) => html`<svg viewBox="0 0 20 20" aria-hidden="true"><path d=${path} /></svg>`;
const SORT = drawing("M5 4v12m-3-3 3 3 3-3M11 5h7m-7 5h5m-5 5h3");
const FILL = drawing("M3 7.500V3h4.500M12.500 3H17v4.500M17 12.500V17h-4.500M7.500 17H3v-4.500");

function toolbar(keys, matrix) {
  const all = matrix ? matrix.rows.flatMap((row) => row.keys).concat(keys) : keys;
  const finished = all.map((key) => part(`card/${key}`)).filter((card) => card?.kind === "finished");
  const sortable = !matrix && finished.filter((card) => typeof card.likeness === "number").length > 1;
  const resort = () => {
    sorted = !sorted;
    draw();
  };
  return html`<div class="grid-tools" ?hidden=${!finished.length}
    ><button type="button" data-do="sort" aria-pressed=${String(sorted)} ?hidden=${!sortable} @click=${resort}
      >${SORT}Sort by likeness</button
    ><button type="button" data-do="fullscreen" @click=${showAll}>${FILL}Full screen</button></div
  >`;
}

function showAll({ currentTarget }) {
  openFullscreen(() => completed(places.shots), currentTarget);
}
