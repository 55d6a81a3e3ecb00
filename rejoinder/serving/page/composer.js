// The field in which one writes, and its button, which sends or stops.
import { $, icon } from "./dom.js";

let isBusy = false;

function grow() {
  const field = $("message");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 200)}px`;
  $("send").disabled = !isBusy && !field.value.trim();
}

/** Show whether a reply is on its way. */
export function setBusy(busy) {
  isBusy = busy;
  $("send").setAttribute("aria-label", busy ? "Stop" : "Send");
  $("send").replaceChildren(icon(busy ? "stop" : "send"));
  grow();
}

/** Put a text into the field, to be changed. */
export function edit(text) {
  $("message").value = text;
  grow();
  $("message").focus();
}

/** Wire the composer. */
export function startComposer({ send, stop }) {
  const submit = (event) => {
    event.preventDefault();
    const text = $("message").value.trim();
    if (isBusy || !text) return;
    edit("");
    send(text);
  };
  $("composer").addEventListener("submit", submit);
  $("send").addEventListener("click", (event) => {
    if (!isBusy) return;
    event.preventDefault();
    stop();
  });
  $("message").addEventListener("input", grow);
  $("message").addEventListener("keydown", (event) => {
    // While an input method composes a character, Enter belongs to it.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  });
  setBusy(false);
}
