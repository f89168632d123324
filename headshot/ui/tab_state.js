// The tab's state as the server last sent it, in parts by name. What is older than what is drawn is never drawn.
const listeners = [];
let token = "";
let revision = -1; // of what is drawn
let wanted = -1; // of what the server is known to have
let parts = {};
let stream = null;

export const part = (name) => parts[name];

// `listener` is called after each change.
export function onChange(listener) {
  listeners.push(listener);
}

// A change in one tab may be one for the others of the browser: they look again.
const channel = new BroadcastChannel(`headshots ${location.pathname}`);
channel.addEventListener("message", () => token && !stream && open());

// `listener` is called when something was deleted in another tab.
export function whenDeletedElsewhere(listener) {
  let before = part("deletions")?.elsewhere ?? 0;
  onChange(() => {
    const elsewhere = part("deletions")?.elsewhere ?? 0;
    if (elsewhere > before) listener();
    before = elsewhere;
  });
}

// Draw the state of this tab, which is at that revision or later. Every event of the page ends here.
export function follow(tab) {
  if (tab.token !== token) {
    stream?.close();
    stream = null;
    ({ token } = tab);
    revision = wanted = -1;
    parts = {};
  }
  channel.postMessage("look");
  wanted = Math.max(wanted, tab.revision);
  if (wanted > revision && !stream) open();
}

// The server ends the stream when nothing runs any more. A browser has six connections to a server, for all its tabs.
function open() {
  const mine = new EventSource(`tab/${token}/events?after=${revision}`);
  stream = mine;
  mine.onmessage = ({ data }) => mine === stream && draw(JSON.parse(data));
  mine.addEventListener("idle", close);
  mine.onerror = () => mine.readyState === EventSource.CLOSED && close(); // the server knows this tab no longer
  function close({ type } = {}) {
    mine.close();
    if (mine !== stream) return;
    stream = null;
    if (type === "idle" && wanted > revision) open(); // something has begun while the stream was ending
  }
}

export function draw({ revision: newer, names, parts: changed }) {
  if (newer <= revision) return;
  revision = newer;
  parts = Object.fromEntries(names.map((name) => [name, changed[name] ?? parts[name]]));
  for (const listener of listeners) listener();
  document.documentElement.dataset.revision = revision;
}
