// One message: what changed and why, the message beside its accepted and its present output, its results over time.

const KEPT_AROUND = 2;
const CHANGES_SHOWN = 6;

function detailPane(message, { open, cause }) {
  const status = STATUS[message.status];
  const detail = detailOf(message);
  const pane = make("div", { class: "message" },
    make("h2", { tabindex: "-1" }, nameOf(message)),
    make("p", { class: "facts" },
      make("span", { class: `badge ${status.kind}` }, `${status.sign} ${status.word}`),
      make("span", {}, message.fate || "no message"),
      message.sender && make("span", {}, `sender ${message.sender}`),
      make("span", {}, counted(message.results, "result"))));
  if (detail) pane.append(changesOf(detail, message, cause), sidesOf(detail), issuesOf(detail));
  else pane.append(leftOut(message), slugsOf(message));
  const mine = [...(coursesOfMessage.get(message.index) ?? [])];
  if (mine.length)
    pane.append(section("Results over time", mine.map((course) => chartOf(course, { chosen: message.index, open }))));
  return pane;
}

function section(title, ...content) {
  return make("section", {}, make("h3", {}, title), ...content);
}

function leftOut(message) {
  const why = message.status === "same" || message.status === "equivalent"
    ? "It came out as accepted; its text is not in this file."
    : "This file holds the texts of a part of the changed messages only.";
  return make("p", { class: "note" }, `${why} To see it: `, make("code", {}, `b2m-adapter explain ${message.file}`));
}

/** Changed elements; those of the cause that the reader filters by stand first. */
function changesOf(detail, message, cause) {
  if (!detail.changes.length) return make("p", { class: "note" }, message.status === "missing" ? "Nothing was accepted for this message yet." : "No element differs.");
  const more = message.changes - detail.changes.length;
  const first = (change) => Number(!change.causes.includes(cause));
  const rows = [...detail.changes].sort((one, other) => first(one) - first(other)).map((change) => make("tr", {},
    make("th", { scope: "row" }, make("code", {}, change.path)),
    make("td", {}, valueOf(change.old, "old"), originsOf(change.oldFrom)),
    make("td", {}, valueOf(change.now, "now"), originsOf(change.newFrom)),
    make("td", {}, change.causes.map((cause) => make("div", {}, data.causes[cause][1])))));
  const body = make("tbody", {}, rows.slice(0, CHANGES_SHOWN));
  const rest = rows.slice(CHANGES_SHOWN);
  const all = rest.length ? make("button", { class: "link", type: "button", onclick: () => { body.append(...rest); all.remove(); } }, `Show ${counted(rest.length, "more element")}`) : null;
  return section(counted(message.changes, "element") + " changed",
    make("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "changed elements" }, make("table", { class: "changes" },
      make("thead", {}, make("tr", {}, ["element", "accepted", "now", "cause"].map((head) => make("th", { scope: "col" }, head)))),
      body)),
    all,
    more > 0 ? make("p", { class: "note" }, `and ${counted(more, "element")} more`) : null,
    detail.explained ? null : make("p", { class: "note" }, "What made these values was looked up for some messages of each cause only (--explain)."));
}

function valueOf(text, kind) {
  return text === null ? make("span", { class: "none" }, "–") : make("code", { class: `value ${kind}` }, text);
}

function originsOf(origins) {
  if (!origins.length) return null;
  const texts = origins.map((origin) => {
    const row = origin.rows ? [" ", make("span", { class: "row-id" }, origin.rows)] : [];
    if (!origin.place) return make("div", {}, origin.rules, ...row);
    const go = (event) => goTo(event.currentTarget.closest(".message"), origin.place);
    return make("div", {}, make("button", { class: "link place", type: "button", onclick: go, title: origin.rules || null }, origin.place), ...row);
  });
  const [first, ...rest] = texts;
  return make("div", { class: "origins" }, first, rest.length ? make("details", {}, make("summary", {}, `and ${rest.length} more`), rest) : null);
}

function goTo(pane, place) {
  const mark = [...pane.querySelectorAll("mark[data-places]")].find((one) => one.dataset.places.split(" ").includes(place));
  if (!mark) return;
  mark.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  mark.classList.remove("flash");
  requestAnimationFrame(() => mark.classList.add("flash"));
}

function sidesOf(detail) {
  const source = detail.source ? make("div", { class: "source" }, make("h4", {}, "Message"), sourceOf(detail)) : null;
  return section("Message and output", make("div", { class: "sides" }, source, outputsOf(detail)));
}

/** Places of the message by whether they made a changed value themselves (the first origin) or had a part in it. */
function placesOf(detail) {
  const places = new Map();
  for (const change of detail.changes)
    for (const origins of [change.oldFrom, change.newFrom]) {
      let main = true;
      for (const { place } of origins)
        if (place) {
          places.set(place, places.get(place) || main);
          main = false;
        }
    }
  return places;
}

function sourceOf(detail) {
  if (detail.json) {
    // FHIR leaves as it came: an element stands at the same place in both
    const paths = detail.changes.flatMap((change) => [change.oldAt, change.newAt]).filter(Boolean).map((at) => at.path);
    const holds = (line) => paths.some((path) => path.length && path.every((part, index) => line.path.slice(-path.length)[index] === part));
    const lines = jsonLines(detail.source).map((line) => ({ ...line, marked: holds(line) }));
    return make("pre", { class: "json" }, lines.map((line) => lineOf(line)));
  }
  const segments = markedSegments(detail.source, placesOf(detail));
  return make("div", { class: "segments" }, segments.map(({ segment, ranges }) =>
    make("div", { class: `segment${ranges.length ? " touched" : ""}` }, markedNodes(segment.text, ranges))));
}

