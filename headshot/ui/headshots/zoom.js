// Zoom and position, the same for all pictures on the stage. A picture's pixel p is at
// p * scale + offset in a plane that all share; at fit, the plane's middle is the middle of the cell.
import { board, dialog, find, range, say, stageNode, viewing } from "./dialog.js";

const MOST = 8; // of the screen's pixels for one of the picture's: larger shows nothing but squares
const CRISP = 3; // from here the picture's pixels are shown as the squares they are
const STEP = 1.5;
const FACE_SHARE = 0.62; // of the cell's height: the whole face, the hair and the chin's edge
const PAN_SHARE = 0.12; // of the cell, for each press of an arrow key
const TWICE_MS = 320; // between the two taps of a double tap
const AXES = [0, 1];

// zoom: times the size at which the first fits.  at: the first one's point at the middle, 0…1.  aligned: face on face.
export const sight = { zoom: 1, at: [0.5, 0.5], aligned: false };

export const zoomed = () => sight.zoom > 1.001 || sight.aligned;
const between = (low, value, high) => Math.min(Math.max(value, low), high);

function planes([width, height]) {
  const fits = viewing.scenes.map(({ size }) => Math.min(width / size[0], height / size[1]));
  const plain = viewing.scenes.map(({ size }, i) => ({ scale: fits[i], offset: size.map((length) => (-length * fits[i]) / 2) }));
  if (!sight.aligned || viewing.scenes.some(({ face }) => !face)) return plain;
  const middle = ([x, y, w, h]) => [x + w / 2, y + h / 2];
  const [first] = viewing.scenes;
  return viewing.scenes.map(({ face }) => {
    const scale = (plain[0].scale * first.face[3]) / face[3];
    const there = AXES.map((axis) => middle(first.face)[axis] * plain[0].scale + plain[0].offset[axis]);
    return { scale, offset: AXES.map((axis) => there[axis] - middle(face)[axis] * scale) };
  });
}

const cell = () => [viewing.scenes[0].side.clientWidth, viewing.scenes[0].side.clientHeight];

// The plane's point at the middle of every cell, and back.
const centre = ([plane]) => AXES.map((axis) => sight.at[axis] * viewing.scenes[0].size[axis] * plane.scale + plane.offset[axis]);
const lookAt = ([plane], point) => {
  sight.at = AXES.map((axis) => (point[axis] - plane.offset[axis]) / plane.scale / viewing.scenes[0].size[axis]);
};

// Inside what all the pictures cover, so that none leaves its cell.
function bound(all, extent) {
  const point = centre(all);
  const inside = AXES.map((axis) => {
    const low = Math.max(...all.map(({ offset }) => offset[axis]));
    const high = Math.min(...all.map(({ offset, scale }, i) => offset[axis] + viewing.scenes[i].size[axis] * scale));
    const half = extent[axis] / 2 / sight.zoom;
    return high - low <= 2 * half ? (low + high) / 2 : between(low + half, point[axis], high - half);
  });
  lookAt(all, inside);
}

const natural = (all) => 1 / devicePixelRatio / all[0].scale; // the zoom at which a pixel is a pixel
const mostZoom = (all) => Math.max(4, MOST * natural(all));

// gliding: whether to animate the change, for keys and buttons, which move the picture by a step.
export function show(gliding = false) {
  if (!viewing.scenes.length || !cell()[0]) return;
  const extent = cell();
  const all = planes(extent);
  sight.zoom = between(1, sight.zoom, mostZoom(all));
  bound(all, extent);
  const point = centre(all);
  const whole = (length) => Math.round(length * devicePixelRatio) / devicePixelRatio;
  board.classList.toggle("gliding", gliding);
  board.classList.toggle("zoomed", zoomed());
  viewing.scenes.forEach(({ image, size }, i) => {
    const scale = sight.zoom * all[i].scale;
    const [x, y] = AXES.map((axis) => whole(extent[axis] / 2 + sight.zoom * (all[i].offset[axis] - point[axis])));
    image.style.width = `${size[0]}px`;
    image.style.height = `${size[1]}px`;
    image.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    image.style.imageRendering = scale * devicePixelRatio >= CRISP ? "pixelated" : "auto";
  });
  updateZoom(sight.zoom / natural(all));
}

function updateZoom(share) {
  const faces = viewing.scenes.every(({ face }) => face);
  find(".percent").textContent = `${Math.round(100 * share)} %`;
  disable("out", sight.zoom <= 1.001);
  disable("in", sight.zoom >= mostZoom(planes(cell())) - 0.001);
  disable("fit", !zoomed());
  find("[data-zoom=face]").hidden = !faces;
  find("[data-zoom=face]").setAttribute("aria-pressed", sight.aligned);
}

// Not `disabled`: the button that was just pressed would lose the focus.
const disable = (name, on) => find(`[data-zoom=${name}]`).setAttribute("aria-disabled", on);

