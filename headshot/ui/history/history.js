// The history's list. Python sends what is new as the value; what stays keeps its elements, pictures and focus.
const PAUSE_MS = 300; // between the last letter and the search
const MINUTE_MS = 60_000;
const find = (selector) => element.querySelector(selector);
const [days, empty, work, share, parcel] = [".days", ".empty", ".work", ".share", ".parcel"].map(find);
const [search, backend, only] = ["input[type=search]", "select", ".only"].map(find);
const chooser = find("input[type=file]");

let entries = new Map(); // by key: {node, begun, info, strip}
let more = false;
let loaded = false;

const words = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const wordsOfAnotherYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });

function make(tag, className, ...content) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...content);
  return node;
}

// Drawing

function renewed(entry) {
  const old = entries.get(entry.key);
  const node = old?.node ?? make("article", "run", make("div", "info"), make("div", "strip"));
  const kept = { ...entry, node };
  if (old?.info !== entry.info) {
    node.firstChild.innerHTML = entry.info;
    node.querySelector(".at").textContent = clock.format(new Date(entry.begun));
    node.querySelector(".at").dateTime = entry.begun;
  }
  if (old?.strip !== entry.strip) node.lastChild.innerHTML = entry.strip;
  node.dataset.key = entry.key;
  node.dataset.title = entry.title;
  node.setAttribute("aria-label", entry.title);
  return kept;
}

// Only what is elsewhere is moved, for what is moved loses the focus.
function arrange(parent, nodes) {
  nodes.forEach((node, at) => parent.children[at] !== node && parent.insertBefore(node, parent.children[at] ?? null));
  while (parent.children.length > nodes.length) parent.lastChild.remove();
}