/** Accepted and present output, resource by resource; those that are the same are folded. */
function outputsOf(detail) {
  const pathsIn = (name, key) => detail.changes.map((change) => change[key]).filter((at) => at && at.name === name).map((at) => at.path);
  const partner = partners(detail);
  const pairs = detail.after.map((resource) => [partner.get(resource) ?? null, resource]);
  const taken = new Set(pairs.map(([one]) => one));
  pairs.push(...detail.before.filter((one) => !taken.has(one)).map((one) => [one, null]));
  const drawn = pairs.map(([before, after]) => {
    const oldPaths = before ? pathsIn(before.name, "oldAt") : [];
    const newPaths = after ? pathsIn(after.name, "newAt") : [];
    const changed = oldPaths.length > 0 || newPaths.length > 0;
    return { changed, element: resourceOf(before, after, oldPaths, newPaths, changed) };
  });
  drawn.sort((one, other) => Number(other.changed) - Number(one.changed));
  return make("div", { class: "outputs" },
    make("div", { class: "columns" }, make("h4", {}, detail.before.length ? "Accepted output" : "Nothing was accepted"), make("h4", {}, detail.after.length ? "Output now" : "No output now")),
    drawn.map((one) => one.element));
}

/** Which accepted resource a present one stands for: by what was compared, else the same text, else the same name. */
function partners(detail) {
  const found = new Map();
  const free = new Set(detail.before);
  const pair = (before, after) => {
    if (!before || !after || !free.has(before) || found.has(after)) return;
    found.set(after, before);
    free.delete(before);
  };
  const named = (list, at) => at && list.find((one) => one.name === at.name);
  for (const change of detail.changes) pair(named(detail.before, change.oldAt), change.newAt && named(detail.after, change.newAt));
  for (const after of detail.after) pair([...free].find((one) => one.text === after.text), after);
  const whole = new Set(detail.changes.filter((one) => !one.oldAt !== !one.newAt).flatMap((one) => [one.oldAt, one.newAt])
    .filter((at) => at && !at.path.length).map((at) => at.name));
  for (const after of detail.after) if (!whole.has(after.name)) pair([...free].find((one) => one.name === after.name), after);
  return found;
}

function resourceOf(before, after, oldPaths, newPaths, changed) {
  const name = after && before && after.name !== before.name ? `${before.name} → ${after.name}` : (after ?? before).name;
  const same = before && after && before.text === after.text;
  const summary = make("summary", {}, make("code", {}, name),
    make("span", {}, changed ? " changed" : same ? " the same" : before && after ? " same meaning" : ""));
  const box = make("details", { class: `resource${changed ? " changed" : ""}`, open: changed }, summary);
  const draw = () => {
    if (box.children.length > 1) return;
    const left = before ? markLines(jsonLines(before.text), oldPaths) : [];
    const right = after ? markLines(jsonLines(after.text), newPaths) : [];
    box.append(entriesOf(before, after), comparison(left, right));
  };
  if (changed) draw();
  else box.addEventListener("toggle", draw);
  return box;
}

function entriesOf(before, after) {
  if (!before?.entry && !after?.entry) return "";
  const cell = (resource) => make("code", {}, resource?.entry ?? "");
  return make("div", { class: "columns entry" }, cell(before), cell(after));
}

function comparison(left, right) {
  const pairs = left.length && right.length ? alignedLines(left, right) : sideBySide(left, right);
  const body = make("div", { class: "comparison" });
  const differs = ([one, other]) => !one || !other || one.text !== other.text || one.marked || other.marked;
  const shown = pairs.map((_, index) => pairs.slice(Math.max(0, index - KEPT_AROUND), index + KEPT_AROUND + 1).some(differs));
  const anything = shown.some(Boolean) && left.length && right.length;
  for (let index = 0; index < pairs.length; ) {
    if (!anything || shown[index]) {
      body.append(pairRow(pairs[index]));
      index += 1;
      continue;
    }
    let end = index;
    while (end < pairs.length && !shown[end]) end += 1;
    const hidden = pairs.slice(index, end);
    const button = make("button", { class: "fold", type: "button", onclick: () => button.replaceWith(...hidden.map(pairRow)) }, `⋯ ${counted(hidden.length, "equal line")}`);
    body.append(button);
    index = end;
  }
  return body;
}

function pairRow([one, other]) {
  const differs = !one || !other || one.text !== other.text;
  return make("div", { class: "columns pair" }, lineOf(one, "old", differs), lineOf(other, "now", differs));
}

function lineOf(line, side = "now", differs = false) {
  if (!line) return make("div", { class: "line empty" });
  const kind = line.marked ? ` ${side} marked` : differs ? " uncounted" : "";
  const sign = line.marked ? make("span", { class: "sign" }, side === "old" ? "− " : "+ ") : null;
  return make("div", { class: `line${kind}` }, "\u00a0\u00a0".repeat(line.indent), sign, line.text);
}

function issuesOf(detail) {
  const come = new Set(detail.changes.filter((change) => change.old === null && change.path.startsWith("issue ")).map((change) => change.path.slice(6)));
  const gone = detail.changes.filter((change) => change.now === null && change.path.startsWith("issue ")).map((change) => change.path.slice(6));
  if (!detail.issues.length && !gone.length) return section("Issues", make("p", { class: "note" }, "None."));
  return section("Issues", make("ul", { class: "issues" },
    gone.map((issue) => make("li", {}, make("del", {}, issue), " no longer reported")),
    detail.issues.map((issue) => make("li", {}, come.has(issue) ? [make("ins", {}, issue), " new"] : issue))));
}

function slugsOf(message) {
  if (!message.slugs.length) return section("Issues", make("p", { class: "note" }, "None."));
  return section("Issues", make("ul", { class: "issues" }, message.slugs.map((slug) => make("li", {}, data.slugs[slug]))));
}