// Keeps what is under `from`, in pixels from the cell's middle, where it is.
function zoomTo(zoom, from = [0, 0], gliding = false) {
  const all = planes(cell());
  const now = between(1, zoom, mostZoom(all));
  const point = centre(all);
  lookAt(all, AXES.map((axis) => point[axis] + from[axis] / sight.zoom - from[axis] / now));
  sight.zoom = now;
  show(gliding);
}

function panBy(x, y, gliding = false) {
  const all = planes(cell());
  const point = centre(all);
  lookAt(all, [point[0] - x / sight.zoom, point[1] - y / sight.zoom]);
  show(gliding);
}

const ZOOMS = {
  in: () => step(STEP),
  out: () => step(1 / STEP),
  fit() {
    Object.assign(sight, { zoom: 1, at: [0.5, 0.5], aligned: false });
    show(true);
  },
  natural: () => zoomTo(natural(planes(cell())), [0, 0], true),
  face() {
    if (sight.aligned) return ZOOMS.fit();
    const [{ face, size }] = viewing.scenes;
    sight.aligned = true;
    const [plane] = planes(cell());
    sight.at = AXES.map((axis) => (face[axis] + face[axis + 2] / 2) / size[axis]);
    sight.zoom = (FACE_SHARE * Math.min(cell()[1] / face[3], cell()[0] / face[2])) / plane.scale;
    show(true);
  },
};

// Not past the size at which a pixel is a pixel.
function step(factor) {
  const [here, there, exact] = [sight.zoom, sight.zoom * factor, natural(planes(cell()))];
  const passes = (here - exact) * (there - exact) < 0 && Math.abs(here / exact - 1) > 0.01;
  zoomTo(passes ? exact : there, [0, 0], true);
}

export function doZoom(button) {
  if (button.getAttribute("aria-disabled") === "true") return;
  ZOOMS[button.dataset.zoom]();
  say(`${find(".percent").textContent}${sight.aligned ? ", the faces at the same place" : ""}`);
}

const ZOOM_KEYS = { "+": "in", "=": "in", "-": "out", _: "out", 0: "fit", 1: "natural" };
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

// Returns whether the key was handled.
export function zoomKey({ key, target, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey || target.matches("select")) return false;
  if (ZOOM_KEYS[key]) ZOOMS[ZOOM_KEYS[key]]();
  else if (ARROWS[key] && zoomed() && !target.matches("[role=tab], input, pre"))
    panBy(...ARROWS[key].map((way, axis) => way * PAN_SHARE * cell()[axis]), true);
  else return false;
  return true;
}

// Pointers

function fromMiddle({ clientX, clientY }) {
  const boxes = viewing.scenes.map(({ side }) => side.getBoundingClientRect());
  const inside = ({ left, right, top, bottom }) =>
    clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
  const box = boxes.find(inside) ?? boxes[0];
  return [clientX - box.x - box.width / 2, clientY - box.y - box.height / 2];
}

stageNode.addEventListener(
  "wheel",
  (event) => {
    // If the dialog is one long page, the wheel scrolls it. A pinch on a touchpad is reported as Ctrl and wheel.
    if (dialog.scrollHeight > dialog.clientHeight && !event.ctrlKey && !zoomed()) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 24 : 1;
    zoomTo(sight.zoom * Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)), fromMiddle(event));
  },
  { passive: false }
);

export const fingers = new Map(); // by pointer: where it is
let tapped = { time: 0 };

export const pinching = () => fingers.size > 1;
const span = () => {
  const [one, other] = fingers.values();
  return {
    length: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY),
    clientX: (one.clientX + other.clientX) / 2,
    clientY: (one.clientY + other.clientY) / 2,
  };
};

board.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || fingers.size > 1) return;
  const { pointerId, clientX, clientY } = event;
  fingers.set(pointerId, { clientX, clientY, onLine: event.target === range });
  if (zoomed() && event.target !== range) board.setPointerCapture(pointerId);
});

board.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const was = pinching() ? span() : null;
  const { clientX, clientY } = event;
  fingers.set(event.pointerId, { ...before, clientX, clientY });
  if (was) {
    const now = span();
    zoomTo((sight.zoom * now.length) / was.length, fromMiddle(now));
    panBy(now.clientX - was.clientX, now.clientY - was.clientY);
  } else if (zoomed() && !before.onLine) panBy(clientX - before.clientX, clientY - before.clientY);
});

for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
  board.addEventListener(end, ({ pointerId }) => fingers.delete(pointerId));

function toggleZoom(event) {
  if (zoomed()) return ZOOMS.fit();
  const all = planes(cell());
  zoomTo(Math.max(natural(all), 2), fromMiddle(event), true);
}

board.addEventListener("dblclick", (event) => {
  if (event.target.matches("input") && zoomed()) return; // the line's handle
  if (tapped.type !== "touch") toggleZoom(event);
});

// Not every phone makes a double click of a double tap.
board.addEventListener("pointerup", (event) => {
  const { pointerType: type, timeStamp: time, clientX: x, clientY: y } = event;
  const again = type === "touch" && time - tapped.time < TWICE_MS && Math.hypot(x - tapped.x, y - tapped.y) < 30;
  if (again) toggleZoom(event);
  tapped = { type, time: again ? 0 : time, x, y };
});
