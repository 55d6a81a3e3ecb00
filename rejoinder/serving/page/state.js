// What is kept in this browser: the conversation, so that a reload shows it again.

const KEY = "rejoinder.conversation";
const VERSION = 1;

export const fresh = () => ({ version: VERSION, conversation: null, thumb: null, ratings: {}, turns: [] });

const isTurn = (turn) => (turn?.by === "user" || turn?.by === "bot") && typeof turn.text === "string";

/** The kept conversation; a fresh one if there is none, or none that this version of the page can read. */
export function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    const isSound = kept?.version === VERSION && Array.isArray(kept.turns) && kept.turns.every(isTurn);
    return isSound ? { ...fresh(), ...kept } : fresh();
  } catch {
    return fresh();
  }
}

/** Keep a conversation; where it does not fit, without the oldest traces. Whether it is kept. */
export function save(state) {
  const traced = state.turns.filter((turn) => turn.trace).length;
  for (const dropped of [0, Math.ceil(traced / 2), traced]) {
    try {
      localStorage.setItem(KEY, JSON.stringify(withoutTraces(state, dropped)));
      return true;
    } catch {
      // Full, or forbidden: the next try is smaller.
    }
  }
  return false;
}

function withoutTraces(state, count) {
  let left = count;
  const turns = state.turns.map((turn) => (turn.trace && left-- > 0 ? { ...turn, trace: null } : turn));
  return { ...state, turns };
}

/** Call back when another tab changed the conversation. */
export function onOtherTab(callback) {
  addEventListener("storage", (event) => event.key === KEY && callback());
}

/** The dialogue as the server reads it; what it could not answer is left out. */
export function messagesOf(state) {
  const said = state.turns.filter((turn) => turn.text && !turn.failed);
  // Half a character (a lone surrogate) is no Unicode text: a strict server would refuse all of it.
  const whole = (text) => text.toWellFormed?.() ?? text;
  return said.map(({ by, text }) => ({ role: by === "bot" ? "assistant" : "user", content: whole(text) }));
}

/** What "Export" writes: everything but what only this page needs. */
export function exported(state, about) {
  const turns = state.turns.map(({ by, text, at, completion, release, reaction, trace }) => {
    const turn = { speaker: by, text, at };
    return by === "bot" ? { ...turn, completion_id: completion, release, reaction: reaction ?? null, trace } : turn;
  });
  const { conversation, thumb, ratings } = state;
  return { conversation_id: conversation, exported: new Date().toISOString(), server: about, thumb, ratings, turns };
}
