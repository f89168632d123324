// Comparing two to four headshots: the three views, and a table of the differences.
import { known } from "./cards.js";
import { noteList } from "./details.js";
import { board, dialog, find, ORIGINAL, range, say, selects, sides, viewing } from "./dialog.js";
import { make, plain } from "./dom.js";
import { draw, stage } from "./viewer.js";
import { fingers, pinching, zoomed } from "./zoom.js";

const FIELDS = [
  ["num_inference_steps", "Steps"],
  ["guidance_scale", "Guidance"],
  ["seed", "Seed"],
];
// Where they come from, apart from their requests.
const ORIGINS = [
  ["backend", "Backend"],
  ["model", "Model"],
  ["photo", "Photo ID"],
  ["face", "Face"],
  ["size", "Size"],
];
const TEXTS = [
  ["prompt", "Prompt"],
  ["negative_prompt", "Negative prompt"],
];
const LIKENESS = "Likeness to your photo. Two photos of one person reach about 0.70–0.77, different people at most 0.29";
const HINTS = {
  slider: "Drag the line or use the arrow keys. Space flips.",
  side: "Scroll to zoom, drag to move. All pictures move together.",
  flip: "Hover over the picture to see the other one, or press Space.",
};

let view = "slider"; // for two; the last choice is kept
let turned = false; // in the view Flip: whether the second is shown while the pointer is elsewhere
let pointed = false;

export const viewNow = () => (!viewing.compared ? "alone" : viewing.compared.length > 2 ? "side" : view);
export const likenessOf = ({ likeness, key }) =>
  key === ORIGINAL || typeof likeness !== "number" ? "" : `likeness ${likeness.toFixed(2)}`;

export function drawCompared(shots, byKey) {
  const chosen = viewing.compared.map((key) => byKey.get(key)).filter(Boolean);
  const [first] = chosen;
  const original = { ...first, key: ORIGINAL, label: "Original", picture: first.original };
  const called = names(chosen);
  const pictures = viewing.compared.map((key) => (key === ORIGINAL ? original : { ...byKey.get(key), label: called.get(key) }));
  drawSelects(shots, chosen, called);
  const labels = pictures.map(({ label }) => label);
  find("h2 span").textContent = `${labels.slice(0, -1).join(", ")} and ${labels.at(-1)}`;
  find(".hint").textContent = HINTS[viewNow()];
  find(".views").hidden = viewing.compared.length > 2;
  for (const button of dialog.querySelectorAll("button[data-view]"))
    button.setAttribute("aria-pressed", button.dataset.view === view);
  const headshots = pictures.filter(({ key }) => key !== ORIGINAL);
  find(".differences").replaceChildren(
    ...(headshots.length < pictures.length ? photoAnd(first) : []),
    table(headshots),
    ...(headshots.length > 1 ? texts(headshots) : []),
    ...legend(headshots)
  );
  stage(pictures);
  updateShare();
}

// Headshots of different runs may have the same label.
function names(chosen) {
  const twice = (label) => chosen.filter((shot) => shot.label === label).length > 1;
  const full = chosen.map((shot) => [shot.key, twice(shot.label) && shot.run ? `${shot.label}, ${shot.run}` : shot.label]);
  return new Map(
    full.map(([key, name], at) => {
      const before = full.slice(0, at).filter(([, other]) => other === name).length;
      const same = full.filter(([, other]) => other === name).length;
      return [key, same > 1 ? `${name} (${before + 1})` : name];
    })
  );
}

function drawSelects(shots, chosen, called) {
  const groups = new Set(chosen.map(({ group }) => group));
  const offered = shots.filter(({ key, group }) => called.has(key) || groups.has(group));
  const several = groups.size > 1;
  const title = (shot) => {
    const own = called.get(shot.key) ?? (several && shot.run ? `${shot.label}, ${shot.run}` : shot.label);
    return shot.baseline ? `${own} (baseline)` : own;
  };
  const options = offered.map((shot) => [shot.key, title(shot)]);
  if (chosen.some(({ original }) => original)) options.unshift([ORIGINAL, "Original"]);
  selects.forEach((list, at) => {
    list.hidden = at >= viewing.compared.length;
    const word = viewing.compared.length > 2 ? `Picture ${at + 1}` : ["Left picture", "Right picture"][at];
    list.setAttribute("aria-label", word ?? "");
    // Only if it changed: an open list would close.
    if (JSON.stringify([...list.options].map((o) => [o.value, o.text])) !== JSON.stringify(options))
      list.replaceChildren(...options.map(([key, label]) => new Option(label, key)));
    list.value = viewing.compared[at] ?? "";
  });
  find(".choose").dataset.count = viewing.compared.length;
  find("[data-do=swap]").hidden = viewing.compared.length > 2;
}

