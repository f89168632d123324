// The finished headshots that are on the page, in whatever tab. A headshot may be shown in two tabs, so its key has the
// place.
export const PLACES = ":is(#shots, #history, #team)";
export const CARDS = `${PLACES} .shot.completed`;

export const remembered = new Map(); // by key: the picked ones, because the history may show another page

export function shotOf(figure) {
  const place = figure.closest(PLACES).id;
  const run = figure.closest(".run");
  const { shot } = figure;
  const thumbnail = figure.querySelector("img").src;
  const group = run ?? figure.closest(PLACES);
  return { ...shot, place, key: `${place}/${shot.id}`, thumbnail, run: run?.dataset.title ?? "", group };
}

export function completed(within = document) {
  return [...within.querySelectorAll(CARDS)].map(shotOf);
}

// The headshots on the page, and those that were picked on another page of the history.
export function known() {
  const here = completed();
  if (!here.length) remembered.clear();
  const keys = new Set(here.map(({ key }) => key));
  return [...here, ...[...remembered.values()].filter(({ key, place }) => place !== "shots" && !keys.has(key))];
}

export function card(key) {
  return [...document.querySelectorAll(CARDS)].find((figure) => shotOf(figure).key === key);
}
