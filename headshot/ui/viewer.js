// The headshots, large and against each other: a dialog and a bar outside this component, whose content is renewed.
// details.js stands before this, in the same function.
const ORIGINAL = "";
const FIELDS = [
  ["prompt", "Prompt"],
  ["negative_prompt", "Negative prompt"],
  ["guidance_scale", "Guidance"],
  ["num_inference_steps", "Steps"],
  ["seed", "Seed"],
];
const GONE = "This picture is no longer here: pictures are deleted after a while.";

const icon = (path) => `<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${path}"/></svg>`;

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
      <select data-side="left" aria-label="Left picture"></select>
      <button type="button" data-do="swap" aria-label="Swap left and right" title="Swap left and right">${icon(
        "M3 7h13m-4-4 4 4-4 4M17 13H4m4-4-4 4 4 4"
      )}</button>
      <select data-side="right" aria-label="Right picture"></select>
    </div>
    <button type="button" data-do="close" aria-label="Close">${icon("m5 5 10 10M15 5 5 15")}</button>
  </header>
  <div class="stage">
    <div class="pair">
      <div class="side right"><img alt=""><span></span></div>
      <div class="side left against"><img alt=""><span></span></div>
      <i class="line against">${icon("m7.5 5-5 5 5 5m5-10 5 5-5 5")}</i>
      <input class="against" type="range" min="0" max="100" step="0.5" aria-label="Share of the left picture">
    </div>
    <p class="state" role="status"></p>
  </div>
  <div class="panel">
    <h2 id="viewer-title" tabindex="-1"><span></span><b class="mark alone">Baseline</b></h2>
    <div class="alone">
      <p class="facts"></p>
      <div class="acts">
        <a class="act main" download>${icon("M10 3v10m-4.5-4 4.5 4.5L14.5 9M3.5 17h13")}Download</a>
        <button type="button" class="act" data-do="original">Compare with the original</button>
        <button type="button" class="act" data-do="against-baseline">Compare with the baseline</button>
        <button type="button" class="act" data-do="use_seed">Use this seed</button>
        <button type="button" class="act" data-do="baseline"></button>
      </div>
      ${DETAILS}
    </div>
    <div class="against">
      <p class="hint">Drag the line or use the arrow keys. Space flips.</p>
      <section class="differences"></section>
      <section class="both"></section>
    </div>
  </div>
  <p class="aloud" role="status"></p>`;

const bar = document.createElement("div");
bar.className = "picked-bar";
bar.setAttribute("role", "region");
bar.setAttribute("aria-label", "Compare");
bar.hidden = true;
bar.innerHTML = `
  <p role="status"></p>
  <button type="button" data-do="original">Compare with the original</button>
  <button type="button" data-do="against-baseline">Compare with the baseline</button>
  <button type="button" data-do="clear">Clear</button>`;

// The component may be mounted again, and its elements outside would otherwise stay.
for (const old of document.querySelectorAll("body > .viewer, body > .picked-bar")) old.remove();
document.body.append(dialog, bar);

const find = (selector) => dialog.querySelector(selector);
const range = find("input");
const images = { left: find(".left img"), right: find(".right img") };
const selects = { left: find("select[data-side=left]"), right: find("select[data-side=right]") };
const tabs = [...dialog.querySelectorAll("[role=tab]")];

let picks = []; // ids, the older first
let alone = null; // the id that is shown large, or
let sides = null; // the two that are compared: {left, right}, each an id or ORIGINAL
let opener = null; // where the focus was: {id, selector} of a card's part, for the card may be another element by then
let shown = ""; // which addresses stand on the stage, so that a renewed page does not load them again

function make(tag, className, ...content) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...content);
  return node;
}

function say(text) {
  find(".aloud").textContent = text;
}

function landed() {
  return [...element.querySelectorAll(".shot.landed[data-shot]")].map((card) => ({
    ...JSON.parse(card.dataset.shot),
    thumbnail: card.querySelector("img").src,
  }));
}

const card = (id) => element.querySelector(`#shot-${CSS.escape(id)}`);

// Opening and closing

function openAlone(id, from) {
  opener ??= from;
  sides = null;
  alone = id;
  open();
  find("h2").focus();
}

function openAgainst(left, right, from) {
  opener ??= from;
  alone = null;
  sides = { left, right };
  range.value = 50;
  open();
  range.focus();
}

function open() {
  const page = document.documentElement;
  if (!dialog.open) page.style.setProperty("--scrollbar", `${innerWidth - page.clientWidth}px`);
  if (!dialog.open) dialog.showModal();
  bar.hidden = true;
  dialog.scrollTop = find(".panel").scrollTop = 0;
  say("");
  draw();
}

