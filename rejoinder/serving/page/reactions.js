// The six reactions under a turn of the assistant: toggles, of which at most one is pressed.
import { react } from "./api.js";
import { icon, make } from "./dom.js";
import { lineOf } from "./problems.js";

const REACTIONS = [
  ["love", "Love"], ["funny", "Funny"], ["upvote", "Upvote"],
  ["meaningless", "Meaningless"], ["offensive", "Offensive"], ["downvote", "Downvote"],
];

// Of these the server knows more: that it keeps no log, or how many votes it takes.
const QUOTED = new Set(["unready", "busy"]);

/** A line that says what was not recorded, with a button that tries again. */
export function notRecorded(what, problem, retry) {
  const why = QUOTED.has(problem.kind) ? `The server said: ${problem.detail}` : lineOf(problem);
  const line = make("span", {}, `${what} was not recorded. ${why} `);
  return make("p", { class: "unrecorded", role: "alert" }, line,
    make("button", { type: "button", class: "link", click: retry }, "Try again"));
}

/**
 * The bar under one turn.
 * @param {object} turn whose `reaction` is what the server has recorded
 * @param {{changed: () => void, problem: (problem: Error) => void}} told after each attempt
 */
export function reactionBar(turn, told) {
  const bar = make("div", { class: "reactions", role: "group", "aria-label": "React to this reply" });
  const under = make("div", { class: "under" });
  const buttons = new Map();
  let wanted = turn.reaction ?? null;
  let isSending = false;

  function show() {
    for (const [name, button] of buttons) button.setAttribute("aria-pressed", String(wanted === name));
    bar.classList.toggle("sending", isSending);
  }

  // One request at a time: what is clicked meanwhile is sent after it, so that the last click is what stays.
  async function settle() {
    if (isSending) return;
    isSending = true;
    under.replaceChildren();
    show();
    while (wanted !== (turn.reaction ?? null)) {
      const sent = wanted;
      try {
        await react(turn.completion, sent);
        turn.reaction = sent;
        told.changed();
      } catch (problem) {
        wanted = turn.reaction ?? null;
        under.replaceChildren(notRecorded("Your reaction", problem, () => choose(sent)));
        told.problem(problem);
      }
    }
    isSending = false;
    show();
  }

  function choose(reaction) {
    wanted = reaction;
    show();
    settle();
  }

  for (const [name, label] of REACTIONS) {
    const press = () => choose(wanted === name ? null : name);
    const attributes = { type: "button", class: "reaction", "aria-label": label, "data-reaction": name, click: press };
    buttons.set(name, make("button", attributes, icon(name)));
  }
  bar.append(...buttons.values());
  show();
  return { bar, under };
}
