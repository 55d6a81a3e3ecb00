// The table of what could have been said.
import { make, visible } from "./dom.js";

const AT_FIRST = 12;
const HEADS = ["Reply", "Score", "Rank", "Source", "Senders", "Dropped"];
const number = (value) => (typeof value === "number" ? value.toFixed(3) : "–");

/**
 * A table of candidates, best first; the chosen one is marked.
 * @param {object[]} candidates
 * @param {?string} chosen the text that was said
 */
export function candidateTable(candidates, chosen) {
  if (!candidates.length) return make("p", { class: "hint" }, "None: this reply is scripted, or nothing was found.");
  const place = candidates.findIndex((each) => each.text === chosen && !each.dropped);
  const rows = candidates.map((each, index) => row(each, index === place));
  rows.forEach((each, index) => (each.hidden = index >= AT_FIRST && index !== place));
  const body = make("tbody", { role: "rowgroup" }, ...rows);
  // Roles in so many words: the rows are laid out as grids, and then browsers forget that they are rows.
  const heads = HEADS.map((head) => make("th", { role: "columnheader", scope: "col" }, head));
  const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads));
  const table = make("table", { class: "candidates", role: "table", "aria-label": "Candidates" }, head, body);
  return make("div", {}, table, more(rows));
}

function more(rows) {
  const hidden = rows.filter((each) => each.hidden);
  if (!hidden.length) return null;
  const show = (event) => {
    hidden.forEach((each) => (each.hidden = false));
    hidden[0].setAttribute("tabindex", "-1");
    hidden[0].focus({ preventScroll: true });
    event.currentTarget.remove();
  };
  return make("button", { type: "button", class: "link more", click: show }, `Show ${hidden.length} more`);
}

function row(candidate, isChosen) {
  const state = isChosen ? "chosen" : candidate.dropped ? "dropped" : "";
  const senders = candidate.senders === null ? wordsOf(candidate) : sendersOf(candidate.senders);
  const badge = isChosen ? make("span", { class: "badge" }, "chosen") : null;
  const cell = (name, ...content) => make("td", { role: "cell", class: name }, ...content);
  return make("tr", { role: "row", class: state },
    cell("reply", make("span", { dir: "auto" }, visible(candidate.text)), badge),
    cell("score", number(candidate.score)),
    cell("rank", number(candidate.rank)),
    cell("source", visible(candidate.source)),
    cell("senders", senders),
    cell("reason", candidate.dropped ? make("span", { class: "badge" }, visible(candidate.dropped)) : ""));
}

const wordsOf = (candidate) => (typeof candidate.tokens === "number" ? "generated" : "written");
const sendersOf = (count) => `${count} ${count === 1 ? "sender" : "senders"}`;
