// Morph: make an element's content that of another by changing only what differs, so that focus, selection
// and scrolling stay where they are. Elements with an id are the same wherever they stand.

// Set by scripts of this page, not by the HTML that is served.
const OURS = new Set(["tabindex"]);

export function morph(element, wanted) {
  const kept = new Set();
  for (const each of wanted.children) if (each.id) kept.add(each.id);
  for (const each of [...element.children]) if (each.id && !kept.has(each.id)) each.remove();
  let here = element.firstChild;
  for (const next of [...wanted.childNodes]) {
    const found = match(element, here, next);
    if (found === null) {
      element.insertBefore(next, here);
      continue;
    }
    if (found === here) here = here.nextSibling;
    else element.insertBefore(found, here);
    update(found, next);
  }
  while (here !== null) {
    const after = here.nextSibling;
    here.remove();
    here = after;
  }
}

function match(element, here, next) {
  if (next.id) {
    if (here !== null && here.id === next.id) return here;
    const found = document.getElementById(next.id);
    return found !== null && found.parentNode === element && found.nodeName === next.nodeName ? found : null;
  }
  return here !== null && !here.id && here.nodeName === next.nodeName ? here : null;
}

function update(element, wanted) {
  if (element.nodeType !== Node.ELEMENT_NODE) {
    if (element.nodeValue !== wanted.nodeValue) element.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name } of [...element.attributes]) {
    if (!wanted.hasAttribute(name) && !OURS.has(name)) element.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  // What these say depends on now, and times.js says it.
  if (element.matches("time[data-since], time[data-until]")) return;
  morph(element, wanted);
}
