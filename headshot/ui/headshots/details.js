// One headshot's details under its picture: its files, its notes, and its request as JSON and as code. Part of the
// viewer.
const NOTES = [
  ["not applied", "Not applied"],
  ["advice", "Good to know"],
  ["applied", "Applied"],
];
const CODE = [
  ["request", "Request", "The exact request, as JSON."],
  ["python", "Python", "The same call, from Python."],
  ["curl", "cURL", "The same call, from a terminal."],
  ["javascript", "JavaScript", "The same call, from Node."],
];
// Only for headshots from ModelsLab.
const EXCHANGED = [
  ["sent", "Request sent"],
  ["reply", "Response"],
];

const tab = (key, title) =>
  `<button type="button" role="tab" id="viewer-tab-${key}" aria-controls="viewer-${key}">${title}</button>`;

const FORMS = [
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

let exchanged = ""; // what is shown under the request: only a change is drawn, so that selected text stays selected

function drawFiles(shot) {
  const [, stem, ending] = shot.name.match(/^(.*?)(\.\w+)?$/);
  const main = find("a.main");
  main.href = shot.picture;
  main.download = shot.name;
  for (const [key, , suffix] of FORMS) {
    const link = find(`[data-form=${key}]`);
    link.hidden = !shot[key];
    if (shot[key]) link.href = shot[key];
    else link.removeAttribute("href");
    link.download = stem + suffix;
  }
  find(".forms").hidden = !FORMS.some(([key]) => shot[key]);
  find("#viewer-clean").hidden = !shot.clean;
  main.querySelector("span").textContent = `Download${find(".forms").hidden ? "" : ` ${(ending ?? "").slice(1).toUpperCase()}`}`;
}

function drawDetails(shot) {
  for (const [key] of CODE) {
    const pre = find(`#viewer-${key} pre`);
    if (pre.textContent !== shot[key]) pre.textContent = shot[key]; // see `exchanged`
  }
  drawExchange(shot);
  const groups = NOTES.map(([kind, title]) => noteList(shot, kind, title)).filter(Boolean);
  for (const [title, rows] of [["Measured", shot.measured ?? []], ["Time", shot.timings]]) {
    const list = make("dl", "timings");
    for (const [what, value] of rows) list.append(make("dt", "", what), make("dd", "", value));
    if (rows.length) groups.push(make("h3", "", title), list);
  }
  find("#viewer-notes").replaceChildren(...groups);
}

function noteList(shot, kind, title) {
  const notes = shot.notes.filter((note) => note.kind === kind);
  if (!notes.length) return null;
  const list = make("ul", "", ...notes.map((note) => make("li", "", note.text)));
  return make("div", `said ${kind.replace(" ", "-")}`, make("h3", "", title), list);
}

function drawExchange(shot) {
  const timeline = shot.timeline ?? [];
  const parts = EXCHANGED.filter(([key]) => shot[key]).map(([key, title]) => [key, title, shot[key]]);
  const wanted = JSON.stringify([timeline, parts]);
  if (wanted === exchanged) return;
  exchanged = wanted;
  for (const old of dialog.querySelectorAll("#viewer-request section")) old.remove();
  find("#viewer-request").append(...(timeline.length ? [timelineOf(timeline)] : []), ...parts.map(codePart));
}

function timelineOf(events) {
  const list = make("ol", "timeline");
  for (const [time, what, sentence] of events) {
    const entry = make("div", "", make("b", "", what));
    if (sentence) entry.append(make("p", "", sentence));
    list.append(make("li", "", make("time", "", time), entry));
  }
  return make("section", "", make("h3", "", "Timeline"), list);
}

function codePart([key, title, text]) {
  const heading = make("h3", "", title);
  heading.id = `viewer-${key}-title`;
  const copy = make("button", "", "Copy");
  copy.type = "button";
  copy.dataset.copy = "";
  copy.setAttribute("aria-describedby", heading.id); // tells the Copy buttons apart
  const pre = make("pre", "", text);
  pre.tabIndex = 0;
  pre.setAttribute("role", "region");
  pre.setAttribute("aria-labelledby", heading.id);
  return make("section", "", make("div", "copying", heading, copy), pre);
}

function chooseTab(event) {
  const at = tabs.indexOf(event.target);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const chosen = tabs.at(to % tabs.length);
  select(chosen);
  chosen.focus();
}

function select(chosen) {
  for (const each of tabs) {
    each.setAttribute("aria-selected", each === chosen);
    each.tabIndex = each === chosen ? 0 : -1;
    find(`#${each.getAttribute("aria-controls")}`).hidden = each !== chosen;
  }
}

async function copyBeside(button) {
  const pre = button.closest("section, [role=tabpanel]").querySelector("pre");
  let answer = "Copied";
  try {
    await navigator.clipboard.writeText(pre.textContent);
  } catch {
    // Refused, or not available: a page over plain http has no clipboard.
    getSelection().selectAllChildren(pre);
    answer = "Selected: copy it now";
  }
  button.textContent = answer;
  say(answer);
  setTimeout(() => (button.textContent = "Copy"), 2000);
}
