// The entry of the page's scripts: what it exports is called by the components of the page when they are built.
import { dialog } from "./headshots/dialog.js";
import { drawFullscreen, fullscreen } from "./headshots/fullscreen.js";
import { pick, picks } from "./headshots/selection.js";
import { draw } from "./headshots/viewer.js";
import { follow, onChange, whenDeletedElsewhere } from "./tab_state.js";

function redraw() {
  pick(picks);
  if (dialog.open) draw();
  if (fullscreen.open) drawFullscreen();
}

onChange(redraw);

export { mountHistory } from "./history/history.js";
export { mountTeam, mountTeamNotes, mountTeamStatus } from "./team/team.js";
export { mountNotes, mountShots, mountStatus } from "./headshots/results.js";

export { copyLink, forgetForm, mountForm } from "./headshots/form_memory.js";

// The component whose value names the tab and its newest revision.
export function mountTab(props, watch, refresh) {
  watch("value", () => follow(props.value));
  if (props.value) follow(props.value);
  whenDeletedElsewhere(refresh);
}
