// Live: follows the status stream and brings the page up to date. The stream says that something has changed;
// what has changed is then asked for, at most once a second, and only while somebody can see it.

import { adopt, describe, focusCell, place } from "./grid.js";
import { morph } from "./morph.js";
import { age, duration, learn, tick, write } from "./times.js";

const STREAM = "/v1/status/stream";
const GAP_MS = 1000;
// The stream says something every 15 seconds; two and a half of those without a word, and it is dead.
const SILENCE_MS = 37_500;
const AGAIN_MS = [1000, 2000, 4000, 8000, 15_000];
const SIGNED_OUT = 401;

export class Live {
  // `told` is called after each update, with what it was about.
  constructor(body, told) {
    this.body = body;
    this.told = told;
    this.marks = {};
    this.asOf = body.dataset.asOf;
    this.heardAt = performance.now();
    this.failures = 0;
    learn(this.asOf);
  }

  start() {
    this.connect();
    setInterval(() => this.beat(), 1000);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.refresh();
    });
    // A page that the browser kept while another was shown has missed what happened since.
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.refresh();
    });
  }

  connect() {
    this.source?.close();
    const source = (this.source = new EventSource(STREAM));
    const heard = () => this.heard();
    source.addEventListener("status", heard);
    source.addEventListener("heartbeat", heard);
    source.addEventListener("error", () => {
      this.lose();
      // Asked at once, a dispatcher that ended the session says so; one that is gone says nothing.
      this.refresh();
      // Otherwise the browser comes back by itself.
      if (source.readyState === EventSource.CLOSED) this.again();
    });
    this.heardAt = performance.now();
  }

  again() {
    const wait = AGAIN_MS[Math.min(this.failures, AGAIN_MS.length - 1)];
    this.failures += 1;
    setTimeout(async () => {
      await this.refresh();
      if (this.body.dataset.link !== "out") this.connect();
    }, wait);
  }

  heard() {
    this.heardAt = performance.now();
    this.failures = 0;
    this.set("live");
    this.refresh();
  }

  beat() {
    if (performance.now() - this.heardAt > SILENCE_MS && this.body.dataset.link !== "out") {
      this.lose();
      this.connect();
    }
    tick(document);
    describe();
    write(document.getElementById("age"), `, ${duration(age(this.asOf))} old`);
  }

  lose() {
    if (this.body.dataset.link !== "out") this.set("lost");
  }

  set(link) {
    const before = this.body.dataset.link;
    if (before === link || before === "out") return;
    this.body.dataset.link = link;
    const clock = this.asOf.slice(11, 19);
    const words = {
      live: ["Live", ""],
      lost: ["Connection lost", `The connection is lost. This is the fleet as of ${clock} UTC. Trying again …`],
      out: ["Signed out", `You are signed out. This is the fleet as of ${clock} UTC. `],
    }[link];
    write(document.getElementById("link-word"), words[0]);
    const banner = document.getElementById("lost");
    write(banner, words[1]);
    banner.hidden = link === "live";
    if (link === "out") {
      const way = document.createElement("a");
      way.href = `/signin?next=${encodeURIComponent(location.pathname)}`;
      way.textContent = "Sign in again";
      banner.append(way);
      this.source?.close();
    }
    this.told({ link, before });
  }

  async refresh() {
    if (document.hidden) return;
    if (this.asking) {
      this.askAgain = true;
      return;
    }
    this.asking = true;
    const began = performance.now();
    try {
      await this.ask();
    } catch {
      // No answer, or half of one: the page stays as it is and says so.
      this.lose();
    }
    const left = GAP_MS - (performance.now() - began);
    setTimeout(() => {
      this.asking = false;
      if (this.askAgain) {
        this.askAgain = false;
        this.refresh();
      }
    }, Math.max(0, left));
  }

  async ask() {
    const have = Object.values(this.marks).join(",");
    const answer = await fetch(`${this.body.dataset.live}?have=${have}`, { redirect: "error" });
    if (answer.status === SIGNED_OUT) this.set("out");
    else if (answer.ok) this.apply(await answer.json());
    else this.lose();
  }

  apply(update) {
    const began = performance.now();
    const focused = document.activeElement;
    const stood = place(focused);
    for (const [name, part] of Object.entries(update.parts)) {
      const element = document.querySelector(`[data-part="${name}"]`);
      if (element === null) continue;
      const wanted = document.createElement("template");
      wanted.innerHTML = part.html;
      morph(element, wanted.content);
      this.marks[name] = part.mark;
    }
    // The dispatcher draws for many pages at once, so an answer may be a moment older than the question.
    if (!update.fresh) this.askAgain = true;
    this.asOf = update.as_of;
    learn(update.as_of);
    write(document.getElementById("revision"), String(update.revision));
    const clock = document.querySelector(".freshness time");
    clock.dateTime = update.as_of;
    write(clock, update.as_of.slice(11, 19));
    adopt();
    this.beat();
    keepFocus(focused, stood);
    this.body.dataset.revision = update.revision;
    this.body.dataset.updateMs = (performance.now() - began).toFixed(1);
    this.told({ parts: Object.keys(update.parts) });
  }
}

// What had the focus may have been moved, which takes it away, or be gone; then its neighbour has it.
function keepFocus(focused, stood) {
  if (focused === null || focused === document.body || focused === document.activeElement) return;
  if (focused.isConnected) focused.focus({ preventScroll: true });
  else if (stood === null || !stood.grid.isConnected || !focusCell(stood.grid, stood.index))
    document.getElementById("main").focus({ preventScroll: true });
}
