// JSON as lines that people read, each with its path. The text is never parsed into numbers: 4.20 stays 4.20.

const TOKEN = /"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}[\],:]/g;

/** Lines of a JSON text: { text, indent, path }; path is a list of member names and indices. */
function jsonLines(source) {
  const tokens = source.match(TOKEN) ?? [];
  const lines = [];
  let at = 0;
  function value(path, indent, before) {
    const token = tokens[at++];
    if (token !== "{" && token !== "[") {
      lines.push({ text: before + (token ?? ""), indent, path });
      return;
    }
    const close = token === "{" ? "}" : "]";
    if (tokens[at] === close) {
      at += 1;
      lines.push({ text: before + token + close, indent, path });
      return;
    }
    lines.push({ text: before + token, indent, path });
    for (let index = 0; at < tokens.length; index += 1) {
      if (token === "{") {
        const name = tokens[at];
        at += 2;
        value([...path, JSON.parse(name)], indent + 1, `${name}: `);
      } else value([...path, index], indent + 1, "");
      const next = tokens[at++];
      if (next === close || next === undefined) break;
      lines[lines.length - 1].text += ",";
    }
    lines.push({ text: close, indent, path });
  }
  value([], 0, "");
  return lines;
}

function startsWith(path, beginning) {
  return beginning.length <= path.length && beginning.every((part, index) => part === path[index]);
}

/** Marks the lines at or below the paths. */
function markLines(lines, paths) {
  for (const line of lines) line.marked = paths.some((path) => startsWith(line.path, path));
  return lines;
}

const ALIGNED = 1500;

/** Pairs lines of two texts: what is the same on both sides stands side by side (longest common subsequence). */
function alignedLines(before, after) {
  const same = (one, other) => one.text === other.text && one.indent === other.indent && one.marked === other.marked;
  let start = 0;
  while (start < before.length && start < after.length && same(before[start], after[start])) start += 1;
  let end = 0;
  while (
    end < before.length - start && end < after.length - start &&
    same(before[before.length - 1 - end], after[after.length - 1 - end])
  ) end += 1;
  const mine = before.slice(start, before.length - end);
  const theirs = after.slice(start, after.length - end);
  const pairs = before.slice(0, start).map((line, index) => [line, after[index]]);
  if (mine.length > ALIGNED || theirs.length > ALIGNED) pairs.push(...sideBySide(mine, theirs));
  else pairs.push(...commonFirst(mine, theirs, same));
  for (let index = end; index > 0; index -= 1) pairs.push([before[before.length - index], after[after.length - index]]);
  return pairs;
}

function sideBySide(mine, theirs) {
  return Array.from({ length: Math.max(mine.length, theirs.length) }, (_, index) => [mine[index] ?? null, theirs[index] ?? null]);
}

function commonFirst(mine, theirs, same) {
  const width = theirs.length + 1;
  const longest = new Uint16Array((mine.length + 1) * width);
  for (let row = mine.length - 1; row >= 0; row -= 1)
    for (let column = theirs.length - 1; column >= 0; column -= 1)
      longest[row * width + column] = same(mine[row], theirs[column])
        ? longest[(row + 1) * width + column + 1] + 1
        : Math.max(longest[(row + 1) * width + column], longest[row * width + column + 1]);
  const pairs = [];
  let row = 0;
  let column = 0;
  let left = [];
  let right = [];
  const flush = () => {
    pairs.push(...sideBySide(left, right));
    left = [];
    right = [];
  };
  while (row < mine.length || column < theirs.length) {
    if (row < mine.length && column < theirs.length && same(mine[row], theirs[column])) {
      flush();
      pairs.push([mine[row++], theirs[column++]]);
    } else if (
      column >= theirs.length ||
      (row < mine.length && longest[(row + 1) * width + column] >= longest[row * width + column + 1])
    ) left.push(mine[row++]);
    else right.push(theirs[column++]);
  }
  flush();
  return pairs;
}
