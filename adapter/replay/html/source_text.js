// A v2 message as it came, with components found by their places: OBX[2]-5.1, PID[1]-3(2).4.1, MSH-9.

const PLACE = /^([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\((\d+)\))?(?:\.(\d+))?(?:\.(\d+))?)?$/;

/** Segments of a message: { text, name, number, start } in the order of the message; a line that is no segment continues one. */
function segmentsOf(source) {
  const header = source.indexOf("MSH");
  const separator = header < 0 ? "|" : source[header + 3] ?? "|";
  const counts = new Map();
  const segments = [];
  for (const line of source.replace(/^[\uFEFF\v\s]+/, "").split(/\r\n|\r|\n/)) {
    const name = line.slice(0, 3);
    const isSegment = /^[A-Z][A-Z0-9]{2}$/.test(name) && (line.length === 3 || line[3] === separator);
    if (!isSegment && segments.length) {
      if (line.trim()) segments.push({ text: line, name: "", number: 0 });
      continue;
    }
    const number = (counts.get(name) ?? 0) + 1;
    counts.set(name, number);
    segments.push({ text: line, name, number });
  }
  return segments;
}

/** Start and end of the n-th part (from 1) of a stretch of text; null where there is none. */
function partOf(text, start, end, separator, number) {
  let from = start;
  for (let part = 1; ; part += 1) {
    let to = separator ? text.indexOf(separator, from) : -1;
    if (to < 0 || to > end) to = end;
    if (part === number) return [from, to];
    if (to >= end) return null;
    from = to + 1;
  }
}

/** Where a place is in the text of its segment; what a place names beyond what was sent is its nearest whole. */
function rangeOf(segment, match, signs) {
  const [, , , field, repetition, component, subcomponent] = match;
  const text = segment.text;
  if (!field) return [0, text.length];
  // MSH-1 is the separator itself
  let found = partOf(text, 0, text.length, signs.field, Number(field) + (segment.name === "MSH" ? 0 : 1));
  if (!found || (segment.name === "MSH" && Number(field) <= 2)) return found;
  const steps = [[signs.repetition, repetition ?? 1], [signs.component, component], [signs.subcomponent, subcomponent]];
  if (!repetition && !component) steps.shift();
  for (const [sign, number] of steps) {
    if (!number) continue;
    const inner = partOf(text, found[0], found[1], sign, Number(number));
    if (!inner) return found;
    found = inner;
  }
  return found;
}

/** Segments with the ranges of the places: { segment, ranges: [[start, end, place, main]] }. */
function markedSegments(source, places) {
  const segments = segmentsOf(source);
  const head = segments[0]?.name === "MSH" ? segments[0].text : "MSH|^~\\&|";
  const codes = head.slice(4).split(head[3])[0];
  const signs = { field: head[3], component: codes[0], repetition: codes[1], subcomponent: codes[3] };
  const marked = segments.map((segment) => ({ segment, ranges: [] }));
  for (const [place, main] of places) {
    const match = PLACE.exec(place);
    const line = match && marked.find(({ segment }) => segment.name === match[1] && segment.number === Number(match[2] ?? 1));
    const range = line && rangeOf(line.segment, match, signs);
    if (range) line.ranges.push([...range, place, main]);
  }
  return marked;
}

/** The text of a segment as nodes, its ranges as <mark>. */
function markedNodes(text, ranges) {
  const edges = [...new Set([0, text.length, ...ranges.flatMap(([start, end]) => [start, end])])].sort((a, b) => a - b);
  const nodes = [];
  for (let index = 0; index + 1 < edges.length; index += 1) {
    const [start, end] = [edges[index], edges[index + 1]];
    const within = ranges.filter((range) => range[0] <= start && end <= range[1]);
    const piece = text.slice(start, end);
    if (!within.length) nodes.push(piece);
    else {
      const main = within.some((range) => range[3]);
      const names = within.map((range) => range[2]);
      nodes.push(make("mark", { class: main ? "main" : "part", title: names.join(", "), "data-places": names.join(" ") }, piece));
    }
  }
  return nodes;
}
