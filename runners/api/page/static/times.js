// Times as the dispatcher tells them: the reader's clock may be wrong, so only its pace is trusted.

const KEPT = 20;
const differences = [];

// A message of the dispatcher's moment arrived now. Its way took some time, so the least difference of the
// latest ones is the nearest to the truth; old ones are forgotten, since clocks are set.
export function learn(moment) {
  differences.push(Date.now() - Date.parse(moment));
  if (differences.length > KEPT) differences.shift();
}

export function now() {
  return Date.now() - (differences.length ? Math.min(...differences) : 0);
}

// The same words as runners/api/page/words.py; a test compares the two.
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(Math.floor(whole / 60), "min", whole % 60, "s");
  if (whole < 86400) return two(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  return two(Math.floor(whole / 86400), "d", Math.floor((whole % 86400) / 3600), "h");
}

export function age(moment) {
  return (now() - Date.parse(moment)) / 1000;
}

export function tick(root) {
  for (const each of root.querySelectorAll("time[data-since]")) write(each, duration(age(each.dateTime)));
  for (const each of root.querySelectorAll("time[data-until]")) {
    const left = -age(each.dateTime);
    write(each, left > 0 ? `in ${duration(left)}` : "now");
  }
}

export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function two(first, word, second, small) {
  return second ? `${first} ${word} ${second} ${small}` : `${first} ${word}`;
}
