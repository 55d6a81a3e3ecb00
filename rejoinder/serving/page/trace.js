// How a reply came about: facts, times, candidates.
import { candidateTable } from "./candidates.js";
import { make, visible } from "./dom.js";

const SOURCES = { cold: "cache hit (cold)", hot: "cache hit (hot)", "": "context not encoded", model: "the model ran" };
const FALLBACKS = { nothing_fits: "nothing fits", too_late: "too late" };
const ms = (value) => `${value.toFixed(value < 10 ? 2 : 1)} ms`;

/** Show the trace of a turn in the panel. */
export function showTrace(place, turn, about) {
  const { trace } = turn;
  const quote = make("blockquote", { dir: "auto" }, turn.text ? visible(turn.text) : "No reply");
  if (!trace) {
    const line = "How this reply came about is not kept any more.";
    place.replaceChildren(quote, facts([["Release", turn.release]]), make("p", { class: "hint" }, line));
    return;
  }
  place.replaceChildren(quote, facts(factsOf(turn, trace)), section("Time", times(trace)),
    section(`Candidates (${trace.candidates?.length ?? 0})`, candidateTable(trace.candidates ?? [], trace.text)),
    about ? section("Release now serving", facts(releaseFacts(about))) : "");
}

const section = (title, ...content) => make("section", {}, make("h3", {}, title), ...content);

function factsOf(turn, trace) {
  const chosen = trace.candidates?.find((each) => each.text === trace.text && !each.dropped);
  return [
    ["Release", turn.release || trace.release],
    ["Route", trace.route],
    ["Source", chosen?.source],
    ["Vector", SOURCES[trace.source] ?? trace.source],
    ["Probability", Number(trace.probability ?? 1).toFixed(3)],
    ["Fallback", trace.fallback ? (FALLBACKS[trace.fallback] ?? trace.fallback) : "none"],
    ...Object.entries(trace.annotations ?? {}).map(([name, [label, p]]) => [name, label, Number(p).toFixed(2)]),
    ["Tokens", turn.usage ? `${turn.usage.prompt_tokens} read, ${turn.usage.completion_tokens} said` : null],
    ["Conversation", turn.conversation, "", "id"],
    ["Completion", turn.completion, "", "id"],
  ];
}

function releaseFacts(about) {
  const day = (text) => (text ? String(text).slice(0, 10) : null);
  return [
    ["Name", about.release], ["Created", day(about.created)], ["Expires", day(about.expires)],
    ["Runs on", about.execution], ["Software", about.version],
  ];
}

function facts(rows) {
  const shown = rows.filter(([, value]) => value != null && value !== "");
  return make("dl", { class: "facts" }, ...shown.flatMap(([name, value, aside, kind]) => [
    make("dt", {}, visible(name)),
    make("dd", { class: kind }, visible(value), aside ? make("span", { class: "aside" }, ` ${aside}`) : null),
  ]));
}

function times(trace) {
  const queued = trace.milliseconds?.queue;
  const wait = queued === undefined ? [] : [{ name: "queue", milliseconds: queued }];
  const steps = [...wait, ...(trace.steps ?? [])];
  const total = steps.reduce((sum, step) => sum + step.milliseconds, 0);
  const longest = Math.max(...steps.map((step) => step.milliseconds), 0.001);
  const list = make("ul", { class: "steps" }, ...steps.map((step) => stepRow(step, longest)));
  return make("div", {}, list, make("p", { class: "total" }, make("span", {}, "In all"), make("span", {}, ms(total))));
}

function stepRow(step, longest) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("i"));
  // Through the object model: the page's policy forbids style attributes.
  bar.firstChild.style.inlineSize = `${Math.max(0.8, (100 * step.milliseconds) / longest)}%`;
  const reasons = Object.entries(step.dropped ?? {}).map(([reason, count]) => `${count} ${reason}`);
  const dropped = step.candidates_in > step.candidates_out;
  const told = dropped ? `−${step.candidates_in - step.candidates_out}` : "";
  return make("li", {},
    make("span", { class: "name" }, visible(step.name)), bar,
    make("span", { class: "lost", title: dropped ? visible(`dropped: ${reasons.join(", ")}`) : null }, told),
    make("span", { class: "ms" }, ms(step.milliseconds)));
}