dialog.addEventListener("change", ({ target }) => {
  if (!target.dataset.at) return;
  // Nothing is compared with itself: the other side gets the one from here.
  const other = viewing.compared.indexOf(target.value);
  if (other >= 0) viewing.compared[other] = viewing.compared[target.dataset.at];
  viewing.compared[target.dataset.at] = target.value;
  draw();
});

export function baselineKey() {
  return known().find((shot) => shot.baseline).key;
}

// The differences

const differ = (requests, field) => new Set(requests.map((request) => request[field] ?? "")).size > 1;

// A value that is unknown for some is compared among the others.
function origins(headshots) {
  const all = headshots.map(({ origin, width, height }) => ({ ...origin, size: `${width} × ${height}` }));
  return ORIGINS.filter(([field]) => differ(all.filter((each) => each[field]), field)).map(([field, title]) => {
    // The studio has no model.
    const lacking = ({ backend }) => (field === "model" && backend ? "none" : "unknown");
    return [title, all.map((each) => `${each[field] ?? lacking(each)}`)];
  });
}

function table(headshots) {
  const requests = headshots.map(({ request }) => request);
  const settings = FIELDS.filter(([field]) => differ(requests, field)).map(([field, title]) => {
    return [title, requests.map((request) => request[field] ?? "none")];
  });
  const rows = [...origins(headshots), ...settings];
  const alike = headshots.length > 1 && !rows.length && !TEXTS.some(([field]) => differ(requests, field));
  const likeness = headshots.map((shot) => likenessOf(shot).replace("likeness ", "") || "unknown");
  if (headshots.some(likenessOf)) rows.push(["Likeness", likeness]);
  if (headshots.every(({ timings }) => timings.length)) rows.push(["Time", headshots.map(({ timings }) => timings[0][1])]);
  const head = make("tr", "", make("td", ""), ...headshots.map(heading));
  const lines = rows.map(([title, cells]) => make("tr", "", cellOf("row", title), ...cells.map((text) => make("td", "", text))));
  const opens = make("tr", "opens", make("td", ""), ...headshots.map((shot) => make("td", "", opening(shot))));
  const whole = make("table", `of-${headshots.length}`, make("thead", "", head), make("tbody", "", ...lines, opens));
  const none = `No differences: ${headshots.length > 2 ? "all" : "both"} come from the same request.`;
  return make("div", "", ...(alike ? [make("p", "", none)] : []), whole);
}

function cellOf(scope, ...content) {
  const node = make("th", "", ...content);
  node.scope = scope;
  return node;
}

function heading({ label, baseline }) {
  return cellOf("col", label, ...(baseline ? [make("small", "mark", "Baseline")] : []));
}

function opening({ key, label }) {
  const button = make("button", "act", "Open");
  button.type = "button";
  button.dataset.open = key;
  button.setAttribute("aria-label", `Open ${label}`);
  return button;
}

function texts(headshots) {
  const requests = headshots.map(({ request }) => request);
  return TEXTS.filter(([field]) => differ(requests, field)).flatMap(([field, title]) => {
    const marked = apart(requests.map((request) => request[field] ?? ""));
    const list = make("dl", "");
    headshots.forEach(({ label }, at) => list.append(make("dt", "", label), make("dd", "", ...marked[at])));
    return [make("h3", "", title), list];
  });
}

