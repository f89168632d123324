// Full screen: one comparison, one picture at a time.
import { completed, PLACES } from "./cards.js";
import { GONE } from "./dialog.js";
import { icon, make, plain } from "./dom.js";

const CURSOR_MS = 2000; // then the cursor and the close button disappear
const HINT_MS = 3000;
const HOLD_MS = 350; // a key or finger that is held longer shows the original only while it is held
const SWIPE_PX = 40;
const TAP_PX = 10;
const LARGE_IN_GRID = 12; // more than these are shown as thumbnails

export const fullscreen = document.createElement("dialog");
fullscreen.className = "fullscreen";
fullscreen.setAttribute("aria-label", "Full screen");
fullscreen.innerHTML = `
  <div class="room" role="application" tabindex="-1" aria-label="Full screen. Arrow keys: the next one. O: the original. G: all of them. L: the label. Escape: close.">
    <div class="one"></div>
    <div class="all"></div>
    <p class="name"></p>
    <p class="keys" aria-hidden="true">
      <span class="typed"><kbd>→</kbd> next <kbd>O</kbd> original <kbd>G</kbd> all <kbd>L</kbd> label <kbd>Esc</kbd> close</span>
      <span class="touched">Tap: next · Hold: original · Swipe down: close</span>
    </p>
    <button type="button" class="leave" aria-label="Close full screen">${icon("m5 5 10 10M15 5 5 15")}</button>
  </div>
  <p class="aloud" role="status"></p>`;
document.body.append(fullscreen);

const room = fullscreen.querySelector(".room");
const warm = new Map(); // by address: {image, ready}
let state = null; // while it is open: {list, from, key, original, all, full}
let labelled = true;
let hiding, hinting, holding;

export function openFullscreen(list, from) {
  const [first] = list();
  if (!first) return;
  state = { list, from, key: first.key, original: false, all: false, full: false };
  fullscreen.showModal();
  room.focus();
  room.classList.remove("hinted");
  clearTimeout(hinting);
  hinting = setTimeout(() => room.classList.add("hinted"), HINT_MS);
  wake();
  drawFullscreen();
  fill(state);
}

// Full screen if the browser allows it; else the dialog fills the window.
async function fill(mine) {
  try {
    await room.requestFullscreen({ navigationUI: "hide" });
    mine.full = true;
    if (state !== mine) await document.exitFullscreen();
  } catch {
    mine.full = false;
  }
}

document.addEventListener("fullscreenchange", () => {
  if (state?.full && !document.fullscreenElement) fullscreen.close();
});

fullscreen.addEventListener("close", () => {
  if (fullscreen.open || !state) return; // opened again, or opened and closed again, before this event arrived
  const { from } = state;
  state = null;
  for (const timer of [hiding, hinting, holding]) clearTimeout(timer);
  warm.clear();
  room.querySelector(".one").replaceChildren();
  room.querySelector(".all").replaceChildren();
  if (document.fullscreenElement) document.exitFullscreen();
  from.focus();
});

// Drawing

export function drawFullscreen() {
  const shots = state.list();
  if (!shots.length) return fullscreen.close();
  const at = Math.max(0, shots.findIndex(({ key }) => key === state.key));
  const shot = shots[at];
  state.key = shot.key;
  const original = state.original && shot.original;
  room.classList.toggle("gridded", state.all);
  room.classList.toggle("blind", !labelled);
  room.querySelector(".name").textContent = original ? "Original" : shot.label;
  const where = `${at + 1} of ${shots.length}`;
  const line = state.all ? `All ${shots.length}` : `${original ? "Original" : labelled ? shot.label : "Headshot"}, ${where}`;
  fullscreen.querySelector(".aloud").textContent = state.original && !original ? `${line}, no original available` : line;
  if (state.all) return drawAll(shots, at);
  const beside = [at + 1, at - 1].map((next) => shots.at(next % shots.length).picture);
  const wanted = [original || shot.picture, shot.picture, shot.original, ...beside].filter(Boolean);
  for (const address of warm.keys()) if (!wanted.includes(address)) warm.delete(address);
  for (const address of wanted) preload(address);
  hang(wanted[0], original ? "Your photo" : labelled ? `Headshot, ${shot.label}` : `Headshot ${where}`);
}

function preload(address) {
  if (warm.has(address)) return;
  const image = Object.assign(new Image(), { src: address, draggable: false });
  const ready = image.decode().then(
    () => true,
    () => false
  );
  warm.set(address, { image, ready });
}

// The former picture stays until the next one is decoded.
async function hang(address, alt) {
  state.wanted = address;
  const { image, ready } = warm.get(address);
  const there = await ready;
  if (state?.wanted !== address) return; // another picture was chosen meanwhile
  image.alt = alt;
  room.querySelector(".one").replaceChildren(there ? image : make("p", "", GONE));
}

