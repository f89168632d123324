// Opens, closes and draws the dialog.
// Opening and closing
import { card, known } from "./cards.js";
import { baselineKey, choose, drawCompared, drawFront, flipKey, likenessOf, viewNow } from "./compare_view.js";
import { chooseTab, copyBeside, drawDetails, drawFiles, select } from "./details.js";
import { board, dialog, find, GONE, ORIGINAL, range, say, sides, stageNode, tabs, viewing } from "./dialog.js";
import { plain } from "./dom.js";
import { act } from "./results.js";
import { bar, pick, picks } from "./selection.js";
import { doZoom, show, sight, zoomKey } from "./zoom.js";

export function openAlone(key, from) {
  if (from) viewing.opener = from;
  viewing.compared = null;
  viewing.alone = key;
  open();
  find("h2").focus();
}

export function openCompared(keys, from) {
  if (from) viewing.opener = from;
  viewing.alone = null;
  viewing.compared = keys;
  range.value = 50;
  open();
  (viewNow() === "slider" ? range : find("h2")).focus();
}

function open() {
  const page = document.documentElement;
  if (!dialog.open) {
    page.style.setProperty("--scrollbar", `${innerWidth - page.clientWidth}px`);
    Object.assign(sight, { zoom: 1, at: [0.5, 0.5], aligned: false });
    dialog.showModal();
  }
  bar.hidden = true;
  dialog.scrollTop = find(".panel").scrollTop = 0;
  say("");
  draw();
}

dialog.addEventListener("close", () => {
  if (dialog.open || !viewing.opener) return; // opened again, or opened and closed again, before this event arrived
  const { key, selector } = viewing.opener;
  viewing.alone = viewing.compared = viewing.opener = null;
  viewing.shown = "";
  viewing.scenes = [];
  for (const side of sides) side.querySelector("img").removeAttribute("src");
  pick(viewing.spent ? [] : picks);
  viewing.spent = false;
  card(key)?.querySelector(selector)?.focus();
});

// Drawing

export function draw() {
  const shots = known();
  const byKey = new Map(shots.map((shot) => [shot.key, shot]));
  const wanted = (viewing.compared ?? [viewing.alone]).filter((key) => key !== ORIGINAL);
  if (wanted.some((key) => !byKey.has(key))) return dialog.close();
  dialog.classList.toggle("comparing", viewing.compared !== null);
  dialog.dataset.view = viewNow();
  if (viewing.compared) drawCompared(shots, byKey);
  else drawAlone(byKey.get(viewing.alone), shots);
}

function drawAlone(shot, shots) {
  const beside = shots.filter(({ place }) => place === shot.place);
  const baseline = shots.find((other) => other.baseline && other.key !== shot.key);
  find("h2 span").textContent = shot.label;
  find(".mark").hidden = !shot.baseline;
  find(".panel .facts").textContent = [shot.run, ...shot.measures].filter(Boolean).join(" · ");
  find(".walk").hidden = beside.length < 2;
  find(".count").textContent = `${beside.findIndex(({ key }) => key === shot.key) + 1} of ${beside.length}`;
  drawFiles(shot);
  find("[data-do=baseline]").textContent = shot.baseline ? "Unpin" : "Pin as baseline";
  // Only for the last comparison: the server finds no others by their id.
  for (const act of ["baseline", "use_seed"]) find(`[data-do=${act}]`).hidden = shot.place !== "shots";
  find("[data-do=original]").hidden = !shot.original;
  find("[data-do=against-baseline]").hidden = !baseline;
  drawDetails(shot);
  stage([shot]);
}

// The stage

const alt = ({ label, key }) => (key === ORIGINAL ? "Your photo" : `Headshot, ${label}`);

