// The conversation that is shown, and the request that is on its way for it.
import { toast } from "./extras.js";
import { Problem } from "./problems.js";
import { fresh, save } from "./state.js";

/** `control` aborts the request; null while there is none. */
export const session = { state: fresh(), control: null };

let wasKept = true;

/** Keep the conversation in this browser; say so once if that cannot be. */
export function keep() {
  const isKept = save(session.state);
  if (wasKept && !isKept) toast("This browser does not keep the conversation: a reload ends it.");
  wasKept = isKept;
}

/** The last turn, if nobody has answered it. */
export function unanswered() {
  const last = session.state.turns.at(-1);
  return last?.by === "user" ? last : null;
}

/** Give the request up. */
export const stop = () => session.control?.abort(new Problem("stopped"));

export const now = () => new Date().toISOString();
