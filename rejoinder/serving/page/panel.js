// The side panel; on a narrow window a drawer over the conversation.
import { $ } from "./dom.js";

const narrow = matchMedia("(max-width: 1023px)");
let opener = null;
let closed = () => {};

export const isOpen = () => !$("panel").hidden;
export const isDrawer = () => narrow.matches;

function fit() {
  const covers = isOpen() && narrow.matches;
  $("talk").inert = covers; // what the drawer covers can be neither clicked nor reached by Tab
  $("shade").hidden = !covers;
  $("panel").toggleAttribute("data-drawer", covers);
  if (covers) $("panel").setAttribute("aria-modal", "true");
  else $("panel").removeAttribute("aria-modal");
  $("panel").setAttribute("role", covers ? "dialog" : "complementary");
  $("app").classList.toggle("with-panel", isOpen());
}

/** Open the panel; `from` gets the focus back when it closes. */
export function openPanel(from) {
  opener = from;
  $("panel").hidden = false;
  $("trace").scrollTop = 0;
  fit();
  $("panel-title").focus({ preventScroll: true });
}

/** Close the panel, if it is open. */
export function closePanel() {
  if (!isOpen()) return;
  $("panel").hidden = true;
  fit();
  closed();
  (opener?.isConnected ? opener : $("message")).focus({ preventScroll: true });
}

/** Wire the panel's own controls. */
export function startPanel(onClosed) {
  closed = onClosed;
  $("panel-close").addEventListener("click", closePanel);
  $("shade").addEventListener("click", closePanel);
  addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && closePanel());
  narrow.addEventListener("change", fit);
}
