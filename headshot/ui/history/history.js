// The history's list. Python sends patches as the value; entries that stay keep their elements, pictures and focus.
import { pick, picks } from "../headshots/selection.js";
import { make } from "../headshots/dom.js";
import { render } from "../lit/lit-html.js";
import { entryTemplate, titleOf } from "./entry.js";

const PAUSE_MS = 300; // between the last letter and the search
const MINUTE_MS = 60_000;

// The component's own functions, and how many bytes an archive and one part of it may have.
export function mountHistory({ element, trigger, watch, props, upload }, limits) {
  const find = (selector) => element.querySelector(selector);
  const [days, empty, work, share, exported] = [".days", ".empty", ".work", ".share", ".exported"].map(find);
  const [search, backend, only] = ["input[type=search]", "select", ".only"].map(find);
  const chooser = find("input[type=file]");

  let entries = new Map(); // by key: {node, begun, info, strip}
  let more = false;
  let loaded = false;

  const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
  const otherYearFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });

  // Drawing

  // An entry that is drawn again keeps what was unfolded, and its elements.
  function entryOf(entry) {
    const old = entries.get(entry.key);
    const node = old?.node ?? make("article", "run");
    const updated = { unfolded: old?.unfolded ?? false, ...entry, node };
    const title = titleOf(updated);
    render(entryTemplate(updated), node);
    node.dataset.key = entry.key;
    node.dataset.title = title;
    node.setAttribute("aria-label", title);
    return updated;
  }

  // Shows at once what the server is only being told.
  function change(node, changes) {
    const { key } = node.closest(".run").dataset;
    entries.set(key, entryOf({ ...entries.get(key), ...changes }));
    showTimeLeft();
    pick(picks);
  }

  // Moves only nodes that are elsewhere, because a moved node loses the focus.
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
    return (date.getFullYear() === new Date().getFullYear() ? dayFormat : otherYearFormat).format(date);
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
    pick(picks);
    const filtered = search.value.trim() || backend.value || only.ariaPressed === "true";
    const nothing = loaded && !entries.size;
    find(".filters").hidden = nothing && !filtered;
    find(".export").hidden = !loaded || !find(".store").textContent;
    find(".load-more").hidden = !more;
    empty.hidden = !nothing;
    if (nothing) drawEmpty(filtered);
    showTimeLeft();
  }

  function drawEmpty(filtered) {
    if (!filtered) {
      const text = "Everything you generate appears here. You can search it, compare it across runs, name it and export it.";
      empty.replaceChildren(make("b", "", "Nothing yet"), make("p", "", text));
      return;
    }
    const clear = make("button", "act", "Show everything");
    clear.type = "button";
    clear.dataset.do = "clear";
    empty.replaceChildren(make("b", "", "No matches"), clear);
  }

  function showTimeLeft() {
    for (const node of element.querySelectorAll(".left")) {
      const minutes = Math.ceil((new Date(node.dataset.until) - Date.now()) / MINUTE_MS);
      const hours = Math.ceil(minutes / 60);
      const left = hours > 48 ? `in ${Math.ceil(hours / 24)} days` : minutes > 60 ? `in ${hours} h` : `in ${minutes} min`;
      node.textContent = `Deleted ${minutes > 0 ? left : "soon"}`;
      node.classList.toggle("soon", minutes <= 60);
    }
  }

  const ticking = setInterval(() => (element.isConnected ? showTimeLeft() : clearInterval(ticking)), MINUTE_MS);

  // Status

  function showStatus(text, kind = "") {
    if (work.textContent !== text) work.textContent = text; // setting the same text would read it aloud again
    work.className = `work ${kind}`;
    exported.hidden = true;
    share.hidden = true;
  }

  // Shows progress as a bar and in words that are not read aloud. Without a total the bar moves without a share.
  function showProgress(text, done, total, words) {
    showStatus(text, "running");
    const [bar, count] = share.children;
    share.hidden = false;
    bar.max = total || 1;
    if (total) bar.value = done;
    else bar.removeAttribute("value");
    count.textContent = words;
  }

  function apply({ mode, entries: added = [], more: others, key, line, message, refused, exported: archive, done, total }) {
    if (mode === "importing") {
      const words = total ? `${done.toLocaleString()} of ${total.toLocaleString()} headshots` : "";
      return showProgress("Importing…", done, total, words);
    }
    const focused = document.activeElement;
    const place = focused && element.contains(focused) ? placeOf(focused) : null;
    if (line !== undefined) find(".store").textContent = line;
    if (others !== undefined) more = others;
    const known = [...entries.keys()];
    if (mode === "all") {
      loaded = true;
      entries = new Map(added.map((entry) => [entry.key, entryOf(entry)]));
    }
    if (mode === "more") for (const entry of added) entries.set(entry.key, entryOf(entry));
    if (mode === "gone") entries.delete(key);
    if (mode !== "message" && mode !== "stale") draw();
    if (mode === "more") aloud(`${added.length} more, ${entries.size} in all`);
    if (mode === "all" && loaded) aloud(entries.size ? `${entries.size}${more ? " or more" : ""} found` : "No matches");
    busy(false);
    if (message || refused) showStatus(message ?? refused, refused ? "refused" : "");
    if (archive) download(archive);
    if (mode === "stale") findEntries();
    if (mode === "gone" && !entries.size && more) findEntries();
    if (place && !focused.isConnected) refocus(place, known);
    else if (mode === "more" && find(".load-more").hidden && focused?.matches(".load-more")) focusOn(added[0]?.key);
  }

  function aloud(text) {
    find(".aloud").textContent = text;
  }

  // Where the focus was: its element may have been replaced by then.
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
    // The entry is gone: focus the one in its place, or the last.
    const at = known.indexOf(key);
    const next = [...entries.keys()][Math.min(at, entries.size - 1)];
    focusOn(next);
  }

  function focusOn(key) {
    const next = entries.get(key)?.node.querySelector("[data-do=open], [data-do=continue]");
    (next ?? (search.offsetParent ? search : find(".import"))).focus();
  }

  // Events

  function findEntries() {
    const favourites = only.ariaPressed === "true";
    trigger("find_entries", { search: search.value, backend: backend.value, favourites, asked_at: performance.now() });
  }

  let pausing;
  search.addEventListener("input", () => {
    clearTimeout(pausing);
    pausing = setTimeout(findEntries, PAUSE_MS);
  });
  backend.addEventListener("change", findEntries);

  const ACTS = {
    rename: (button) => rename(button.closest("h4")),
    favourite(button) {
      const { id } = button.dataset;
      const entry = entries.get(button.closest(".run").dataset.key);
      const on = button.ariaPressed !== "true";
      const cards = entry.cards.map((card) => (card.id === id ? { ...card, favourite: on } : card));
      change(button, entry.id === id ? { favourite: on } : { cards });
      trigger("edit_entry", { action: "favourite", id, on });
    },
    // A team's entry opens the team; the button on a person's card opens that headshot alone.
    open: (button) => trigger("open_entry", { id: idOf(button), whole: !button.dataset.id }),
    continue: (button) => trigger("reuse_settings", { id: idOf(button) }),
    delete: (button) => confirmDeletion(button.closest(".acts")),
    cancel: (button) => cancelDeletion(button.closest(".acts")),
    confirm(button) {
      button.ariaDisabled = true;
      trigger("delete_entry", { id: idOf(button) });
    },
    unfold(button) {
      const folded = button.previousElementSibling;
      const first = [...folded.children].find((figure) => !figure.offsetParent);
      change(button, { unfolded: true });
      first?.querySelector("a").focus();
    },
    only(button) {
      button.ariaPressed = button.ariaPressed !== "true";
      findEntries();
    },
    clear() {
      search.value = backend.value = "";
      only.ariaPressed = "false";
      search.focus();
      findEntries();
    },
    more(button) {
      button.ariaDisabled = true;
      trigger("load_more");
    },
    export() {
      busy(true);
      showStatus("Exporting…", "running");
      trigger("export_all");
    },
    choose: () => chooser.click(),
  };

  const idOf = (button) => button.dataset.id ?? button.closest(".acts").dataset.id;

  element.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (!button || button.ariaDisabled === "true") return;
    showStatus("");
    ACTS[button.dataset.do](button);
  });

  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !event.target.closest(".asking")) return;
    cancelDeletion(event.target.closest(".acts"));
  });

  // Not `disabled`, because a disabled button loses the focus.
  function busy(on) {
    for (const button of element.querySelectorAll(".export, .import")) button.ariaDisabled = on;
    for (const button of element.querySelectorAll(".load-more, [data-do=confirm]")) button.ariaDisabled = false;
  }

  // Puts the question in place of the buttons.
  function confirmDeletion(acts) {
    const count = Number(acts.dataset.count);
    const what = count === 1 ? "this headshot" : count ? `these ${count} headshots` : "this comparison";
    const yes = make("button", "act danger", "Delete");
    const no = make("button", "act", "Cancel");
    yes.type = no.type = "button";
    yes.dataset.do = "confirm";
    no.dataset.do = "cancel";
    const question = make("div", "asking", make("p", "", `Delete ${what} permanently?`), yes, no);
    question.setAttribute("role", "group");
    question.setAttribute("aria-label", `Delete ${what} permanently?`);
    acts.classList.add("asked");
    acts.append(question);
    yes.focus();
  }

  function cancelDeletion(acts) {
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
        const { id } = entries.get(heading.closest(".run").dataset.key);
        change(heading, { name });
        trigger("edit_entry", { action: "rename", id, name });
      }
      input.remove();
      button.hidden = false;
      if (refocus) button.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (!["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault(); // otherwise Enter would press the button that has the focus next
      end(event.key === "Enter", true);
    });
    input.addEventListener("blur", () => end(true, false));
    button.hidden = true;
    button.after(input);
    input.focus();
    input.select();
  }

  // Exporting and importing

  function download({ href, name, size }) {
    showStatus(`Exported to ${name} (${size}).`);
    exported.href = href;
    exported.download = name;
    exported.textContent = "Download again";
    exported.hidden = false;
    exported.click();
  }

  // In parts, each under a unique name: the server accepts no file that is larger than a photo.
  chooser.addEventListener("change", async () => {
    const [file] = chooser.files;
    chooser.value = "";
    if (!file) return;
    if (file.size > limits.archive) return showStatus(`The archive is too large. The limit is ${limits.archive / 2 ** 30} GB.`, "refused");
    busy(true);
    const paths = [];
    try {
      for (let at = 0; at === 0 || at < file.size; at += limits.part) {
        showProgress(`Uploading ${file.name}…`, at, file.size, `${Math.round((100 * at) / (file.size || 1))} %`);
        const unique = crypto.getRandomValues(new Uint32Array(4)).join("");
        const { path } = await upload(new File([file.slice(at, at + limits.part)], `${unique}.zip`));
        paths.push(path);
      }
    } catch {
      busy(false);
      return showStatus("The upload failed. Try again.", "refused");
    }
    showProgress("Importing…", 0, 0, "");
    trigger("import_archive", { paths });
  });

  watch("value", () => apply(props.value));
  if (props.value) findEntries();
}
