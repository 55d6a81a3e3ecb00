// Speaks with the server this page came from; addresses are relative, so that a proxy may put it below a path.
import { Problem, problemOf } from "./problems.js";
import { events } from "./sse.js";

const SILENCE = 30_000; // milliseconds; the server sends keep-alives far oftener
const MOST_MESSAGES = 100; // the assistant reads a few turns only, and servers limit how many they take
const TOKEN = "rejoinder.token";
let token = null;

/** Keep a token until the tab is closed; where that is forbidden, until the page is left. */
export function setToken(value) {
  token = value;
  try {
    sessionStorage.setItem(TOKEN, value);
  } catch {
    // It is still in memory.
  }
}

function getToken() {
  try {
    return token ?? sessionStorage.getItem(TOKEN);
  } catch {
    return token;
  }
}

async function ask(path, options = {}) {
  const headers = { Accept: "application/json, text/event-stream" };
  const used = getToken();
  if (used) headers.Authorization = `Bearer ${used}`;
  if (options.body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...headers, ...options.headers }, cache: "no-store" });
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw new Problem("unreachable", { detail: error.message });
  }
  if (!response.ok) throw await problemOf(response, Boolean(used));
  return response;
}

const post = (path, body, options = {}) => ask(path, { method: "POST", body: JSON.stringify(body), ...options });

/** What the server says of itself and its release. */
export const info = async () => (await ask("info")).json();

/** Have a reaction recorded; null takes it back. */
export const react = (completion, reaction) => post("v1/reactions", { completion_id: completion, reaction });

/** Have a thumb or ratings of a whole conversation recorded. */
export const rate = (conversation, what) => post(`v1/conversations/${encodeURIComponent(conversation)}/feedback`, what);

/** "rejoinder@6 ad9ae830eb52" as the server writes releases elsewhere: "rejoinder #6 (ad9ae830eb52)". */
export function releaseOf(header) {
  const found = /^(.+)@(\d+) ([0-9a-f]+)/.exec(header ?? "");
  return found ? `${found[1]} #${found[2]} (${found[3]})` : (header ?? "");
}

/**
 * Ask for the next reply and read it as it comes.
 * @param {{messages: object[], conversation: ?string, model: string, control: AbortController}} what to ask
 * @param {(answer: object) => void} onChange told of every piece
 * @returns {Promise<object>} the whole answer; a Problem is thrown with what had come, as `answer`
 */
export async function chat({ messages, conversation, model, control }, onChange) {
  const answer = { text: "", completion: "", conversation, release: "", trace: null, usage: null, finish: "" };
  let timer;
  const listen = () => {
    clearTimeout(timer);
    timer = setTimeout(() => control.abort(new Problem("silent")), SILENCE);
  };
  const body = { model, messages: messages.slice(-MOST_MESSAGES), stream: true, include_trace: true };
  body.stream_options = { include_usage: true };
  if (conversation) body.metadata = { conversation_id: conversation };
  try {
    listen();
    const headers = conversation ? { "X-Conversation-Id": conversation } : {};
    const response = await post("v1/chat/completions", body, { signal: control.signal, headers });
    answer.release = releaseOf(response.headers.get("X-Rejoinder-Release"));
    answer.completion = response.headers.get("X-Completion-Id") ?? "";
    answer.conversation = response.headers.get("X-Conversation-Id") ?? conversation;
    await readInto(answer, response.body, listen, onChange);
  } catch (error) {
    const reason = control.signal.aborted ? control.signal.reason : error;
    throw Object.assign(reason instanceof Problem ? reason : new Problem("broken"), { answer });
  } finally {
    clearTimeout(timer);
  }
  return answer;
}

async function readInto(answer, body, listen, onChange) {
  for await (const data of events(body, listen)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Problem("failed", { detail: String(chunk.error.message ?? "").slice(0, 400) });
    const choice = chunk.choices?.[0];
    answer.completion = chunk.id ?? answer.completion;
    answer.conversation = chunk.conversation_id ?? answer.conversation;
    answer.text += choice?.delta?.content ?? "";
    answer.finish = choice?.finish_reason ?? answer.finish;
    answer.trace = chunk.trace ?? answer.trace;
    answer.usage = chunk.usage ?? answer.usage;
    onChange(answer);
  }
  throw new Problem("broken");
}
