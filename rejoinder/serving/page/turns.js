// Shows the turns of the conversation.
import { make, visible } from "./dom.js";
import { reactionBar } from "./reactions.js";

/** A turn of the user. */
export function userTurn(turn) {
  const item = make("li", { class: "turn user" },
    make("span", { class: "unseen" }, "You: "),
    make("p", { class: "text", dir: "auto" }, visible(turn.text)));
  return { item, setFailed: (failed) => item.classList.toggle("failed", failed) };
}

/** A reply that is on its way. */
export function comingTurn() {
  const text = make("p", { class: "text", dir: "auto" });
  const dots = make("span", { class: "dots", role: "img", "aria-label": "The assistant is choosing a reply" },
    make("i"), make("i"), make("i"));
  const item = make("li", { class: "turn bot coming" }, text, dots);
  return {
    item,
    setText(value) {
      text.textContent = visible(value);
      dots.hidden = value !== "";
    },
    breakOff() {
      dots.remove();
      item.classList.replace("coming", "broken");
      if (!text.textContent) item.remove();
    },
  };
}

/**
 * A turn of the assistant.
 * @param {object} turn
 * @param {{changed: Function, problem: Function, why: (button: HTMLElement) => void}} told
 */
export function botTurn(turn, told) {
  const why = make("button", {
    type: "button", class: "why link", "aria-controls": "panel", "aria-expanded": "false",
    click: () => told.why(why),
  }, "Why this reply");
  const by = make("span", { class: "by" }, turn.release);
  const below = make("div", { class: "below" });
  const item = make("li", { class: "turn bot" },
    make("span", { class: "unseen" }, "Assistant: "),
    make("p", { class: "text", dir: "auto" }, visible(turn.text)), below);
  if (turn.completion) {
    const { bar, under } = reactionBar(turn, told);
    below.append(bar);
    item.append(under);
  }
  below.append(why, by);
  return {
    item,
    get isSelected() {
      return item.classList.contains("selected");
    },
    setSelected(selected) {
      item.classList.toggle("selected", selected);
      why.setAttribute("aria-expanded", String(selected));
    },
  };
}

/** A line between two turns that different releases gave. */
export function divider(release) {
  return make("li", { class: "divider" }, make("span", {}, `Now answered by ${release}`));
}
