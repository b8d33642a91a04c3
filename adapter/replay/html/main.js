// The page: summary, causes, filter, the list of messages (or of patients' courses), and what is chosen of it.
// What is chosen and filtered stands behind the # of the address, so that it can be kept and sent.

const FILTERS = [
  { key: "status", label: "Comparison", options: Object.entries(STATUS).map(([value, { word }]) => [value, word]), of: (one) => [one.status] },
  { key: "fate", label: "Fate", options: ["converted", "rejected", "unselected"].map((value) => [value, value]), of: (one) => [one.fate] },
  { key: "sender", label: "Sender", options: data.senders.map((value) => [value || "-", value || "not named"]), of: (one) => [one.sender || "-"] },
  { key: "issue", label: "Issue", options: [...data.slugs].sort().map((value) => [value, value]), of: (one) => one.slugs.map((slug) => data.slugs[slug]) },
  { key: "cause", label: "Cause", options: data.causes.map(([, title], index) => [String(index), title]), of: (one) => one.causes.map(String) },
];
const state = new URLSearchParams();

const controls = new Map();
const shown = make("p", { class: "shown", role: "status" });
const pane = make("section", { class: "pane", "aria-label": "Chosen message", tabindex: "-1" });
const tabs = { messages: null, patients: null };

const messageList = virtualList({ id: "messages", label: "Messages", height: 52, draw: messageRow, choose: (message) => change({ message: message.index }) });
const courseList = virtualList({ id: "courses", label: "Results over time, by patient and test", height: 52, draw: courseRow, choose: (course) => change({ course: course.index }) });

function messageRow(message) {
  const status = STATUS[message.status];
  const said = [message.sender || "sender not named", message.fate];
  if (message.changes) said.push(counted(message.changes, "element"));
  else if (message.slugs.length) said.push(counted(message.slugs.length, "kind") + " of issues");
  return make("div", {},
    make("span", { class: `badge ${status.kind}`, title: status.word }, status.sign, make("span", { class: "unseen" }, ` ${status.word}`)),
    make("span", { class: "name" }, shortName(message)),
    make("span", { class: "sub" }, said.filter(Boolean).join(" · ")));
}

function courseRow(course) {
  const last = course.points[course.points.length - 1];
  const flagged = course.points.filter((point) => side(point.flag) !== "within").length;
  return make("div", {},
    make("span", { class: "badge plain" }, course.points.length),
    make("span", { class: "name", title: course.name }, course.name),
    make("span", { class: "sub" }, `${course.patient} · last ${last.value} ${course.unit}${flagged ? ` · ${flagged} flagged` : ""}`));
}

function matching() {
  const wanted = FILTERS.filter(({ key }) => state.get(key)).map(({ key, of }) => [of, state.get(key).split(",")]);
  const words = (state.get("text") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return messages.filter((message) =>
    wanted.every(([of, values]) => { const mine = of(message); return values.some((value) => mine.includes(value)); }) &&
    words.every((word) => searchText(message).includes(word)));
}

function change(changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") state.delete(key);
    else state.set(key, String(value));
  }
  history.replaceState(null, "", `#${state}`);
  update(Object.keys(changes));
}

function update(changed) {
  const view = state.get("view") === "patients" ? "patients" : "messages";
  const message = messages[Number(state.get("message") ?? -1)];
  const course = courses[Number(state.get("course") ?? -1)];
  if (changed.some((key) => !["message", "course"].includes(key))) {
    for (const [key, control] of controls) control.value = state.get(key) ?? "";
    for (const button of document.querySelectorAll("[data-sets]")) {
      const set = new URLSearchParams(button.dataset.sets);
      const on = view === "messages" && [...set].every(([key, value]) => (state.get(key) ?? "") === value);
      button.setAttribute("aria-pressed", on ? "true" : "false");
    }
    const list = matching();
    const inView = new Set(list.map((one) => one.index));
    const chosenCourses = list.length === messages.length ? courses : courses.filter((one) => one.points.some((point) => inView.has(point.message)));
    for (const [name, tab] of Object.entries(tabs)) {
      tab.setAttribute("aria-pressed", name === view ? "true" : "false");
    }
    messageList.element.hidden = view !== "messages";
    courseList.element.hidden = view !== "patients";
    messageList.set(list, message);
    courseList.set(chosenCourses, course);
    shown.replaceChildren(view === "messages"
      ? `${list.length.toLocaleString("en")} of ${counted(messages.length, "message")}`
      : `${chosenCourses.length.toLocaleString("en")} of ${counted(courses.length, "course")}`);
  }
  if (changed.includes("message")) messageList.select(message);
  if (changed.includes("course")) courseList.select(course);
  if (changed.some((key) => ["message", "course", "view", "cause"].includes(key))) drawPane(view, message, course);
}

