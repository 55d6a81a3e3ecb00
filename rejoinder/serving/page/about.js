// What the server says of itself: which release answers, and what becomes of what one writes.
import { info } from "./api.js";
import { $ } from "./dom.js";

let known = null;

export const about = () => known;

/** Ask the server, and show it. */
export async function refreshAbout() {
  known = await info();
  showRelease(known.release);
  $("consent").textContent = consentLine(known);
  $("consent").classList.toggle("stored", Boolean(known.log_text));
  return known;
}

/** Show which release answers. */
export function showRelease(release) {
  $("release").textContent = release;
}

/** What becomes of what one writes. */
function consentLine({ log: isLogged, log_text: isStored, retention_days: days }) {
  const here = "This browser keeps the conversation until you begin a new one.";
  if (isLogged === false) return `No texts are stored on the server, nor anything else of this conversation. ${here}`;
  if (!isStored) return `No texts are stored on the server, only ids, scores and your reactions. ${here}`;
  const time = days != null ? `for ${days} ${days === 1 ? "day" : "days"}` : "until it is deleted";
  return `What you write is stored ${time} to improve the assistant; please write no names, addresses or secrets.`;
}
