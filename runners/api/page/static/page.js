// The page's script: starts what keeps it current, and tells a screen reader what matters and nothing else.

import { start } from "./grid.js";
import { Live } from "./live.js";
import { write } from "./times.js";

// What is wrong may come and go every second; nobody wants to hear that often.
const SAY_EVERY_MS = 10_000;
const title = document.title;
let saidAt = -Infinity;
let saying = null;
let known = wrong();

function wrong() {
  return [...document.querySelectorAll(".problems > li")].map((each) => each.id).join(" ");
}

function say(words) {
  clearTimeout(saying);
  saying = setTimeout(() => {
    saidAt = performance.now();
    write(document.getElementById("said"), words());
  }, Math.max(0, saidAt + SAY_EVERY_MS - performance.now()));
}

function summary() {
  const list = [...document.querySelectorAll(".problems > li")];
  if (list.length === 0) return "Nothing is wrong any more.";
  const first = list[0].querySelector(".what").firstChild.textContent.trim();
  return `What is wrong has changed: ${list.length} ${list.length === 1 ? "entry" : "entries"}. ${first}`;
}

function told({ link, before }) {
  if (link === "live" && before === "lost") say(() => "Connected again.");
  const failing = document.querySelectorAll(".problems > li.failing").length;
  document.title = (document.body.dataset.link === "lost" ? "(lost) " : failing ? `(${failing}) ` : "") + title;
  if (wrong() !== known) {
    known = wrong();
    say(summary);
  }
}

start();
new Live(document.body, told).start();
