// The thread: the turns as they stand on the page, and which of them the panel shows.
import { about } from "./about.js";
import { $, make } from "./dom.js";
import { closePanel, openPanel } from "./panel.js";
import { showTrace } from "./trace.js";
import { botTurn, comingTurn, divider, userTurn } from "./turns.js";

const NEAR = 120; // pixels from the end within which new text pulls the page along
let views = new Map();
let coming = null;
let release = "";

/** Whether the end of the thread is in sight. */
export function isAtEnd() {
  const { scrollHeight, scrollTop, clientHeight } = $("scroll");
  return scrollHeight - scrollTop - clientHeight < NEAR;
}

export function toEnd() {
  $("scroll").scrollTop = $("scroll").scrollHeight;
}

/** Take every turn away. */
export function clear() {
  views = new Map();
  coming = null;
  release = "";
  $("thread").replaceChildren();
}

/** Show one more turn, below a line if another release gave it than the one before. */
export function append(turn, told) {
  const why = (button) => (views.get(turn).isSelected ? closePanel() : select(turn, button));
  const view = turn.by === "bot" ? botTurn(turn, { ...told, why }) : userTurn(turn);
  if (turn.by === "bot") {
    if (release && release !== turn.release) $("thread").append(divider(turn.release));
    release = turn.release;
  }
  views.set(turn, view);
  view.setFailed?.(Boolean(turn.failed));
  $("thread").append(view.item);
}

/** Show how a turn came about; the panel opens for whoever pressed a button. */
export function select(turn, button = null) {
  views.forEach((view, each) => view.setSelected?.(each === turn));
  showTrace($("trace"), turn, about());
  if (button) openPanel(button);
}

export const unselect = () => views.forEach((view) => view.setSelected?.(false));

export const setFailed = (turn, failed) => views.get(turn)?.setFailed(failed);

/** Make room for a reply that is on its way. */
export function startComing() {
  coming = comingTurn();
  $("thread").append(coming.item);
  return coming;
}

/** Take away a reply that was on its way, or what is left of it. */
export function clearComing() {
  coming?.item.remove();
  coming = null;
}

/** Tell a screen reader of a reply, whole. */
export function announce(text) {
  $("said").replaceChildren(make("span", { dir: "auto" }, `Assistant: ${text}`));
}