function drawPane(view, message, course) {
  const open = (one) => change({ view: null, message: one.index });
  if (view === "patients" && course) {
    const others = courses.filter((one) => one.patient === course.patient && one !== course);
    pane.replaceChildren(make("div", { class: "message" }, make("h2", {}, `Patient ${course.patient}`),
      make("p", { class: "note" }, "The patient is named by a digest of the first identifier."),
      chartOf(course, { chosen: -1, open }), others.map((one) => chartOf(one, { chosen: -1, open }))));
  } else if (view === "messages" && message) pane.replaceChildren(detailPane(message, { open, cause: Number(state.get("cause") ?? -1) }));
  else pane.replaceChildren(make("p", { class: "hint" }, view === "messages" ? "Choose a message to see what became of it." : "Choose a course to see it drawn."));
  pane.scrollTop = 0;
}

function readAddress() {
  for (const key of [...state.keys()]) state.delete(key);
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) state.set(key, value);
  update(["view", "text", "message"]);
}

function setter(sets, attributes, ...children) {
  const all = { view: null, status: null, fate: null, sender: null, issue: null, cause: null, text: null };
  return make("button", {
    type: "button", "aria-pressed": "false", "data-sets": new URLSearchParams(sets).toString(), ...attributes,
    onclick: (event) => change(event.currentTarget.getAttribute("aria-pressed") === "true" ? all : { ...all, ...sets }),
  }, ...children);
}

function header() {
  return make("header", {},
    make("p", { class: "warning", role: "note" }, make("strong", {}, "Patient data."), " This file holds texts and values of messages. Keep it, send it and delete it as such, unless all messages are made up."),
    make("div", { class: "title" },
      make("h1", {}, "Replay"),
      make("span", { class: `verdict ${data.passed ? "good" : "bad"}` }, data.passed ? "✓ passed" : "✗ not as accepted"),
      make("span", { class: "sub" }, `${counted(messages.length, "message")} in ${lasted(data.milliseconds)}`)),
    data.faults.map((fault) => make("p", { class: "fault", role: "alert" }, fault)));
}

function summary() {
  const number = (...statuses) => messages.filter((one) => statuses.includes(one.status)).length;
  const tiles = [
    ["Unchanged", number("same", "equivalent"), "same,equivalent", "good"],
    ["Changed", number("different"), "different", "bad"],
    ["New", number("missing"), "missing", "new"],
    ["Missing", number("gone"), "gone", "bad"],
  ].map(([word, count, status, kind]) => setter({ status }, { class: `tile ${count ? kind : "zero"}` }, make("b", {}, count.toLocaleString("en")), make("span", {}, word)));
  const rejected = messages.filter((one) => one.fate === "rejected").length;
  tiles.push(setter({ fate: "rejected" }, { class: `tile ${rejected ? "plain" : "zero"}` }, make("b", {}, rejected.toLocaleString("en")), make("span", {}, "Rejected")));
  return make("section", { class: "summary", "aria-label": "Summary" }, make("div", { class: "tiles" }, tiles), versions(), service());
}

/** The running service that gave the outputs. */
function service() {
  const { against } = data;
  if (!against) return null;
  const fact = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
  return make("div", { class: "service" }, make("h2", {}, `Through ${against.door} ${against.endpoint}`),
    make("dl", {},
      fact("answers", against.answers.map(([code, count]) => `${count.toLocaleString("en")} times ${code}`).join(", ")),
      fact("outputs read back", against.results.toLocaleString("en")),
      fact("time", lasted(against.milliseconds)),
      fact("answered after", against.latencies.map(([name, one]) => `${name} ${one} ms`).join(", ")),
      fact("program", against.program || "not told"),
      fact("tables", against.tables.slice(0, 12) || "not told")),
    against.notes.map((note) => make("p", { class: "note" }, note)));
}