function dayOf(moment) {
  const date = new Date(moment);
  const midnight = new Date().setHours(0, 0, 0, 0);
  const before = Math.round((midnight - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  if (before <= 0) return "Today";
  if (before === 1) return "Yesterday";
  return (date.getFullYear() === new Date().getFullYear() ? words : wordsOfAnotherYear).format(date);
}

function draw() {
  const sections = new Map([...days.children].map((section) => [section.dataset.day, section]));
  const wanted = new Map();
  for (const { node, begun } of entries.values()) {
    const day = dayOf(begun);
    if (!wanted.has(day)) wanted.set(day, []);
    wanted.get(day).push(node);
  }
  const nodes = [...wanted].map(([day, runs]) => {
    const section = sections.get(day) ?? make("section", "day", make("h3", "", day));
    section.dataset.day = day;
    arrange(section, [section.firstChild, ...runs]);
    return section;
  });
  arrange(days, nodes);
  const sought = search.value.trim() || backend.value || only.ariaPressed === "true";
  const nothing = loaded && !entries.size;
  find(".sieve").hidden = nothing && !sought;
  find(".pack").hidden = !loaded || !find(".store").textContent;
  find(".further").hidden = !more;
  empty.hidden = !nothing;
  if (nothing) drawEmpty(sought);
  tellTime();
}

function drawEmpty(sought) {
  if (!sought) {
    const said = "Everything you make on this page appears here: to find again, compare across runs, name and take along.";
    empty.replaceChildren(make("b", "", "Nothing yet"), make("p", "", said));
    return;
  }
  const clear = make("button", "act", "Show everything");
  clear.type = "button";
  clear.dataset.do = "clear";
  empty.replaceChildren(make("b", "", "Nothing found"), make("p", "", "No comparison of yours is like this."), clear);
}

function tellTime() {
  for (const node of element.querySelectorAll(".left")) {
    const minutes = Math.ceil((new Date(node.dataset.until) - Date.now()) / MINUTE_MS);
    const hours = Math.ceil(minutes / 60);
    const left = hours > 48 ? `in ${Math.ceil(hours / 24)} days` : minutes > 60 ? `in ${hours} h` : `in ${minutes} min`;
    node.textContent = `Deleted ${minutes > 0 ? left : "any moment"}`;
    node.classList.toggle("soon", minutes <= 60);
  }
}

const ticking = setInterval(() => (element.isConnected ? tellTime() : clearInterval(ticking)), MINUTE_MS);

// News

function say(text, kind = "") {
  if (work.textContent !== text) work.textContent = text; // or it is read aloud again
  work.className = `work ${kind}`;
  parcel.hidden = true;
  share.hidden = true;
}

// How far something is, in a bar and in words that are not read aloud. Without a total nobody knows yet.
function tell(text, done, total, words) {
  say(text, "running");
  const [bar, beside] = share.children;
  share.hidden = false;
  bar.max = total || 1;
  if (total) bar.value = done;
  else bar.removeAttribute("value");
  beside.textContent = words;
}

function heard({ mode, entries: came = [], more: others, key, line, said, refused, parcel: packed, done, total }) {
  if (mode === "taking") {
    const words = total ? `${done.toLocaleString()} of ${total.toLocaleString()} headshots` : "";
    return tell("Taking it in…", done, total, words);
  }
  const held = document.activeElement;
  const place = held && element.contains(held) ? placeOf(held) : null;
  if (line !== undefined) find(".store").textContent = line;
  if (others !== undefined) more = others;
  const known = [...entries.keys()];
  if (mode === "all") {
    loaded = true;
    entries = new Map(came.map((entry) => [entry.key, renewed(entry)]));
  }
  if (mode === "more") for (const entry of came) entries.set(entry.key, renewed(entry));
  if (mode === "gone") entries.delete(key);
  if (mode !== "said" && mode !== "stale") draw();
  if (mode === "more") aloud(`${came.length} more, ${entries.size} in all`);
  if (mode === "all" && loaded) aloud(entries.size ? `${entries.size}${more ? " or more" : ""} found` : "Nothing found");
  busy(false);
  if (said || refused) say(said ?? refused, refused ? "refused" : "");
  if (packed) hand(packed);
  if (mode === "stale") seek();
  if (mode === "gone" && !entries.size && more) seek();
  if (place && !held.isConnected) refocus(place, known);
  else if (mode === "more" && find(".further").hidden && held?.matches(".further")) focusOn(came[0]?.key);
}

function aloud(text) {
  find(".aloud").textContent = text;
}

// Where the focus was, for its element may be another one by then.
function placeOf(node) {
  const { do: action, id } = node.dataset;
  const shot = node.closest(".shot")?.id;
  return { key: node.closest(".run")?.dataset.key, action, id, shot, frame: node.matches("a.frame") };
}

function refocus({ key, action, id, shot, frame }, known) {
  const run = entries.get(key)?.node;
  const within = (shot && run?.querySelector(`#${CSS.escape(shot)}`)) || run;
  const same = frame ? within?.querySelector("a.frame") : within?.querySelector(`[data-do="${action}"]`);
  if (same) return same.focus();
  // It went: the one that took its place, or the last.
  const at = known.indexOf(key);
  const next = [...entries.keys()][Math.min(at, entries.size - 1)];
  focusOn(next);
}

function focusOn(key) {
  const next = entries.get(key)?.node.querySelector("[data-do=open], [data-do=continue]");
  (next ?? (search.offsetParent ? search : find(".unpack"))).focus();
}

// Asking

function seek() {
  const favourites = only.ariaPressed === "true";
  trigger("seek", { search: search.value, backend: backend.value, favourites, asked_at: performance.now() });
}

let pausing;
search.addEventListener("input", () => {
  clearTimeout(pausing);
  pausing = setTimeout(seek, PAUSE_MS);
});
backend.addEventListener("change", seek);

const ACTS = {
  rename: (button) => rename(button.closest("h4")),
  favourite(button) {
    const on = button.ariaPressed !== "true";
    button.ariaPressed = on;
    trigger("amend", { action: "favourite", id: button.dataset.id, on });
  },
  // A team's entry opens the team, and a button of somebody's own that headshot alone.
  open: (button) => trigger("resume", { id: idOf(button), whole: !button.dataset.id }),
  continue: (button) => trigger("carry_on", { id: idOf(button) }),
  delete: (button) => ask(button.closest(".acts")),
  keep: (button) => unask(button.closest(".acts")),
  discard(button) {
    button.ariaDisabled = true;
    trigger("discard", { id: idOf(button) });
  },
  unfold(button) {
    const folded = button.previousElementSibling;
    const first = [...folded.children].find((figure) => !figure.offsetParent);
    folded.classList.remove("folded");
    button.remove();
    first?.querySelector("a").focus();
  },
  only(button) {
    button.ariaPressed = button.ariaPressed !== "true";
    seek();
  },
  clear() {
    search.value = backend.value = "";
    only.ariaPressed = "false";
    search.focus();
    seek();
  },
  further(button) {
    button.ariaDisabled = true;
    trigger("further");
  },
  pack() {
    busy(true);
    say("Packing everything into one file…", "running");
    trigger("pack");
  },
  choose: () => chooser.click(),
};

const idOf = (button) => button.dataset.id ?? button.closest(".acts").dataset.id;

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (!button || button.ariaDisabled === "true") return;
  say("");
  ACTS[button.dataset.do](button);
});

