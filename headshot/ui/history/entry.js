// One entry of the history: what was compared, and its headshots.
import { html, nothing } from "../lit/lit-html.js";
import { repeat } from "../lit/directives/repeat.js";

const MOST_THUMBNAILS = 8; // one row on a wide screen; history.css folds what comes after
const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });

export const titleOf = ({ name, automatic }) => name || automatic;

export function entryTemplate(entry) {
  return html`<div class="info">${info(entry)}</div><div class="strip">${strip(entry)}</div>`;
}

function info(entry) {
  const { id, begun, until, name, automatic, favourite, about, count, why, cards } = entry;
  const title = titleOf(entry);
  return html`<div class="heading"
      ><h4 data-name=${name} data-auto=${automatic}
        ><button type="button" class="name" data-do="rename" title="Rename">${title}</button></h4
      >${star("the comparison", favourite, id)}</div
    ><p class="about"
      >${about.map((words) => html`<span>${words} · </span>`)}<time class="at" datetime=${begun}
        >${clockFormat.format(new Date(begun))}</time
      >${count ? html`<span> · ${count}</span>` : nothing}</p
    >${why ? html`<p class="why">${why}</p>` : nothing}<p class="left" data-until=${until}></p
    ><div class="acts" data-id=${id} data-count=${cards.length}
      ><button type="button" class="act" data-do="open" aria-label="Open: ${title}">Open</button
      ><button type="button" class="act" data-do="continue" aria-label="Continue from: ${title}">Continue from here</button
      >${cards.length
        ? html`<button type="button" class="act" data-fullscreen aria-label="Full screen: ${title}">Full screen</button>`
        : nothing}<button type="button" class="act quiet" data-do="delete" aria-label="Delete: ${title}">Delete</button></div
    >`;
}

function strip({ cards, unfolded }) {
  if (!cards.length) return html`<p class="none">No headshots.</p>`;
  const folded = !unfolded && cards.length - MOST_THUMBNAILS > 1; // a button would need as much room as one thumbnail
  const unfold = html`<button type="button" class="act unfold" data-do="unfold">Show all ${cards.length}</button>`;
  return html`<div class="thumbnails ${folded ? "folded" : ""}">${repeat(cards, ({ id }) => id, cardTemplate)}</div
    >${folded ? unfold : nothing}`;
}

const cardTemplate = (card) => html`<figure class="shot completed small" id="shot-${card.id}" .shot=${card}
  ><div class="held"
    ><a class="frame" href=${card.picture} target="_blank" aria-label="Open the headshot: ${card.label}"
      ><img
        src=${card.thumbnail}
        alt="Headshot, ${card.label}"
        width=${card.width}
        height=${card.height}
        loading="lazy"
        decoding="async" /></a
    ><button type="button" class="pick" aria-pressed="false" title="Compare" aria-label="Compare: ${card.label}"></button></div
  ><figcaption
    ><b title=${card.label}>${card.label}</b
    ><span class="icons"
      >${star(card.label, card.favourite, card.id)}${card.open ? openButton(card) : nothing}<button
        type="button"
        class="icon onward"
        data-do="continue"
        data-id=${card.id}
        title="Continue from this one"
        aria-label="Continue from: ${card.label}"
      ></button></span></figcaption
></figure>`;

const openButton = ({ open, label }) => html`<button
  type="button"
  class="icon open"
  data-do="open"
  data-id=${open}
  title="Open"
  aria-label="Open: ${label}"
></button>`;

const star = (what, on, id) => html`<button
  type="button"
  class="icon star"
  data-do="favourite"
  data-id=${id}
  aria-pressed=${String(on)}
  title="Favourite"
  aria-label="Favourite: ${what}"
></button>`;