export async function stage(pictures) {
  const [first] = pictures;
  stageNode.style.setProperty("--ratio", first.width / first.height);
  sides.forEach((side, at) => (side.hidden = at >= pictures.length));
  viewing.scenes = pictures.map(({ width, height, face }, at) => {
    return { side: sides[at], image: sides[at].querySelector("img"), size: [width, height], face };
  });
  pictures.forEach((picture, at) => {
    sides[at].querySelector("b").textContent = picture.label;
    sides[at].querySelector("small").textContent = likenessOf(picture);
    viewing.scenes[at].image.alt = alt(picture);
  });
  drawFront();
  lay();
  const wanted = JSON.stringify(pictures.map(({ picture }) => picture));
  if (wanted === viewing.shown) return;
  viewing.shown = wanted;
  // The thumbnail is shown until the large picture has loaded.
  board.style.setProperty("--thumbnail", viewing.compared ? "none" : `url(${JSON.stringify(first.thumbnail)})`);
  stageNode.className = "stage loading";
  find(".state").textContent = viewing.compared ? `Loading ${pictures.length > 2 ? "the" : "both"} pictures…` : "";
  const decoded = viewing.scenes.map(({ image }, at) => {
    image.src = pictures[at].picture;
    return image.decode();
  });
  const failed = (await Promise.allSettled(decoded)).some((result) => result.status === "rejected");
  if (wanted !== viewing.shown) return; // others were asked for meanwhile
  stageNode.className = failed ? "stage gone" : "stage";
  find(".state").textContent = failed ? GONE : "";
}

// As many columns as make the pictures largest.
function lay() {
  if (!viewing.scenes.length) return;
  const count = viewNow() === "side" ? viewing.scenes.length : 1;
  const ratio = Number(stageNode.style.getPropertyValue("--ratio"));
  const { clientWidth, clientHeight } = stageNode;
  const narrow = dialog.scrollHeight > dialog.clientHeight || innerWidth < 700; // there the stage takes its own height
  const width = (columns) => Math.min(clientWidth / columns, (clientHeight * ratio) / Math.ceil(count / columns));
  const choices = [1, 2, 3, 4].slice(0, count).sort((one, other) => width(other) - width(one));
  const columns = narrow ? Math.min(count, 2) : choices[0];
  stageNode.style.setProperty("--columns", columns);
  stageNode.style.setProperty("--rows", Math.ceil(count / columns));
  show();
}

new ResizeObserver(lay).observe(stageNode);

// Events

let pressed = null; // a drag that began on the slider may end on the backdrop, which is not a click there
dialog.addEventListener("pointerdown", ({ target }) => (pressed = target));
dialog.addEventListener("click", ({ target }) => {
  if (target === dialog && pressed === dialog) return dialog.close();
  const button = target.closest("button");
  if (!button) return;
  const { go, copy, open: key, do: action, view: chosen, zoom } = button.dataset;
  if (go) walk(Number(go));
  else if (copy !== undefined) copyBeside(button);
  else if (key) openAlone(key);
  else if (chosen) choose(chosen);
  else if (zoom) doZoom(button);
  else if (button.role === "tab") select(button);
  else if (action === "close") dialog.close();
  else if (action === "swap") {
    viewing.compared.reverse();
    draw();
  } else if (action === "original") openCompared([ORIGINAL, viewing.alone]);
  else if (action === "against-baseline") openCompared([baselineKey(), viewing.alone]);
  else if (action) {
    const { id, baseline } = known().find((shot) => shot.key === viewing.alone);
    if (action === "use_seed") dialog.close();
    act(action === "baseline" && baseline ? "no_baseline" : action, id);
  }
});

dialog.addEventListener("keydown", (event) => {
  if (event.target.role === "tab") chooseTab(event);
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const ours = zoomKey(event) || flipKey(event);
  if (ours) event.preventDefault();
  else if (step && viewing.alone && plain(event) && event.target.role !== "tab") {
    event.preventDefault();
    walk(step);
  }
});

function walk(step) {
  const { place } = known().find(({ key }) => key === viewing.alone);
  const shots = known().filter((shot) => shot.place === place);
  const at = shots.findIndex(({ key }) => key === viewing.alone);
  const next = shots[(at + step + shots.length) % shots.length];
  viewing.alone = next.key;
  draw();
  say(`${next.label}, ${find(".count").textContent}`);
}

select(tabs[0]);
