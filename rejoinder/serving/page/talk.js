// The conversation: sends what one writes, takes in replies, and says what went wrong.
import { about, refreshAbout, showRelease } from "./about.js";
import { chat, setToken } from "./api.js";
import { edit, setBusy } from "./composer.js";
import { $ } from "./dom.js";
import { toast } from "./extras.js";
import { showFeedback } from "./feedback.js";
import { closePanel, isDrawer, isOpen } from "./panel.js";
import { clearProblem, showProblem } from "./problem-box.js";
import { Problem } from "./problems.js";
import { keep, now, session, stop, unanswered } from "./session.js";
import { fresh, load, messagesOf } from "./state.js";
import * as thread from "./thread.js";

const isToken = ({ kind }) => kind === "token" || kind === "wrongToken";
const told = { changed: keep, problem: (problem) => isToken(problem) && report(problem, begin) };

/** Show a conversation in place of the one that is shown. */
export function show(state) {
  stop();
  session.state = state;
  closePanel();
  clearProblem($("problem"));
  thread.clear();
  state.turns.forEach((turn) => thread.append(turn, told));
  $("feedback").hidden = true;
  showEnds();
  if (unanswered()) report(new Problem("unanswered"));
  thread.toEnd();
}

/** Show what another tab has kept, unless a reply is on its way here. */
export const showKept = () => session.control || show(load());

/** Leave the conversation; it can be had back for a while. */
export function startAnew() {
  const former = session.state;
  const showAndKeep = (state) => {
    show(state);
    keep();
  };
  showAndKeep(fresh());
  edit("");
  toast("A new conversation.", "Bring the last one back", () => showAndKeep(former));
  return begin();
}

/** Ask the server what it is; until it says so, nothing can be answered. */
export async function begin() {
  try {
    await refreshAbout();
    if (session.control) return;
    clearProblem($("problem"));
    if (unanswered()) report(new Problem("unanswered"));
  } catch (problem) {
    report(problem, begin);
  }
}

function showEnds() {
  const { conversation, turns } = session.state;
  const hasReplies = Boolean(conversation) && turns.some((turn) => turn.by === "bot");
  $("welcome").hidden = turns.length > 0;
  $("export").disabled = $("new").disabled = turns.length === 0;
  if (hasReplies && $("feedback").hidden) showFeedback($("feedback"), session.state, told);
  $("feedback").hidden = !hasReplies;
}

/** Say a text and ask for the reply. */
export function send(text) {
  const turn = { by: "user", text, at: now() };
  session.state.turns.push(turn);
  thread.clearComing();
  thread.append(turn, told);
  keep();
  showEnds();
  return answer();
}

async function answer() {
  const { state } = session;
  const turn = unanswered();
  const coming = startAnswer(turn);
  try {
    if (!about()) await refreshAbout();
    const got = await ask(state, coming);
    if (state === session.state) takeIn(got);
  } catch (problem) {
    if (state === session.state) fail(problem, turn, coming);
  }
  session.control = null;
  if (state === session.state) keep();
  setBusy(false);
}

function startAnswer(turn) {
  clearProblem($("problem"));
  thread.clearComing();
  delete turn.failed;
  thread.setFailed(turn, false);
  session.control = new AbortController();
  setBusy(true);
  const coming = thread.startComing();
  thread.toEnd();
  return coming;
}

async function ask(state, coming) {
  const { conversation } = state;
  const { control } = session;
  const asked = { messages: messagesOf(state), conversation, model: about().name ?? "rejoinder", control };
  const got = await chat(asked, ({ text }) => {
    const follow = thread.isAtEnd();
    coming.setText(text);
    if (follow) thread.toEnd();
  });
  if (!got.text.trim()) throw Object.assign(new Problem("empty"), { answer: got });
  return got;
}

function takeIn(got) {
  const turn = { by: "bot", at: now(), reaction: null, ...got };
  session.state.conversation = got.conversation;
  session.state.turns.push(turn);
  const follow = thread.isAtEnd();
  thread.clearComing();
  thread.append(turn, told);
  thread.announce(turn.text);
  if (turn.release && turn.release !== about().release) refreshAbout().catch(() => showRelease(turn.release));
  if (isOpen() && !isDrawer()) thread.select(turn);
  showEnds();
  if (follow) thread.toEnd();
}

function fail(problem, turn, coming) {
  coming.breakOff();
  turn.failed = true;
  thread.setFailed(turn, true);
  report(problem instanceof Problem ? problem : new Problem("failed"));
}

function takeBack() {
  const { text } = session.state.turns.pop();
  keep();
  show(session.state);
  edit(text);
}

function report(problem, retry = answer) {
  const token = (value) => {
    setToken(value);
    retry();
  };
  const got = problem.answer;
  const why = got?.trace ? (button) => thread.select({ ...got, by: "bot" }, button) : null;
  showProblem($("problem"), problem, { retry, token, edit: unanswered() ? takeBack : null, why });
}
