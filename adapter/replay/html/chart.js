// One patient's results of one test over time, with the band of the reference range that each result came with.
// Positions are drawn from numbers; what is read (labels, tooltips, table) is the text as it left, digit by digit.

const CHART = { width: 760, height: 260, left: 56, right: 20, top: 16, bottom: 34 };
const DAY = 86_400_000;

function chartOf(course, { chosen, open }) {
  const points = course.points
    .map((point) => ({ ...point, at: Date.parse(point.time), y: Number(point.value.replace(/^[<>]=?/, "")) }))
    .filter((point) => Number.isFinite(point.at) && Number.isFinite(point.y));
  const title = `${course.name}${course.unit ? `, ${course.unit}` : ""}`;
  const figure = make("figure", { class: "course" }, make("figcaption", {}, make("strong", {}, title), ` LOINC ${course.loinc}, patient ${course.patient}`));
  const said = make("p", { class: "said", "aria-live": "polite" }, "Point at a result, or step through them with the Tab key, to read it.");
  if (points.length) figure.append(drawing(course, points, { chosen, open, said, title }), legend(), said);
  figure.append(tableOf(course, open));
  return figure;
}

function drawing(course, points, { chosen, open, said, title }) {
  const x = timeScale(points);
  const y = valueScale(points);
  const svg = makeSvg("svg", {
    viewBox: `0 0 ${CHART.width} ${CHART.height}`,
    role: "group",
    "aria-label": `${title}: ${counted(points.length, "result")}${y.logarithmic ? ", logarithmic scale" : ""}`,
  });
  svg.append(...bands(points, x, y), ...axes(x, y, course.unit));
  const line = points.map((point) => `${x.place(point.at).toFixed(1)},${y.place(point.y).toFixed(1)}`).join(" ");
  svg.append(makeSvg("polyline", { class: "line", points: line }));
  for (const point of points) {
    const text = described(point, course);
    const tell = () => said.replaceChildren(text);
    const go = () => open(messages[point.message]);
    svg.append(
      makeSvg("g", {
        class: `point ${side(point.flag)}${messages[point.message].status === "different" ? " changed" : ""}${point.message === chosen ? " chosen" : ""}`,
        transform: `translate(${x.place(point.at).toFixed(1)} ${y.place(point.y).toFixed(1)})`,
        tabindex: "0",
        role: "button",
        "aria-label": text,
        onmouseenter: tell,
        onfocus: tell,
        onclick: go,
        onkeydown: (event) => event.key === "Enter" && go(),
      }, makeSvg("title", {}, text), ...marker(point)),
    );
  }
  return svg;
}

function described(point, course) {
  const bounds = range(point);
  return [
    point.time || "no time",
    `${point.value} ${course.unit}`,
    bounds && `range ${bounds}`,
    point.flag && `flag ${point.flag}`,
    nameOf(messages[point.message]),
  ].filter(Boolean).join(" · ");
}

function range(point) {
  if (point.low && point.high) return `${point.low} to ${point.high}`;
  if (point.high) return `up to ${point.high}`;
  return point.low ? `from ${point.low}` : "";
}

function side(flag) {
  if (/^(H|HH|HU|>)/.test(flag)) return "high";
  return /^(L|LL|LU|<)/.test(flag) ? "low" : "within";
}

/** High, low and other results differ in form, not in colour alone; a result with a comparator is hollow and says which. */
function marker(point) {
  const comparator = point.value.match(/^[<>]=?/)?.[0];
  const forms = { high: "M0 -7L6.5 5H-6.5Z", low: "M0 7L6.5 -5H-6.5Z", within: "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0 -5 0Z" };
  const parts = [
    makeSvg("circle", { class: "target", r: 12 }),
    makeSvg("path", { class: comparator ? "hollow" : "full", d: forms[side(point.flag)] }),
  ];
  if (comparator) parts.push(makeSvg("text", { class: "comparator", x: 9, y: 4 }, comparator));
  return parts;
}

function bands(points, x, y) {
  return points.flatMap((point, index) => {
    if (!point.low && !point.high) return [];
    const from = index ? (x.place(points[index - 1].at) + x.place(point.at)) / 2 : CHART.left;
    const to = index + 1 < points.length ? (x.place(point.at) + x.place(points[index + 1].at)) / 2 : CHART.width - CHART.right;
    const top = point.high ? y.place(Number(point.high)) : CHART.top;
    const bottom = point.low ? y.place(Number(point.low)) : CHART.height - CHART.bottom;
    return [makeSvg("rect", { class: "band", x: from, y: top, width: Math.max(0, to - from), height: Math.max(1, bottom - top) })];
  });
}

