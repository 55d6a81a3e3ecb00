// Shows, in the place of a reply, what went wrong and what one can do.
import { make } from "./dom.js";
import { lineOf } from "./problems.js";

const EDITABLE = new Set(["refused", "long", "empty"]);
let ticking = 0;

/** Take the problem away. */
export function clearProblem(place) {
  clearInterval(ticking);
  place.replaceChildren();
}

/**
 * Show a problem.
 * @param {HTMLElement} place
 * @param {Error} problem
 * @param {{retry: () => void, edit: ?() => void, why: ?(button: HTMLElement) => void, token: (token: string) => void}} can
 */
export function showProblem(place, problem, can) {
  clearProblem(place);
  const wait = problem.wait ? ` Try again in ${problem.wait} ${problem.wait === 1 ? "second" : "seconds"}.` : "";
  const line = make("p", { role: "alert" }, lineOf(problem) + wait);
  const box = make("div", { class: "problem", "data-kind": problem.kind }, line);
  if (problem.kind === "token" || problem.kind === "wrongToken") box.append(tokenForm(can.token));
  else box.append(actions(problem, can));
  place.append(box);
  box.scrollIntoView({ block: "nearest" });
}

function actions(problem, can) {
  const retry = make("button", { type: "button", class: "button", click: can.retry }, "Try again");
  if (problem.wait) countDown(retry, problem.wait);
  const edit = EDITABLE.has(problem.kind) && can.edit;
  const link = (text, act) => make("button", { type: "button", class: "link", click: (event) => act(event.currentTarget) }, text);
  return make("div", { class: "actions" }, retry,
    edit ? link("Edit the message", can.edit) : null, can.why ? link("Why no reply", can.why) : null);
}

function countDown(button, seconds) {
  const end = Date.now() + seconds * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
    if (left <= 0) clearInterval(ticking);
  };
  ticking = setInterval(tick, 250);
  tick();
}

function tokenForm(use) {
  const field = make("input", {
    id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "token-kept",
  });
  const submit = (event) => {
    event.preventDefault();
    if (field.value.trim()) use(field.value.trim());
  };
  queueMicrotask(() => field.focus());
  return make("form", { class: "token", submit },
    make("label", { for: "token" }, "Token"), field,
    make("button", { type: "submit", class: "button" }, "Use this token"),
    make("p", { id: "token-kept", class: "hint" }, "It is kept until you close this tab."));
}
