// One headshot's details under its picture: its files, its notes, and its request as JSON and as code.
import { part } from "../tab_state.js";
import { CODE, dialog, find, FORMS, say, tabs, viewing } from "./dialog.js";
import { make } from "./dom.js";

const NOTES = [
  ["not applied", "Not applied"],
  ["advice", "Good to know"],
  ["applied", "Applied"],
];
// Only for headshots from ModelsLab.
const EXCHANGED = [
  ["sent", "Request sent"],
  ["reply", "Response"],
];

const fetched = new Map(); // by address
let exchanged = ""; // what is shown under the request: only a change is drawn, so that selected text stays selected

export function drawFiles(shot) {
  const [, stem, ending] = shot.name.match(/^(.*?)(\.\w+)?$/);
  const main = find("a.main");
  main.href = shot.picture;
  main.download = shot.name;
  for (const [key, , suffix] of FORMS) {
    const link = find(`[data-form=${key}]`);
    link.hidden = !shot[key];
    if (shot[key]) link.href = shot[key];
    else link.removeAttribute("href");
    link.download = stem + suffix;
  }
  find(".forms").hidden = !FORMS.some(([key]) => shot[key]);
  find("#viewer-clean").hidden = !shot.clean;
  main.querySelector("span").textContent = `Download${find(".forms").hidden ? "" : ` ${(ending ?? "").slice(1).toUpperCase()}`}`;
}

export function drawDetails(shot) {
  const code = loaded(shot);
  for (const [key] of CODE) {
    const pre = find(`#viewer-${key} pre`);
    const text = key === "request" ? JSON.stringify(shot.request, null, 2) : (code[key] ?? "");
    if (pre.textContent !== text) pre.textContent = text; // see `exchanged`
  }
  drawExchange(code);
  const groups = NOTES.map(([kind, title]) => noteList(shot, kind, title)).filter(Boolean);
  const total = shot.place === "shots" ? (part("results")?.total ?? []) : [];
  const times = [...shot.timings, ...(total.length ? [total] : [])];
  for (const [title, rows] of [["Measured", shot.measured ?? []], ["Time", times]]) {
    const list = make("dl", "timings");
    for (const [what, value] of rows) list.append(make("dt", "", what), make("dd", "", value));
    if (rows.length) groups.push(make("h3", "", title), list);
  }
  find("#viewer-notes").replaceChildren(...groups);
}

// The headshot's code, and what was sent and received; {} until it has come.
function loaded(shot) {
  const { details } = shot;
  if (!fetched.has(details)) {
    fetched.set(details, {});
    fetch(details)
      .then((response) => (response.ok ? response.json() : Promise.reject(new Error(response.statusText))))
      .then((found) => fetched.set(details, found))
      .catch(() => fetched.delete(details)) // asked for again when it is next opened
      .then(() => viewing.alone === shot.key && fetched.has(details) && drawDetails(shot));
  }
  return fetched.get(details);
}

export function noteList(shot, kind, title) {
  const notes = shot.notes.filter((note) => note.kind === kind);
  if (!notes.length) return null;
  const list = make("ul", "", ...notes.map((note) => make("li", "", note.text)));
  return make("div", `said ${kind.replace(" ", "-")}`, make("h3", "", title), list);
}

function drawExchange(code) {
  const timeline = code.timeline ?? [];
  const parts = EXCHANGED.filter(([key]) => code[key]).map(([key, title]) => [key, title, code[key]]);
  const wanted = JSON.stringify([timeline, parts]);
  if (wanted === exchanged) return;
  exchanged = wanted;
  for (const old of dialog.querySelectorAll("#viewer-request section")) old.remove();
  find("#viewer-request").append(...(timeline.length ? [timelineOf(timeline)] : []), ...parts.map(codePart));
}

function timelineOf(events) {
  const list = make("ol", "timeline");
  for (const [time, what, sentence] of events) {
    const entry = make("div", "", make("b", "", what));
    if (sentence) entry.append(make("p", "", sentence));
    list.append(make("li", "", make("time", "", time), entry));
  }
  return make("section", "", make("h3", "", "Timeline"), list);
}

function codePart([key, title, text]) {
  const heading = make("h3", "", title);
  heading.id = `viewer-${key}-title`;
  const copy = make("button", "", "Copy");
  copy.type = "button";
  copy.dataset.copy = "";
  copy.setAttribute("aria-describedby", heading.id); // tells the Copy buttons apart
  const pre = make("pre", "", text);
  pre.tabIndex = 0;
  pre.setAttribute("role", "region");
  pre.setAttribute("aria-labelledby", heading.id);
  return make("section", "", make("div", "copying", heading, copy), pre);
}

export function chooseTab(event) {
  const at = tabs.indexOf(event.target);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const chosen = tabs.at(to % tabs.length);
  select(chosen);
  chosen.focus();
}

export function select(chosen) {
  for (const each of tabs) {
    each.setAttribute("aria-selected", each === chosen);
    each.tabIndex = each === chosen ? 0 : -1;
    find(`#${each.getAttribute("aria-controls")}`).hidden = each !== chosen;
  }
}

export async function copyBeside(button) {
  const pre = button.closest("section, [role=tabpanel]").querySelector("pre");
  let answer = "Copied";
  try {
    await navigator.clipboard.writeText(pre.textContent);
  } catch {
    // Refused, or not available: a page over plain http has no clipboard.
    getSelection().selectAllChildren(pre);
    answer = "Selected: copy it now";
  }
  button.textContent = answer;
  say(answer);
  setTimeout(() => (button.textContent = "Copy"), 2000);
}
