// Grid: a thousand runners are one stop of the Tab key for each pool; arrows, Home and End go from one to the
// next, and a line above says what the one under the pointer or the focus is.

import { duration, now, write } from "./times.js";

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
let watched = null;

export function start() {
  document.addEventListener("keydown", move);
  document.addEventListener("focusin", (event) => watch(event.target));
  document.addEventListener("pointerover", (event) => watch(event.target));
  adopt();
}

// Cells that came with an update are no stops of their own; each grid has exactly one.
export function adopt() {
  for (const grid of document.querySelectorAll(".grid")) {
    for (const cell of grid.querySelectorAll(".cell:not([tabindex])")) cell.tabIndex = -1;
    const stops = grid.querySelectorAll('.cell[tabindex="0"]');
    if (stops.length === 0) grid.querySelector(".cell")?.setAttribute("tabindex", "0");
  }
  describe();
}

export function describe() {
  const line = document.getElementById("cell-detail");
  if (line === null || watched === null || !watched.isConnected) return;
  const since = now() / 1000 - Number(watched.dataset.at);
  write(line, `${watched.getAttribute("aria-label")}, for ${duration(since)}`);
}

export function focusCell(grid, index) {
  const cells = grid.querySelectorAll(".cell");
  const cell = cells[Math.min(Math.max(index, 0), cells.length - 1)];
  if (cell === undefined) return false;
  for (const each of grid.querySelectorAll('.cell[tabindex="0"]')) each.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
  return true;
}

export function place(element) {
  const grid = element?.closest?.(".grid") ?? null;
  return grid === null ? null : { grid, index: [...grid.querySelectorAll(".cell")].indexOf(element) };
}

function watch(target) {
  const cell = target.closest?.(".grid .cell");
  if (cell) {
    watched = cell;
    describe();
  }
}

function move(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const at = place(event.target);
  if (at === null || at.index < 0) return;
  const to = target(event.key, at);
  if (to === null) return;
  event.preventDefault();
  focusCell(at.grid, to);
}

function target(key, { grid, index }) {
  const cells = [...grid.querySelectorAll(".cell")];
  const columns = cells.findIndex((each) => each.offsetTop > cells[0].offsetTop);
  const row = columns < 0 ? cells.length : columns;
  if (key in STEPS) return index + STEPS[key];
  if (key === "ArrowDown") return index + row < cells.length ? index + row : index;
  if (key === "ArrowUp") return index - row >= 0 ? index - row : index;
  if (key === "Home") return 0;
  return key === "End" ? cells.length - 1 : null;
}
