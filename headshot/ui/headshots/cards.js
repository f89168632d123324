// The headshots' cards in all tabs, and the toolbar above the last comparison. The viewer is one function, made of
// cards.js, details.js, viewer.js, zoom.js, compare_view.js, selection.js, fullscreen.js and retry_buttons.js, in this
// order (see run_view.py).
const PLACES = ":is(#shots, #history, #team)";
const CARDS = `${PLACES} .shot.completed[data-shot]`;

// The component may be mounted again: elements and listeners of the earlier one are removed.
globalThis.headshotViewer?.abort();
const mounted = new AbortController();
globalThis.headshotViewer = mounted;
const whileMounted = { signal: mounted.signal };
for (const old of document.querySelectorAll("body > :is(.viewer, .picked-bar, .fullscreen), .grid-tools")) old.remove();

function make(tag, className, ...content) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...content);
  return node;
}

function icon(path) {
  return `<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${path}"/></svg>`;
}

// Cards. A headshot may be shown in two tabs, so its key contains the place.

const parsed = new WeakMap(); // by element: its JSON, parsed once, because a history has hundreds
const remembered = new Map(); // by key: the picked ones, because the history may show another page

function shotOf(figure) {
  const text = figure.dataset.shot;
  if (parsed.get(figure)?.text !== text) {
    const shot = JSON.parse(text);
    const place = figure.closest(PLACES).id;
    parsed.set(figure, { text, shot: { ...shot, place, key: `${place}/${shot.id}` } });
  }
  const run = figure.closest(".run");
  const thumbnail = figure.querySelector("img").src;
  return { ...parsed.get(figure).shot, thumbnail, run: run?.dataset.title ?? "", group: run ?? figure.closest(PLACES) };
}

function completed(within = document) {
  return [...within.querySelectorAll(CARDS)].map(shotOf);
}

// The headshots on the page, and those that were picked on another page of the history.
function known() {
  const here = completed();
  if (!here.length) remembered.clear();
  const keys = new Set(here.map(({ key }) => key));
  return [...here, ...[...remembered.values()].filter(({ key, place }) => place !== "shots" && !keys.has(key))];
}

function card(key) {
  return [...document.querySelectorAll(CARDS)].find((figure) => shotOf(figure).key === key);
}

// The toolbar, outside of the component, whose content Gradio replaces

const tools = document.createElement("div");
tools.className = "grid-tools";
tools.hidden = true;
tools.innerHTML = `
  <button type="button" data-do="sort" aria-pressed="false">${icon("M5 4v12m-3-3 3 3 3-3M11 5h7m-7 5h5m-5 5h3")}Sort by likeness</button>
  <button type="button" data-do="fullscreen">${icon("M3 7.500V3h4.500M12.500 3H17v4.500M17 12.500V17h-4.500M7.500 17H3v-4.500")}Full screen</button>`;
element.before(tools);
const [sortButton] = tools.children;
let sorted = false;
let unsorted = []; // the cards in the order that the server gave them
let focused = null; // the part of a card that has the focus: {key, selector}

element.addEventListener(
  "focusin",
  ({ target }) => {
    const figure = target.closest(".shot.completed[data-shot]");
    const selector = ["a.frame", ".pick", ".download"].find((each) => target.matches(each));
    focused = figure && selector ? { key: shotOf(figure).key, selector } : null;
  },
  whileMounted
);

const grid = () => element.querySelector(".shots:not(:has(~ .matrix))");

function drawTools() {
  const shots = completed(element);
  const sortable = shots.filter(({ likeness }) => typeof likeness === "number").length > 1 && grid();
  tools.hidden = !shots.length;
  sortButton.hidden = !sortable;
  unsorted = grid() ? [...grid().children] : [];
  if (!sorted || !sortable) return;
  // Gradio updates the elements by their position, and moved elements lose the focus: give it back to its card.
  const within = focused && element.contains(document.activeElement) ? { ...focused } : null;
  arrange();
  const same = within && card(within.key)?.querySelector(within.selector);
  if (same && same !== document.activeElement) same.focus({ preventScroll: true });
}

function arrange() {
  const rank = (node) => (node.matches("[data-shot]") ? (shotOf(node).likeness ?? -1) : -2);
  const wanted = sorted ? [...unsorted].sort((one, other) => rank(other) - rank(one)) : unsorted;
  // The elements themselves are moved, so that the Tab key follows the order on the screen.
  if (wanted.some((node, at) => grid().children[at] !== node)) grid().append(...wanted);
}

tools.addEventListener("click", ({ target }) => {
  const action = target.closest("button")?.dataset.do;
  if (action === "fullscreen") openFullscreen(() => completed(element), target.closest("button"));
  if (action !== "sort") return;
  sorted = !sorted;
  sortButton.setAttribute("aria-pressed", sorted);
  arrange();
});

// Updates. For the other tabs there is no event to listen to.

const others = new MutationObserver((changes) => {
  if (changes.some(({ target }) => target.closest?.("#history, #team"))) pick(picks);
});
others.observe(document.body, { childList: true, subtree: true, attributeFilter: ["aria-pressed"] });
mounted.signal.addEventListener("abort", () => others.disconnect());

watch("value", () => {
  drawTools();
  pick(picks);
  if (dialog.open) draw();
  if (fullscreen.open) drawFullscreen();
});

drawTools();