element.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !event.target.closest(".asking")) return;
  unask(event.target.closest(".acts"));
});

// Not disabled, for a disabled button loses the focus.
function busy(on) {
  for (const button of element.querySelectorAll(".pack, .unpack")) button.ariaDisabled = on;
  for (const button of element.querySelectorAll(".further, [data-do=discard]")) button.ariaDisabled = false;
}

// The question stands where the buttons were.
function ask(acts) {
  const count = Number(acts.dataset.count);
  const what = count === 1 ? "this headshot" : count ? `these ${count} headshots` : "this comparison";
  const yes = make("button", "act danger", "Delete");
  const no = make("button", "act", "Keep");
  yes.type = no.type = "button";
  yes.dataset.do = "discard";
  no.dataset.do = "keep";
  const question = make("div", "asking", make("p", "", `Delete ${what} for good?`), yes, no);
  question.setAttribute("role", "group");
  question.setAttribute("aria-label", `Delete ${what} for good?`);
  acts.classList.add("asked");
  acts.append(question);
  yes.focus();
}

function unask(acts) {
  acts.querySelector(".asking").remove();
  acts.classList.remove("asked");
  acts.querySelector("[data-do=delete]").focus();
}

function rename(heading) {
  const button = heading.querySelector(".name");
  const input = make("input", "renaming");
  const before = heading.dataset.name;
  input.value = before;
  input.maxLength = 80;
  input.placeholder = heading.dataset.auto;
  input.setAttribute("aria-label", "Name of this comparison");
  let done = false;
  const end = (keep, refocus) => {
    if (done) return;
    done = true;
    const name = input.value.trim().replace(/\s+/g, " ");
    if (keep && name !== before) {
      heading.dataset.name = name;
      const title = name || heading.dataset.auto;
      const run = heading.closest(".run");
      button.textContent = title;
      run.dataset.title = title;
      run.setAttribute("aria-label", title);
      for (const each of run.querySelectorAll(".info .acts [aria-label]"))
        each.setAttribute("aria-label", `${each.getAttribute("aria-label").split(": ")[0]}: ${title}`);
      trigger("amend", { action: "rename", id: run.querySelector(".acts").dataset.id, name });
    }
    input.remove();
    button.hidden = false;
    if (refocus) button.focus();
  };
  input.addEventListener("keydown", (event) => {
    if (!["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault(); // or Enter would press the button that has the focus next
    end(event.key === "Enter", true);
  });
  input.addEventListener("blur", () => end(true, false));
  button.hidden = true;
  button.after(input);
  input.focus();
  input.select();
}

// Taking along

function hand({ href, name, size }) {
  say(`Everything is in ${name}, ${size}.`);
  parcel.href = href;
  parcel.download = name;
  parcel.textContent = "Download it again";
  parcel.hidden = false;
  parcel.click();
}

// In pieces, each under a name that nobody else's upload has: the server takes no file that is larger than a photo.
chooser.addEventListener("change", async () => {
  const [file] = chooser.files;
  chooser.value = "";
  if (!file) return;
  if (file.size > MAX_ARCHIVE_BYTES) return say(`The archive is too large: at most ${MAX_ARCHIVE_BYTES / 2 ** 30} GB come in.`, "refused");
  busy(true);
  const paths = [];
  try {
    for (let at = 0; at === 0 || at < file.size; at += PART_BYTES) {
      tell(`Sending ${file.name}…`, at, file.size, `${Math.round((100 * at) / (file.size || 1))} %`);
      const chance = crypto.getRandomValues(new Uint32Array(4)).join("");
      const { path } = await upload(new File([file.slice(at, at + PART_BYTES)], `${chance}.zip`));
      paths.push(path);
    }
  } catch {
    busy(false);
    return say("The archive did not arrive: try again.", "refused");
  }
  tell("Taking it in…", 0, 0, "");
  trigger("unpack", { paths });
});

watch("value", () => heard(props.value));
if (props.value) seek();