dialog.addEventListener("close", () => {
  const { id, selector } = opener;
  alone = sides = opener = null;
  shown = "";
  for (const image of Object.values(images)) image.removeAttribute("src");
  pick([]);
  card(id)?.querySelector(selector)?.focus();
});

// Drawing

function draw() {
  const shots = landed();
  const byId = new Map(shots.map((shot) => [shot.id, shot]));
  const wanted = sides ? [sides.left, sides.right].filter((id) => id !== ORIGINAL) : [alone];
  if (wanted.some((id) => !byId.has(id))) return dialog.close();
  dialog.classList.toggle("comparing", sides !== null);
  if (sides) drawAgainst(shots, byId);
  else drawAlone(byId.get(alone), shots);
}

function drawAlone(shot, shots) {
  const baseline = shots.find((other) => other.baseline && other.id !== shot.id);
  find("h2 span").textContent = shot.label;
  find(".mark").hidden = !shot.baseline;
  find(".panel .facts").textContent = shot.facts.join(" · ");
  find(".walk").hidden = shots.length < 2;
  find(".count").textContent = `${shots.findIndex((other) => other.id === shot.id) + 1} of ${shots.length}`;
  find("a.main").href = shot.picture;
  find("a.main").download = shot.name;
  find("[data-do=baseline]").textContent = shot.baseline ? "No longer the baseline" : "Make it the baseline";
  find("[data-do=original]").hidden = !shot.original;
  find("[data-do=against-baseline]").hidden = !baseline;
  drawDetails(shot);
  stage({ right: { label: shot.label, picture: shot.picture } }, shot);
}

function drawAgainst(shots, byId) {
  const [left, right] = [byId.get(sides.left), byId.get(sides.right)];
  const options = [[ORIGINAL, "Original"], ...shots.map((s) => [s.id, s.baseline ? `${s.label} (baseline)` : s.label])];
  for (const [side, select] of Object.entries(selects)) {
    // Only when it changed: a list that is open would close.
    if (JSON.stringify([...select.options].map((o) => [o.value, o.text])) !== JSON.stringify(options))
      select.replaceChildren(...options.map(([id, label]) => new Option(label, id)));
    select.value = sides[side];
  }
  const original = { label: "Original", picture: (left ?? right).original };
  find("h2 span").textContent = `${(left ?? original).label} and ${(right ?? original).label}`;
  find(".differences").replaceChildren(...(left && right ? differences(left, right) : photoAnd(left ?? right)));
  find(".both").replaceChildren(...[left, right].filter(Boolean).map(summary));
  stage({ left: left ?? original, right: right ?? original }, left ?? right);
  tellShare();
}

function differences(left, right) {
  const [before, after] = [JSON.parse(left.request), JSON.parse(right.request)];
  const list = make("dl", "");
  for (const [field, title] of FIELDS) {
    if (before[field] === after[field]) continue;
    const [old, now] = [before, after].map((request) => String(request[field] ?? "") || "none");
    list.append(make("dt", "", title), make("dd", "", make("b", "", now), " instead of ", make("span", "", old)));
  }
  return [make("h3", "", "What differs on the right"), list.children.length ? list : make("p", "", "Nothing: both come from the same request.")];
}

function photoAnd(shot) {
  const text = "The original is your photo, laid over this headshot’s frame, the eyes at the same place.";
  return [make("p", "", text), noteList(shot, "applied", "Applied to your photo") ?? ""];
}

function summary(shot) {
  const button = make("button", "act", "Open");
  button.type = "button";
  button.dataset.open = shot.id;
  button.setAttribute("aria-label", `Open ${shot.label}`);
  const name = make("b", "", shot.label);
  if (shot.baseline) name.append(make("small", "mark", "Baseline"));
  return make("div", "one", make("p", "", name, make("span", "facts", shot.facts.join(" · "))), button);
}

// The stage

async function stage(pictures, frame) {
  const pair = find(".pair");
  pair.style.setProperty("--ratio", frame.width / frame.height);
  for (const [side, { label }] of Object.entries(pictures)) {
    find(`.${side} span`).textContent = label;
    images[side].alt = label === "Original" ? "Your photo" : `Headshot, ${label}`;
  }
  const wanted = JSON.stringify(Object.entries(pictures).map(([side, { picture }]) => [side, picture]));
  if (wanted === shown) return;
  shown = wanted;
  // The small picture stands in for the large one, which may be on its way.
  pair.style.setProperty("--thumbnail", sides ? "none" : `url(${JSON.stringify(frame.thumbnail)})`);
  find(".stage").className = "stage loading";
  find(".state").textContent = sides ? "Loading both pictures…" : "";
  const decoded = Object.entries(pictures).map(([side, { picture }]) => {
    images[side].src = picture;
    return images[side].decode();
  });
  const failed = (await Promise.allSettled(decoded)).some((result) => result.status === "rejected");
  if (wanted !== shown) return; // others were asked for meanwhile
  find(".stage").className = failed ? "stage gone" : "stage";
  find(".state").textContent = failed ? GONE : "";
}