function versions() {
  const pair = ([old, now]) => (old && old !== now ? [make("code", {}, old.slice(0, 12)), " → ", make("code", {}, now.slice(0, 12))] : make("code", {}, now.slice(0, 12)));
  const rows = data.versions.map((one) => make("tr", {},
    make("th", { scope: "row" }, one.folder || "without manifest"),
    make("td", {}, pair(one.program), one.parts ? ` (${counted(one.parts, "part")} other)` : ""),
    make("td", {}, pair(one.tables), one.rows ? ` (${counted(one.rows, "row")} other)` : ""),
    make("td", {}, one.settings.length ? one.settings.map((text) => make("div", {}, text)) : one.inUse.length ? one.inUse.join(", ") : "default")));
  return make("table", { class: "versions" },
    make("thead", {}, make("tr", {}, ["accepted in", "program", "tables", "settings"].map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, rows));
}

function groups() {
  if (!data.groups.length) return null;
  const most = Math.max(...data.groups.map(([, , count]) => count));
  return make("section", { class: "groups", "aria-label": "Causes" }, make("h2", {}, "Why outputs changed"),
    make("ul", {}, data.groups.map(([cause, elements, count]) => {
      const [kind, title, detail] = data.causes[cause];
      const bar = makeSvg("svg", { class: "bar", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" }, makeSvg("rect", { width: Math.max(1, (100 * count) / most), height: 4 }));
      return make("li", {}, setter({ cause: String(cause) }, { class: "group" },
        make("b", {}, counted(count, "message")), make("span", { class: "kind" }, kind), make("span", { class: "cause" }, title),
        make("span", { class: "sub" }, detail, detail ? " · " : "", counted(elements, "element")), bar));
    })));
}

function filterForm() {
  const search = make("input", { type: "search", id: "text", placeholder: "name, issue, text of changed messages", autocomplete: "off", oninput: (event) => change({ text: event.target.value }) });
  controls.set("text", search);
  const selects = FILTERS.map(({ key, label, options }) => {
    const choices = options.map(([value, word]) => make("option", { value }, word));
    if (key === "status") choices.unshift(make("option", { value: "same,equivalent" }, "unchanged"));
    const select = make("select", { id: key, onchange: (event) => change({ [key]: event.target.value }) }, make("option", { value: "" }, "all"), choices);
    controls.set(key, select);
    return make("label", {}, label, select);
  });
  const clear = make("button", { type: "button", onclick: () => change({ status: null, fate: null, sender: null, issue: null, cause: null, text: null }) }, "Clear");
  return make("form", { class: "filter", role: "search", "aria-label": "Filter messages", onsubmit: (event) => event.preventDefault() },
    make("label", { class: "wide" }, "Search", search), selects, clear);
}

function views() {
  const tab = (name, text) => (tabs[name] = make("button", { type: "button", class: "tab", onclick: () => change({ view: name === "messages" ? null : name }) }, text));
  return make("div", { class: "tabs", role: "group", "aria-label": "View" }, tab("messages", "Messages"), tab("patients", "Results over time"));
}

function notes() {
  const texts = [];
  if (data.detailsLeftOut > 0) texts.push(`The texts of ${counted(data.detailsLeftOut, "message")} that did not come out as accepted are left out to keep this file small; some of each cause are in it. All of them: --json FILE, or fewer messages: --filter, --only-sender.`);
  if (data.coursesLeftOut > 0) texts.push(`${counted(data.coursesLeftOut, "result")} over time are left out.`);
  return texts.map((text) => make("p", { class: "note" }, text));
}

/** On paper the list has no scroll bar: the chosen filter is printed as a table. */
function printed() {
  const list = matching().slice(0, 1000);
  return make("table", { class: "printed" }, make("tbody", {}, list.map((one) => make("tr", {},
    make("td", {}, STATUS[one.status].word), make("td", {}, nameOf(one)), make("td", {}, one.sender), make("td", {}, one.fate)))));
}

document.body.append(
  header(),
  make("main", {}, summary(), groups(), notes(),
    make("div", { class: "work" },
      make("section", { class: "choice", "aria-label": "Messages" }, views(), filterForm(), shown, messageList.element, courseList.element),
      pane)));
addEventListener("hashchange", readAddress);
addEventListener("beforeprint", () => document.querySelector(".choice").append(printed()));
addEventListener("afterprint", () => document.querySelector(".printed")?.remove());
readAddress();
document.documentElement.dataset.ready = "true";
