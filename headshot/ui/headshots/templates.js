// What the tabs that show headshots have in common.
import { html, nothing } from "../lit/lit-html.js";

// A card that is moved loses the focus.
export function keepingFocus(element, change) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  change();
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

export function statusLine({ text = "", kind = "", done, total }) {
  const running = kind === "running";
  const count = running ? html`<span class="count">${done} of ${total}</span>` : nothing;
  // Without a value while nothing is finished: the bar moves and names no share.
  const bar = html`<progress max=${total} value=${done || nothing} aria-label="Finished headshots"></progress>`;
  const line = html`<p role="status" aria-live="polite"><span class="stage">${text}</span>${count}</p>`;
  return html`<div class="status ${kind}">${line}${running ? bar : nothing}</div>`;
}

export const person = html`<svg viewBox="0 0 80 100" aria-hidden="true"
  ><circle cx="40" cy="41" r="16" /><path d="M6 100c1-24 14-35 34-35s33 11 34 35z"
/></svg>`;

export const finishedCard = (card) => html`<figure
  class="shot completed ${card.baseline ? "baseline" : ""}"
  id="shot-${card.id}"
  .shot=${card}
  ><div class="held"
    ><a class="frame" href=${card.picture} target="_blank" aria-label="Open the headshot: ${card.label}"
      ><img src=${card.thumbnail} alt=${card.alt} width=${card.width} height=${card.height} /></a
    >${card.baseline ? html`<span class="badge">Baseline</span>` : nothing}<button
      type="button"
      class="pick"
      aria-pressed="false"
      title="Compare"
      aria-label="Compare: ${card.label}"
    ></button></div
  ><figcaption
    ><span class="label"
      ><b>${card.label}</b
      ><span class="facts"
        >${card.facts.map((fact, at) => html`${at ? html`<i> · </i>` : nothing}<span>${fact}</span>`)}</span
      ></span
    ><a
      class="download"
      href=${card.picture}
      download=${card.name}
      title="Download ${card.name}"
      aria-label="Download the headshot: ${card.label}"
    ></a></figcaption
  >${card.own.length ? html`<ul class="own-notes">${card.own.map((text) => html`<li>${text}</li>`)}</ul>` : nothing}</figure
>`;

export function fileLinks(label, files, more = nothing) {
  const link = ({ kind, href, name, text }) => html`<a class="file ${kind}" href=${href} download=${name}>${text}</a>`;
  return html`<nav class="files" aria-label=${label}>${files.map(link)}${more}</nav>`;
}

export function noteLists({ missing, advice, applied, legend } = { missing: [], advice: [], applied: [], legend: "" }) {
  const list = (title, kind, texts) =>
    texts.length
      ? html`<section class="note ${kind}"><h2>${title}</h2><ul>${texts.map((text) => html`<li>${text}</li>`)}</ul></section>`
      : nothing;
  if (!missing.length && !advice.length && !applied.length && !legend) return nothing;
  return html`<div class="notes"
    >${list("Not applied", "not-applied", missing)}${list("Good to know", "advice", advice)}${list(
      "Applied",
      "applied",
      applied
    )}${legend ? html`<p class="legend">${legend}</p>` : nothing}</div
  >`;
}