function tellShare() {
  const share = Number(range.value);
  find(".pair").style.setProperty("--share", `${share}%`);
  const [left, right] = ["left", "right"].map((side) => find(`.${side} span`).textContent);
  range.setAttribute("aria-valuetext", `${share} % ${left}, ${100 - share} % ${right}`);
}

range.addEventListener("input", tellShare);

// A finger that turns out to scroll has moved the line already, which goes back to where it was.
let resting = 50;
range.addEventListener("pointerdown", () => (resting = range.value));
range.addEventListener("pointercancel", () => {
  range.value = resting;
  tellShare();
});

range.addEventListener("keydown", (event) => {
  if (event.key !== " ") return;
  event.preventDefault();
  if (event.repeat) return;
  range.value = range.value < 50 ? 100 : 0;
  tellShare();
});

dialog.addEventListener("change", ({ target }) => {
  const side = target.dataset.side;
  if (!side) return;
  const other = side === "left" ? "right" : "left";
  // Nothing is compared with itself: the other side takes what stood here.
  if (sides[other] === target.value) sides[other] = sides[side];
  sides[side] = target.value;
  draw();
});

// Picking

function pick(ids) {
  picks = ids;
  const shots = landed();
  for (const { id } of shots) {
    card(id).classList.toggle("picked", picks.includes(id));
    card(id).querySelector(".pick")?.setAttribute("aria-pressed", picks.includes(id));
  }
  const shot = shots.find(({ id }) => id === picks[0]);
  bar.hidden = !shot || dialog.open;
  if (!shot) return;
  bar.querySelector("p").textContent = `${shot.label} picked. Pick another, or`;
  bar.querySelector("[data-do=original]").hidden = !shot.original;
  bar.querySelector("[data-do=against-baseline]").hidden = shot.baseline || !shots.some(({ baseline }) => baseline);
}

function baselineId() {
  return landed().find((shot) => shot.baseline).id;
}

// Events

element.addEventListener("click", (event) => {
  const from = event.target.closest("a.frame, .pick");
  const figure = from?.closest(".shot.landed[data-shot]");
  if (!figure || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const { id } = JSON.parse(figure.dataset.shot);
  if (from.matches("a.frame")) return openAlone(id, { id, selector: "a.frame" });
  if (picks.includes(id)) return pick(picks.filter((other) => other !== id));
  pick([...picks, id]);
  if (picks.length === 2) openAgainst(...picks, { id, selector: ".pick" });
});

bar.addEventListener("click", ({ target }) => {
  const action = target.dataset.do;
  const [id] = picks;
  const from = { id, selector: ".pick" };
  if (action === "original") openAgainst(ORIGINAL, id, from);
  if (action === "against-baseline") openAgainst(baselineId(), id, from);
  if (action === "clear") {
    pick([]);
    card(id).querySelector(".pick").focus();
  }
});

let pressed = null; // a drag that began on the slider may end on the backdrop, which is not a click there
dialog.addEventListener("pointerdown", ({ target }) => (pressed = target));
dialog.addEventListener("click", ({ target }) => {
  if (target === dialog && pressed === dialog) return dialog.close();
  const button = target.closest("button");
  if (!button) return;
  const { go, copy, open: id, do: action } = button.dataset;
  if (go) walk(Number(go));
  else if (copy !== undefined) copyBeside(button);
  else if (id) openAlone(id);
  else if (button.role === "tab") select(button);
  else if (action === "close") dialog.close();
  else if (action === "swap") {
    [sides.left, sides.right] = [sides.right, sides.left];
    draw();
  } else if (action === "original") openAgainst(ORIGINAL, alone);
  else if (action === "against-baseline") openAgainst(baselineId(), alone);
  else if (action === "use_seed") {
    trigger("select", { action, id: alone });
    dialog.close();
  } else if (action === "baseline") {
    const { baseline } = landed().find((shot) => shot.id === alone);
    trigger("select", { action: baseline ? "no_baseline" : "baseline", id: alone });
  }
});

dialog.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.target.role === "tab") return chooseTab(event);
  if (step && alone && !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    walk(step);
  }
});

function walk(step) {
  const shots = landed();
  const at = shots.findIndex((shot) => shot.id === alone);
  const next = shots[(at + step + shots.length) % shots.length];
  alone = next.id;
  draw();
  say(`${next.label}, ${find(".count").textContent}`);
}

select(tabs[0]);

watch("value", () => {
  pick(picks.filter((id) => card(id)));
  if (dialog.open) draw();
});
