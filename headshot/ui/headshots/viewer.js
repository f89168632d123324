// The dialog that shows one headshot large, or compares two to four. It is outside the component, whose content Gradio
// replaces.
const ORIGINAL = "";
const GONE = "This picture is no longer here: pictures are deleted after a while.";
const VIEWS = [
  ["slider", "Slider", "M3 4h14v12H3zM10 2v16M10 4h7v12h-7"],
  ["side", "Side by side", "M3 4h6v12H3zM11 4h6v12h-6z"],
  ["flip", "Flip", "M3 6h10v11H3zM7 6V3h10v11h-4"],
];
const SIDES = ["left", "right", "third", "fourth"];

const dialog = document.createElement("dialog");
dialog.className = "viewer";
dialog.setAttribute("aria-labelledby", "viewer-title");
dialog.innerHTML = `
  <header class="tools">
    <div class="walk alone">
      <button type="button" data-go="-1" aria-label="Previous headshot">${icon("M12 4 6 10l6 6")}</button>
      <span class="count"></span>
      <button type="button" data-go="1" aria-label="Next headshot">${icon("m8 4 6 6-6 6")}</button>
    </div>
    <div class="choose against">
      <select data-at="0"></select>
      <button type="button" data-do="swap" aria-label="Swap left and right" title="Swap left and right">${icon(
        "M3 7h13m-4-4 4 4-4 4M17 13H4m4-4-4 4 4 4"
      )}</button>
      <select data-at="1"></select>
      <select data-at="2"></select>
      <select data-at="3"></select>
    </div>
    <button type="button" data-do="close" aria-label="Close">${icon("m5 5 10 10M15 5 5 15")}</button>
  </header>
  <div class="stage">
    <div class="pair">
      ${SIDES.map((side) => `<div class="side ${side}"><img alt="" draggable="false"><p><b></b><small></small></p></div>`).join("")}
      <i class="line">${icon("m7.5 5-5 5 5 5m5-10 5 5-5 5")}</i>
      <input type="range" min="0" max="100" step="0.5" aria-label="Share of the left picture">
    </div>
    <p class="state" role="status"></p>
  </div>
  <div class="looking">
    <div class="views" role="group" aria-label="View">
      ${VIEWS.map(([key, title, path]) => `<button type="button" data-view="${key}" title="${title}">${icon(path)}<span>${title}</span></button>`).join("")}
    </div>
    <div class="zooms" role="group" aria-label="Zoom">
      <button type="button" data-zoom="out" aria-label="Zoom out" title="Zoom out (−)">${icon("M4 10h12")}</button>
      <button type="button" data-zoom="fit" aria-describedby="viewer-percent" aria-label="Fit" title="Fit (0)"><span class="percent" id="viewer-percent"></span></button>
      <button type="button" data-zoom="in" aria-label="Zoom in" title="Zoom in (+)">${icon("M4 10h12M10 4v12")}</button>
      <button type="button" data-zoom="face" aria-pressed="false" aria-label="Zoom to face" title="Zoom to face">${icon(
        "M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4M7.500 8v.5M12.500 8v.5M7 12.200c1.700 1.700 4.300 1.700 6 0"
      )}<span>Face</span></button>
    </div>
  </div>
  <div class="panel">
    <h2 id="viewer-title" tabindex="-1"><span></span><b class="mark alone">Baseline</b></h2>
    <div class="alone">
      <p class="facts"></p>
      <div class="acts">
        ${FILES}
        <button type="button" class="act" data-do="original">Compare with the original</button>
        <button type="button" class="act" data-do="against-baseline">Compare with the baseline</button>
        <button type="button" class="act" data-do="use_seed">Use this seed</button>
        <button type="button" class="act" data-do="baseline"></button>
      </div>
      ${DETAILS}
    </div>
    <div class="against">
      <p class="hint"></p>
      <section class="differences"></section>
    </div>
  </div>
  <p class="aloud" role="status"></p>`;
document.body.append(dialog);

const find = (selector) => dialog.querySelector(selector);
const stageNode = find(".stage");
const board = find(".pair");
const range = find("input");
const sides = SIDES.map((side) => find(`.${side}`));
const selects = [...dialog.querySelectorAll("select")];
const tabs = [...dialog.querySelectorAll("[role=tab]")];

let alone = null; // the key of the headshot that is shown large, or
let compared = null; // the two to four that are compared, each a key or ORIGINAL
let opener = null; // where the focus was: {key, selector} of a part of a card, because its element may be replaced
let shown = ""; // the addresses of the pictures on the stage, so that an update does not load them again
let spent = false; // whether the picks were used for this comparison: they are cleared when it closes