function drawAll(shots, at) {
  const list = room.querySelector(".all");
  const ratio = shots[0].width / shots[0].height;
  const size = (columns) => Math.min(innerWidth / columns, (innerHeight * ratio) / Math.ceil(shots.length / columns));
  const columns = shots.map((_, each) => each + 1).sort((one, other) => size(other) - size(one))[0];
  list.style.setProperty("--columns", columns);
  list.style.setProperty("--width", `${size(columns)}px`);
  list.style.setProperty("--ratio", ratio);
  const cells = shots.map(({ key, label, picture, thumbnail }, each) => {
    const cell = make("button", "", make("img", ""), make("span", "", label));
    cell.type = "button";
    cell.dataset.key = key;
    cell.setAttribute("aria-label", labelled ? label : `Headshot ${each + 1} of ${shots.length}`);
    const [image] = cell.children;
    Object.assign(image, { src: shots.length > LARGE_IN_GRID ? thumbnail : picture, alt: "", draggable: false });
    return cell;
  });
  list.replaceChildren(...cells);
  cells[at].focus();
}

// Moving

function turn(change) {
  Object.assign(state, change);
  drawFullscreen();
  if (!state.all && document.activeElement !== room) room.focus();
}

function move(step) {
  const shots = state.list();
  const at = shots.findIndex(({ key }) => key === state.key);
  turn({ key: shots[(at + step + shots.length) % shots.length].key, original: false });
}

const columnsOf = () => (state.all ? Number(room.querySelector(".all").style.getPropertyValue("--columns")) : 1);
const MOVES = {
  ArrowRight: () => move(1),
  ArrowLeft: () => move(-1),
  ArrowDown: () => move(Math.min(columnsOf(), state.list().length - 1)),
  ArrowUp: () => move(-Math.min(columnsOf(), state.list().length - 1)),
  PageDown: () => move(1),
  PageUp: () => move(-1),
  Home: () => turn({ key: state.list()[0].key, original: false }),
  End: () => turn({ key: state.list().at(-1).key, original: false }),
  " ": () => (state.all ? turn({ all: false }) : move(1)),
  Enter: () => (state.all ? turn({ all: false }) : move(1)),
  g: () => turn({ all: !state.all, original: false }),
  l() {
    labelled = !labelled;
    drawFullscreen();
  },
};

let down = 0; // when the key O was pressed

fullscreen.addEventListener("keydown", (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!plain(event) && event.key !== "L" && event.key !== "G" && event.key !== "O") return;
  if (event.target.matches(".leave") && [" ", "Enter"].includes(key)) return;
  if (key === "o" && !state.all) {
    event.preventDefault();
    if (event.repeat) return;
    down = event.timeStamp;
    turn({ original: !state.original });
  } else if (MOVES[key]) {
    event.preventDefault();
    if (!event.repeat || key.startsWith("Arrow")) MOVES[key]();
  }
});

fullscreen.addEventListener("keyup", ({ key, timeStamp }) => {
  if (key.toLowerCase() === "o" && state?.original && timeStamp - down > HOLD_MS) turn({ original: false });
});

// By hand

function wake() {
  room.classList.remove("idle");
  clearTimeout(hiding);
  hiding = setTimeout(() => room.classList.add("idle"), CURSOR_MS);
}

let touch = null; // where a finger or the mouse went down: {x, y, held}

room.addEventListener("pointermove", ({ movementX, movementY, clientX, clientY }) => {
  if (movementX || movementY) wake();
  if (touch && Math.hypot(clientX - touch.x, clientY - touch.y) > TAP_PX) clearTimeout(holding);
});

room.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || event.target.closest("button")) return;
  touch = { x: event.clientX, y: event.clientY, held: false };
  clearTimeout(holding);
  holding = setTimeout(() => {
    if (!touch || state.all) return;
    touch.held = true;
    turn({ original: true });
  }, HOLD_MS);
});

room.addEventListener("pointerup", (event) => {
  clearTimeout(holding);
  if (!touch) return;
  const [x, y] = [event.clientX - touch.x, event.clientY - touch.y];
  const { held: looked } = touch;
  touch = null;
  if (event.pointerType !== "mouse") wake();
  if (looked) return turn({ original: false });
  if (state.all) return;
  if (event.pointerType !== "mouse" && y > 2 * SWIPE_PX && y > Math.abs(x)) fullscreen.close();
  else if (event.pointerType !== "mouse" && Math.abs(x) > SWIPE_PX && Math.abs(x) > Math.abs(y)) move(x < 0 ? 1 : -1);
  else if (Math.hypot(x, y) < TAP_PX) move(1);
});

room.addEventListener("pointercancel", () => {
  clearTimeout(holding);
  if (touch?.held) turn({ original: false });
  touch = null;
});

room.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch would open it

room.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button?.matches(".leave")) fullscreen.close();
  else if (button) turn({ key: button.dataset.key, all: false });
});

// A button in another tab opens the run that it belongs to.
document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("[data-fullscreen]");
  const run = button?.closest(".run") ?? button?.closest(PLACES);
  if (run) openFullscreen(() => completed(run), button);
});