function timeScale(points) {
  let [first, last] = [points[0].at, points[0].at];
  for (const { at } of points) [first, last] = [Math.min(first, at), Math.max(last, at)];
  if (last - first < DAY) [first, last] = [first - DAY / 2, last + DAY / 2];
  const width = CHART.width - CHART.left - CHART.right - 24;
  const place = (at) => CHART.left + 12 + ((at - first) / (last - first)) * width;
  const withTime = last - first < 3 * DAY;
  const ticks = Array.from({ length: 5 }, (_, index) => first + ((last - first) * index) / 4);
  const text = (at) => new Date(at).toISOString().slice(...(withTime ? [5, 16] : [0, 10])).replace("T", " ");
  return { place, ticks: ticks.map((at) => ({ at: place(at), text: text(at) })) };
}

function valueScale(points) {
  const values = points.flatMap((point) => [point.y, ...[point.low, point.high].filter(Boolean).map(Number)]).filter(Number.isFinite);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const positive = values.filter((value) => value > 0);
  const smallest = Math.min(...positive);
  const logarithmic = positive.length > 0 && low >= 0 && high / Math.min(...points.map((one) => one.y).filter((one) => one > 0)) > 30;
  const height = CHART.height - CHART.top - CHART.bottom;
  let ticks;
  let share;
  if (logarithmic) {
    [low, high] = [Math.log10(smallest) - 0.1, Math.log10(high) + 0.1];
    share = (value) => (value > 0 ? (Math.log10(value) - low) / (high - low) : 0);
    ticks = [];
    for (let power = Math.floor(low); power <= high; power += 1)
      for (const digit of high - low > 2.5 ? [1] : [1, 2, 5]) ticks.push(digit * 10 ** power);
  } else {
    if (low > 0 && low < high * 0.6) low = 0;
    if (high === low) [low, high] = [low - Math.abs(low || 1) * 0.5, high + Math.abs(high || 1) * 0.5];
    const step = niceStep((high - low) / 4);
    high = Math.ceil((high * 1.02) / step) * step;
    low = Math.floor(low / step) * step;
    share = (value) => (value - low) / (high - low);
    ticks = Array.from({ length: Math.round((high - low) / step) + 1 }, (_, index) => low + index * step);
  }
  const place = (value) => CHART.height - CHART.bottom - Math.max(0, Math.min(1, share(value))) * height;
  const inside = ticks.filter((value) => share(value) >= -0.001 && share(value) <= 1.001);
  return { place, logarithmic, ticks: inside.map((value) => ({ at: place(value), text: String(Number(value.toPrecision(6))) })) };
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((digit) => digit * power).find((step) => step >= rough);
}

function axes(x, y, unit) {
  const bottom = CHART.height - CHART.bottom;
  const right = CHART.width - CHART.right;
  return [
    ...y.ticks.flatMap(({ at, text }) => [
      makeSvg("line", { class: "grid", x1: CHART.left, x2: right, y1: at, y2: at }),
      makeSvg("text", { class: "tick", x: CHART.left - 8, y: at + 4, "text-anchor": "end" }, text),
    ]),
    ...x.ticks.map(({ at, text }, index) =>
      makeSvg("text", { class: "tick", x: at, y: bottom + 20, "text-anchor": index === 4 ? "end" : index ? "middle" : "start" }, text)),
    makeSvg("line", { class: "axis", x1: CHART.left, x2: right, y1: bottom, y2: bottom }),
    makeSvg("text", { class: "tick", x: CHART.left + 4, y: 12 }, `${unit}${y.logarithmic ? " (log)" : ""}`),
  ];
}

function legend() {
  const sample = (kind, value, text) => make("span", {}, makeSvg("svg", { viewBox: "-8 -8 24 16", width: 24, height: 16, "aria-hidden": "true" },
    makeSvg("g", { class: `point ${kind}` }, ...marker({ flag: { high: "H", low: "L" }[kind] ?? "", value }))), text);
  return make("p", { class: "legend" },
    make("span", {}, make("i", { class: "band-sample" }), "reference range"),
    sample("high", "1", "flagged high"),
    sample("low", "1", "flagged low"),
    sample("within", "1", "not flagged"),
    sample("within", "<1", "with comparator"));
}

function tableOf(course, open) {
  const heads = ["time", `value${course.unit ? ` (${course.unit})` : ""}`, "range", "flag", "message"];
  return make("details", {}, make("summary", {}, `${counted(course.points.length, "value")} as text`),
    make("table", {}, make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, course.points.map((point) => make("tr", {},
        make("td", {}, point.time || "no time"), make("td", { class: "number" }, point.value), make("td", {}, range(point)), make("td", {}, point.flag),
        make("td", {}, make("button", { class: "link", type: "button", onclick: () => open(messages[point.message]) }, nameOf(messages[point.message]))))))));
}
