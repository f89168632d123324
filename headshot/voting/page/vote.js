// Two pictures, one answer, the next two. What is shown and what counts is the server's; here is only the screen.
const SETTLE_MS = 250; // the second half of a double click must not answer the next pair

const part = (id) => document.getElementById(id);
const code = location.pathname.split("/").filter(Boolean).at(-1);
const sides = { left: part("left"), right: part("right"), tie: part("tie") };
const keys = { 1: "left", 2: "right", " ": "tie" };
const pictures = new Map(); // an address's picture, fetched once: it comes again in other pairs

let shown = null; // the pair on the screen
let answered = null; // the one before it
let ready = false;

function only(section) {
  for (const id of ["voting", "thanks", "trouble"]) part(id).hidden = id !== section;
}

function setReady(on) {
  ready = on;
  for (const side of Object.values(sides)) side.disabled = !on;
}

async function ask(address, options) {
  const answer = await fetch(address ? `${code}/${address}` : code, { cache: "no-store", ...options });
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(said.detail), { status: answer.status });
}

function picture(address) {
  if (!pictures.has(address)) {
    const fetched = ask(address).then(async (answer) => URL.createObjectURL(await answer.blob()));
    fetched.catch(() => pictures.delete(address));
    pictures.set(address, fetched);
  }
  return pictures.get(address);
}

async function place(side, address) {
  const image = sides[side].querySelector("img");
  const fresh = image.cloneNode(); // so that it fades in, and is whole when it does
  fresh.src = await picture(address);
  await fresh.decode();
  return () => image.replaceWith(fresh);
}

function tell({ done, of }) {
  part("count").textContent = done < of ? `Pair ${done + 1} of ${of}` : `${of} of ${of} pairs`;
  part("progress").max = Math.max(of, 1);
  part("progress").value = done;
}

function mark(choice) {
  for (const [name, side] of Object.entries(sides)) side.classList.toggle("chosen", name === choice);
}

async function show(state) {
  if (!state.pair) return thank(state);
  setReady(false);
  const placed = await Promise.all([place("left", state.left), place("right", state.right)]);
  const had = part("voting").contains(document.activeElement) || part("voting").hidden;
  for (const now of placed) now();
  shown = state;
  tell(state);
  mark(state.choice);
  only("voting");
  part("back").disabled = !answered || answered.pair === state.pair;
  if (had) part("question").focus({ preventScroll: true }); // Space is the tie again, and Tab begins at the pictures
  setTimeout(() => setReady(true), SETTLE_MS);
}

function thank(state) {
  shown = state;
  setReady(false);
  const { of } = state;
  const done = state.done + (state.choice ? 1 : 0); // one that is asked again has its answer
  tell({ done, of });
  const many = done === 1 ? "one pair" : `${done} pairs`;
  part("summary").textContent = done
    ? `You have judged ${done < of ? `${many} of ${of}` : `all ${many}`}. Your answers are counted; you can close this page.`
    : "You have not judged a pair. You can close this page, or begin now.";
  part("resume").hidden = !state.pair;
  part("undo").hidden = !answered;
  only("thanks");
  part("thanks").querySelector("h2").focus({ preventScroll: true });
}

function fail(error) {
  const gone = error.status === 404;
  part("reason").textContent = error.status
    ? error.message || "Something went wrong on the server."
    : "The server does not answer. Look at your connection, then try again.";
  part("again").hidden = gone;
  setReady(false);
  only("trouble");
}

async function guarded(deed) {
  try {
    await deed();
  } catch (error) {
    fail(error);
  }
}

const begin = () => guarded(async () => show(await (await ask("pair")).json()));

function choose(choice) {
  if (!ready || part("voting").hidden) return;
  setReady(false);
  mark(choice);
  const pair = shown;
  guarded(async () => {
    const body = JSON.stringify({ pair: pair.pair, choice });
    const headers = { "Content-Type": "application/json" };
    let next;
    try {
      const answer = await ask("", { method: "POST", headers, body });
      next = await answer.json();
      answered = { ...pair, choice };
    } catch (error) {
      if (error.status !== 409) throw error;
      next = await (await ask("pair")).json(); // the server was started anew meanwhile, or a picture was deleted
      answered = null;
    }
    await show(next);
  });
}

function back() {
  if (answered && (ready || !part("thanks").hidden)) guarded(() => show(answered));
}

for (const [name, side] of Object.entries(sides)) side.addEventListener("click", () => choose(name));
part("back").addEventListener("click", back);
part("undo").addEventListener("click", back);
part("stop").addEventListener("click", () => shown && thank(shown));
part("resume").addEventListener("click", () => guarded(() => show(shown)));
part("again").addEventListener("click", begin);

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  const choice = keys[event.key];
  const pressesAButton = event.key === " " && event.target.closest("button");
  if (choice && !pressesAButton && !part("voting").hidden) {
    event.preventDefault(); // Space would scroll
    choose(choice);
  }
  if (event.key === "Backspace") back();
});

begin();