function say(text) {
  find(".aloud").textContent = text;
}

// Opening and closing

function openAlone(key, from) {
  if (from) opener = from;
  compared = null;
  alone = key;
  open();
  find("h2").focus();
}

function openCompared(keys, from) {
  if (from) opener = from;
  alone = null;
  compared = keys;
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
  if (dialog.open || !opener) return; // opened again, or opened and closed again, before this event arrived
  const { key, selector } = opener;
  alone = compared = opener = null;
  shown = "";
  scenes = [];
  for (const side of sides) side.querySelector("img").removeAttribute("src");
  pick(spent ? [] : picks);
  spent = false;
  card(key)?.querySelector(selector)?.focus();
});

// Drawing

function draw() {
  const shots = known();
  const byKey = new Map(shots.map((shot) => [shot.key, shot]));
  const wanted = (compared ?? [alone]).filter((key) => key !== ORIGINAL);
  if (wanted.some((key) => !byKey.has(key))) return dialog.close();
  dialog.classList.toggle("comparing", compared !== null);
  dialog.dataset.view = viewNow();
  if (compared) drawCompared(shots, byKey);
  else drawAlone(byKey.get(alone), shots);
}

function drawAlone(shot, shots) {
  const beside = shots.filter(({ place }) => place === shot.place);
  const baseline = shots.find((other) => other.baseline && other.key !== shot.key);
  find("h2 span").textContent = shot.label;
  find(".mark").hidden = !shot.baseline;
  find(".panel .facts").textContent = [shot.run, ...shot.facts].filter(Boolean).join(" · ");
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

async function stage(pictures) {
  const [first] = pictures;
  stageNode.style.setProperty("--ratio", first.width / first.height);
  sides.forEach((side, at) => (side.hidden = at >= pictures.length));
  scenes = pictures.map(({ width, height, face }, at) => {
    return { side: sides[at], image: sides[at].querySelector("img"), size: [width, height], face };
  });
  pictures.forEach((picture, at) => {
    sides[at].querySelector("b").textContent = picture.label;
    sides[at].querySelector("small").textContent = likenessOf(picture);
    scenes[at].image.alt = alt(picture);
  });
  drawFront();
  lay();
  const wanted = JSON.stringify(pictures.map(({ picture }) => picture));
  if (wanted === shown) return;
  shown = wanted;
  // The thumbnail is shown until the large picture has loaded.
  board.style.setProperty("--thumbnail", compared ? "none" : `url(${JSON.stringify(first.thumbnail)})`);
  stageNode.className = "stage loading";
  find(".state").textContent = compared ? `Loading ${pictures.length > 2 ? "the" : "both"} pictures…` : "";
  const decoded = scenes.map(({ image }, at) => {
    image.src = pictures[at].picture;
    return image.decode();
  });
  const failed = (await Promise.allSettled(decoded)).some((result) => result.status === "rejected");
  if (wanted !== shown) return; // others were asked for meanwhile
  stageNode.className = failed ? "stage gone" : "stage";
  find(".state").textContent = failed ? GONE : "";
}

// As many columns as make the pictures largest.
function lay() {
  if (!scenes.length) return;
  const count = viewNow() === "side" ? scenes.length : 1;
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

const plain = (event) => !(event.altKey || event.ctrlKey || event.metaKey || event.shiftKey);

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
    compared.reverse();
    draw();
  } else if (action === "original") openCompared([ORIGINAL, alone]);
  else if (action === "against-baseline") openCompared([baselineKey(), alone]);
  else if (action) {
    const { id, baseline } = known().find((shot) => shot.key === alone);
    if (action === "use_seed") dialog.close();
    trigger("select", { action: action === "baseline" && baseline ? "no_baseline" : action, id });
  }
});

dialog.addEventListener("keydown", (event) => {
  if (event.target.role === "tab") chooseTab(event);
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const ours = zoomKey(event) || flipKey(event);
  if (ours) event.preventDefault();
  else if (step && alone && plain(event) && event.target.role !== "tab") {
    event.preventDefault();
    walk(step);
  }
});

function walk(step) {
  const { place } = known().find(({ key }) => key === alone);
  const shots = known().filter((shot) => shot.place === place);
  const at = shots.findIndex(({ key }) => key === alone);
  const next = shots[(at + step + shots.length) % shots.length];
  alone = next.key;
  draw();
  say(`${next.label}, ${find(".count").textContent}`);
}

select(tabs[0]);
