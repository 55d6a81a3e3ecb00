// The playground: wires the controls of the page to the conversation.
import { about, refreshAbout } from "./about.js";
import { startComposer } from "./composer.js";
import { $ } from "./dom.js";
import { clearToast, download } from "./extras.js";
import { startPanel } from "./panel.js";
import { session, stop } from "./session.js";
import { exported, load, onOtherTab } from "./state.js";
import * as talk from "./talk.js";
import { unselect } from "./thread.js";

function send(text) {
  clearToast();
  talk.send(text);
}

startPanel(unselect);
startComposer({ send, stop });
$("new").addEventListener("click", talk.startAnew);
$("export").addEventListener("click", () => {
  const day = new Date().toISOString().slice(0, 10);
  download(`rejoinder-conversation-${day}.json`, exported(session.state, about()));
});
for (const button of $("openers").children) button.addEventListener("click", () => send(button.textContent));
onOtherTab(talk.showKept);
// The server may have been started anew while the tab was in the background, and store texts now.
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refreshAbout().catch(() => {}));
// On a touch screen the focus would bring up the keyboard, over half of the page.
if (matchMedia("(hover: hover)").matches) $("message").focus();
talk.show(load());
talk.begin();
