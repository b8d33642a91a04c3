// The data of the report (content.py makes them), with names in the place of indices.

const data = JSON.parse(document.getElementById("data").textContent);
document.getElementById("data").remove();

const STATUS = {
  same: { word: "as accepted", sign: "=", kind: "good" },
  equivalent: { word: "same meaning", sign: "≈", kind: "good" },
  different: { word: "changed", sign: "≠", kind: "bad" },
  missing: { word: "new", sign: "+", kind: "new" },
  gone: { word: "gone", sign: "−", kind: "bad" },
};

const messages = data.messages.map((row, index) => ({
  index,
  file: data.files[row[0]],
  number: row[1],
  sender: data.senders[row[2]],
  status: row[3],
  fate: row[4],
  slugs: data.slugSets[row[5]],
  results: row[6],
  causes: data.causeSets[row[7]],
  changes: row[8],
  detail: row[9],
}));

function nameOf(message) {
  return message.number ? `${message.file} message ${message.number}` : message.file;
}

const ending = /[^/]*$/;
const commonFolder = data.files.map((file) => file.replace(ending, "")).reduce((one, other) => {
  while (!other.startsWith(one)) one = one.replace(/[^/]*\/?$/, "");
  return one;
}, data.files[0]?.replace(ending, "") ?? "");
const several = new Set(messages.filter((message) => message.number > 1).map((message) => message.file));

/** The name without what all files have in common. */
function shortName(message) {
  const file = message.file.slice(commonFolder.length);
  return several.has(message.file) && message.number ? `${file} message ${message.number}` : file;
}

/** Results by patient and test, one course for each unit: values of two units have no common axis. */
const courses = data.courses.flatMap(([patient, test, points]) => {
  const byUnit = new Map();
  for (const [message, time, value, unit, low, high, flag] of points) {
    if (!byUnit.has(unit)) byUnit.set(unit, []);
    byUnit.get(unit).push({ message, time, value, low, high, flag });
  }
  const [loinc, name] = data.tests[test];
  return [...byUnit].map(([unit, ofUnit]) => ({ patient, loinc, name, unit, points: ofUnit }));
}).map((course, index) => ({ ...course, index }));

const coursesOfMessage = new Map();
for (const course of courses)
  for (const point of course.points) {
    if (!coursesOfMessage.has(point.message)) coursesOfMessage.set(point.message, new Set());
    coursesOfMessage.get(point.message).add(course);
  }

/** A message in full; null where the page holds its row only. */
function detailOf(message) {
  if (message.detail < 0) return null;
  const [source, json, before, after, changes, issues, explained] = data.details[message.detail];
  const text = (index) => (index === null || index < 0 ? null : data.texts[index]);
  const resources = (list) => list.map(([name, body, entry]) => ({ name, text: text(body), entry: text(entry) }));
  const origins = (list) => list.map(([place, rules, rows]) => ({ place: text(place), rules: text(rules), rows: text(rows) }));
  const at = (place) => place && { name: place[0], path: place[1] };
  return {
    source: text(source),
    json,
    explained,
    before: resources(before),
    after: resources(after),
    issues: issues.map(text),
    changes: changes.map(([path, old, now, oldAt, newAt, oldFrom, newFrom, causes]) => ({
      path: text(path),
      old: text(old),
      now: text(now),
      oldAt: at(oldAt),
      newAt: at(newAt),
      oldFrom: origins(oldFrom),
      newFrom: origins(newFrom),
      causes,
    })),
  };
}

/** Everything of a message that a search looks through, in lower case; made when it is searched for the first time. */
function searchText(message) {
  if (message.search === undefined) {
    const detail = message.detail < 0 ? null : detailOf(message);
    const slugs = message.slugs.map((slug) => data.slugs[slug]);
    const patients = [...(coursesOfMessage.get(message.index) ?? [])].map((course) => course.patient);
    const parts = [nameOf(message), message.sender, ...slugs, ...patients];
    if (detail) parts.push(detail.source, ...detail.issues, ...detail.changes.flatMap((one) => [one.path, one.old, one.now]));
    message.search = parts.join("\n").toLowerCase();
  }
  return message.search;
}
