// Feedback on the conversation as a whole: a thumb, and ratings from 1 to 10.
import { rate } from "./api.js";
import { icon, make } from "./dom.js";
import { notRecorded } from "./reactions.js";

const SCALES = ["interesting", "witty", "upbeat"];
const THUMBS = [["up", "Good conversation"], ["down", "Bad conversation"]];

/**
 * Fill the section at the end of the thread.
 * @param {HTMLElement} section
 * @param {object} state whose `thumb` and `ratings` are what the server has recorded
 * @param {{changed: () => void, problem: (problem: Error) => void}} told after each attempt
 */
export function showFeedback(section, state, told) {
  const status = make("div", { class: "under", "aria-live": "polite" });
  const thumbs = new Map();
  const send = async (what) => {
    status.replaceChildren();
    try {
      await rate(state.conversation, what);
      if (what.thumb) state.thumb = what.thumb;
      if (what.ratings) state.ratings = { ...state.ratings, ...what.ratings };
      status.replaceChildren(make("p", { class: "hint" }, "Recorded. Thank you."));
      told.changed();
    } catch (problem) {
      status.replaceChildren(notRecorded("Your feedback", problem, () => send(what)));
      told.problem(problem);
    }
    showThumbs();
  };
  const showThumbs = () => thumbs.forEach((button, name) => {
    button.setAttribute("aria-pressed", String(state.thumb === name));
  });
  for (const [name, label] of THUMBS) {
    const press = () => send({ thumb: name });
    const attributes = { type: "button", class: "reaction", "aria-label": label, "data-thumb": name, click: press };
    thumbs.set(name, make("button", attributes, icon(name)));
  }
  showThumbs();
  const form = ratingForm(state, (ratings) => send({ ratings }));
  const more = make("button", { type: "button", class: "link", "aria-expanded": "false", "aria-controls": "ratings" }, "Rate it");
  more.addEventListener("click", () => {
    form.hidden = !form.hidden;
    more.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) form.scrollIntoView({ block: "nearest" });
  });
  const row = make("div", { class: "feedback-row" }, make("span", {}, "How is this conversation?"), ...thumbs.values(), more);
  section.replaceChildren(row, form, status);
}

function ratingForm(state, send) {
  const submit = (event) => {
    event.preventDefault();
    const chosen = [...new FormData(form)].map(([scale, value]) => [scale, Number(value)]);
    if (chosen.length) send(Object.fromEntries(chosen));
  };
  const form = make("form", { id: "ratings", class: "ratings", hidden: true, submit },
    make("p", { class: "hint" }, "From 1, not at all, to 10, very much."),
    ...SCALES.map((scale) => scaleOf(scale, state.ratings[scale])),
    make("button", { type: "submit", class: "button" }, "Send ratings"));
  return form;
}

function scaleOf(scale, value) {
  const choices = Array.from({ length: 10 }, (_, number) => number + 1).map((number) => make("label", {},
    make("input", { type: "radio", name: scale, value: number, checked: number === value }), make("span", {}, String(number))));
  return make("fieldset", {}, make("legend", {}, scale[0].toUpperCase() + scale.slice(1)), ...choices);
}
