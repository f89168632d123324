// The dialog that shows one headshot large, or compares two to four: its elements, and what it shows.
import { icon } from "./dom.js";

export const ORIGINAL = "";
export const GONE = "This picture is no longer here: pictures are deleted after a while.";
const VIEWS = [
  ["slider", "Slider", "M3 4h14v12H3zM10 2v16M10 4h7v12h-7"],
  ["side", "Side by side", "M3 4h6v12H3zM11 4h6v12h-6z"],
  ["flip", "Flip", "M3 6h10v11H3zM7 6V3h10v11h-4"],
];
const SIDES = ["left", "right", "third", "fourth"];
export const CODE = [
  ["request", "Request", "The exact request, as JSON."],
  ["python", "Python", "The same call, from Python."],
  ["curl", "cURL", "The same call, from a terminal."],
  ["javascript", "JavaScript", "The same call, from Node."],
];
const tab = (key, title) =>
  `<button type="button" role="tab" id="viewer-tab-${key}" aria-controls="viewer-${key}">${title}</button>`;

export const FORMS = [
  ["jpeg", "JPEG", ".jpg"],
  ["webp", "WebP", ".webp"],
  ["clean", "Clean copy", "-clean.png"],
];

const FILES = `
  <a class="act main" download>${icon("M10 3v10m-4.5-4 4.5 4.5L14.5 9M3.5 17h13")}<span></span></a>
  <div class="forms" role="group" aria-label="Other files">
    ${FORMS.map(([key, title]) => `<a class="act" data-form="${key}"${key === "clean" ? ' aria-describedby="viewer-clean"' : ""} download>${title}</a>`).join("")}
    <p id="viewer-clean">Clean copy: no settings embedded; AI label kept.</p>
  </div>`;

const DETAILS = `
  <div class="tabs" role="tablist" aria-label="Details">
    ${tab("notes", "Notes")}${CODE.map(([key, title]) => tab(key, title)).join("")}
  </div>
  <div role="tabpanel" id="viewer-notes" aria-labelledby="viewer-tab-notes" tabindex="0"></div>
  ${CODE.map(
    ([key, , what]) => `
  <div role="tabpanel" id="viewer-${key}" aria-labelledby="viewer-tab-${key}">
    <p class="copying">${what}<button type="button" data-copy>Copy</button></p>
    <pre tabindex="0" role="region" aria-labelledby="viewer-tab-${key}"></pre>
  </div>`
  ).join("")}`;

export const dialog = document.createElement("dialog");
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

export const find = (selector) => dialog.querySelector(selector);
export const stageNode = find(".stage");
export const board = find(".pair");
export const range = find("input");
export const sides = SIDES.map((side) => find(`.${side}`));
export const selects = [...dialog.querySelectorAll("select")];
export const tabs = [...dialog.querySelectorAll("[role=tab]")];


export const viewing = {
  alone: null, // the key of the headshot that is shown large, or
  compared: null, // the two to four that are compared, each a key or ORIGINAL
  opener: null, // where the focus was: {key, selector} of a part of a card, because its element may be replaced
  shown: "", // the addresses of the pictures on the stage, so that an update does not load them again
  spent: false, // whether the picks were used for this comparison: they are cleared when it closes
  scenes: [], // of what is on the stage: {side, image, size, face}
};

export function say(text) {
  find(".aloud").textContent = text;
}
