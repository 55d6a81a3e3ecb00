// Small helps: a passing line at the foot of the page, and a file to keep.
import { $, make } from "./dom.js";

const SECONDS = 8;
let timer = 0;

/** Show a line for a while, with one thing to do about it. */
export function toast(text, label = "", act = () => {}) {
  const done = () => {
    $("toast").hidden = true;
    act();
  };
  $("toast").replaceChildren(text, label ? make("button", { type: "button", class: "link", click: done }, label) : "");
  $("toast").hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => ($("toast").hidden = true), SECONDS * 1000);
}

/** Take the line away. */
export function clearToast() {
  $("toast").hidden = true;
}

/** Offer data as a JSON file. */
export function download(name, data) {
  const address = URL.createObjectURL(new Blob([JSON.stringify(data, null, 2)], { type: "application/json" }));
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
