// Picking headshots to compare: a mark on each card, and a bar with the next steps.
import { card, CARDS, completed, known, remembered, shotOf } from "./cards.js";
import { baselineKey } from "./compare_view.js";
import { dialog, ORIGINAL, viewing } from "./dialog.js";
import { plain } from "./dom.js";
import { openAlone, openCompared } from "./viewer.js";

const MOST_PICKS = 4;

export const bar = document.createElement("div");
bar.className = "picked-bar";
bar.setAttribute("role", "region");
bar.setAttribute("aria-label", "Compare");
bar.hidden = true;
bar.innerHTML = `
  <div class="summary"><div class="slots" aria-hidden="true"></div><p role="status"></p></div>
  <button type="button" data-do="compare">Compare</button>
  <button type="button" data-do="original">Compare with the original</button>
  <button type="button" data-do="against-baseline">Compare with the baseline</button>
  <button type="button" data-do="clear">Clear</button>`;
document.body.append(bar);

let placing = null;

// The bar is under the headshots, or in the middle if another tab is open.
export function placeBar(element) {
  placing?.disconnect();
  placing = new ResizeObserver(() => bar.classList.toggle("elsewhere", !element.checkVisibility()));
  placing.observe(element);
}

export let picks = []; // keys, the oldest first

export function pick(keys) {
  picks = keys;
  const here = completed();
  for (const shot of here) if (picks.includes(shot.key)) remembered.set(shot.key, shot);
  for (const key of remembered.keys()) if (!picks.includes(key)) remembered.delete(key);
  for (const figure of document.querySelectorAll(CARDS)) mark(figure, picks.includes(shotOf(figure).key));
  const shots = known();
  const picked = picks.map((key) => shots.find((shot) => shot.key === key)).filter(Boolean);
  picks = picked.map(({ key }) => key);
  bar.hidden = !picked.length || dialog.open;
  if (picked.length) drawBar(picked, shots);
}

// Only if it changes, because every change triggers the observer.
function mark(figure, on) {
  figure.classList.toggle("picked", on);
  const button = figure.querySelector(".pick");
  if (button && button.getAttribute("aria-pressed") !== String(on)) button.setAttribute("aria-pressed", on);
}

function drawBar(picked, shots) {
  const [shot] = picked;
  const several = picked.length > 1;
  const slots = picked.map(({ thumbnail }) => thumbnail);
  const images = [...bar.querySelectorAll("img")];
  if (JSON.stringify(images.map(({ src }) => src)) !== JSON.stringify(slots))
    bar.querySelector(".slots").replaceChildren(...slots.map((src) => Object.assign(new Image(), { src, alt: "" })));
  tell(several ? `${picked.length} picked` : `${shot.label} picked. Pick up to three more, or`);
  const button = (action) => bar.querySelector(`[data-do=${action}]`);
  button("compare").hidden = !several;
  button("original").hidden = several || !shot.original;
  button("against-baseline").hidden = several || shot.baseline || !shots.some(({ baseline }) => baseline);
}

function tell(text) {
  const line = bar.querySelector("p");
  if (line.textContent !== text) line.textContent = text;
}

document.addEventListener("click", (event) => {
  const from = event.target.closest?.("a.frame, .pick");
  const figure = from?.closest(CARDS);
  if (!figure || !plain(event)) return;
  event.preventDefault();
  const { key } = shotOf(figure);
  if (from.matches("a.frame")) return openAlone(key, { key, selector: "a.frame" });
  if (picks.includes(key)) return pick(picks.filter((other) => other !== key));
  if (picks.length === MOST_PICKS) return tell("Four at most: remove one first");
  pick([...picks, key]);
});

bar.addEventListener("click", ({ target }) => {
  const action = target.dataset.do;
  if (!action) return;
  const from = { key: picks.at(-1), selector: ".pick" };
  viewing.spent = action !== "clear";
  if (action === "compare") openCompared([...picks], from);
  if (action === "original") openCompared([ORIGINAL, picks[0]], from);
  if (action === "against-baseline") openCompared([baselineKey(), picks[0]], from);
  if (action === "clear") {
    pick([]);
    card(from.key)?.querySelector(".pick").focus();
  }
});