// The words of each text; words that not all texts have are marked.
function apart(all) {
  const split = all.map((text) => text.match(/\s+|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? []);
  const common = split.reduce((one, other) => shared(one, other));
  const meaning = common.some((word) => /[\p{L}\p{N}]/u.test(word));
  return split.map((words) => {
    if (!words.length) return [make("i", "", "none")];
    if (!meaning) return [words.join("")];
    let next = 0;
    const runs = []; // [whether it is shared, text]
    for (const word of words) {
      const same = word === common[next];
      if (same) next += 1;
      // A space between two words that are marked is marked with them.
      if (runs.length && runs.at(-1)[0] === same) runs.at(-1)[1] += word;
      else runs.push([same, word]);
    }
    const joined = runs.reduce((parts, [same, text], at) => {
      const bridge = same && !text.trim() && at > 0 && at < runs.length - 1;
      if (parts.length && (bridge || parts.at(-1)[0] === same)) parts.at(-1)[1] += text;
      else parts.push([same, text]);
      return parts;
    }, []);
    return joined.flatMap(([same, text]) => (same ? [text] : around(text)));
  });
}

// A mark without the spaces at its ends.
function around(text) {
  const word = text.trim();
  const at = text.indexOf(word);
  return word ? [text.slice(0, at), make("mark", "", word), text.slice(at + word.length)] : [text];
}

// The longest common subsequence.
function shared(one, other) {
  const lengths = Array.from({ length: one.length + 1 }, () => new Uint16Array(other.length + 1));
  for (let i = one.length - 1; i >= 0; i--)
    for (let j = other.length - 1; j >= 0; j--)
      lengths[i][j] = one[i] === other[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
  const found = [];
  for (let i = 0, j = 0; i < one.length && j < other.length; )
    if (one[i] === other[j]) found.push(one[i++]) && j++;
    else if (lengths[i + 1][j] >= lengths[i][j + 1]) i++;
    else j++;
  return found;
}

function legend(headshots) {
  if (!headshots.some(likenessOf)) return [];
  const own = Number(document.querySelector("#calibration [data-own], #calibration[data-own]")?.dataset.own || NaN);
  return [make("p", "legend", `${LIKENESS}${Number.isFinite(own) ? `; your own two photos: ${own.toFixed(2)}` : ""}.`)];
}

function photoAnd(shot) {
  const text = "The original is your photo, laid over this headshot’s frame, the eyes at the same place.";
  return [make("p", "", text), noteList(shot, "applied", "Applied to your photo") ?? ""];
}

// The views

export function choose(chosen) {
  if (chosen === "flip" && view === "flip") return flip();
  view = chosen;
  turned = pointed = false;
  draw();
}

export function drawFront() {
  const front = viewing.compared?.length === 2 && turned !== pointed ? 1 : 0;
  sides.forEach((side, at) => side.classList.toggle("front", at === front));
}

function flip() {
  turned = !turned;
  drawFront();
  say(sides.find((side) => side.matches(".front")).querySelector("b").textContent);
}

export function flipKey(event) {
  if (event.key !== " " || viewNow() !== "flip" || !plain(event)) return false;
  // On its own button the space flips by pressing it.
  if (event.repeat || event.target.matches("button, select, a, pre")) return false;
  flip();
  return true;
}

function point(on) {
  pointed = on;
  drawFront();
}

board.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && point(true));
board.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && point(false));
board.addEventListener("pointerdown", ({ pointerType }) => pointerType !== "mouse" && point(true));
for (const end of ["pointerup", "pointercancel"])
  board.addEventListener(end, ({ pointerType }) => pointerType !== "mouse" && point(false));

function updateShare() {
  const share = Number(range.value);
  board.style.setProperty("--share", `${share}%`);
  const [left, right] = sides.map((side) => side.querySelector("b").textContent);
  range.setAttribute("aria-valuetext", `${share} % ${left}, ${100 - share} % ${right}`);
}

// A finger that turns out to scroll, a pinch and a double click have moved the line already, which goes back.
let resting = 50;
let settled = 50; // before the first click of a double one

function putBack(value) {
  range.value = value;
  updateShare();
}

range.addEventListener("input", () => (pinching() ? putBack(resting) : updateShare()));
range.addEventListener("pointerdown", () => {
  if (!fingers.size) resting = range.value;
  else putBack(resting); // a second finger: the first has moved it
});
range.addEventListener("pointercancel", () => putBack(resting));
range.addEventListener("mousedown", ({ detail }) => detail < 2 && (settled = resting));
range.addEventListener("dblclick", () => zoomed() || putBack(settled));

range.addEventListener("keydown", (event) => {
  if (event.key !== " ") return;
  event.preventDefault();
  if (event.repeat) return;
  range.value = range.value < 50 ? 100 : 0;
  updateShare();
});
