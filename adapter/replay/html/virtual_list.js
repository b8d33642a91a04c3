// A list of any length that draws only the rows in sight. One stop for the Tab key, then arrows, Page Up, Page Down, Home, End.

function virtualList({ id, label, height, draw, choose }) {
  const canvas = make("div", { class: "rows", role: "presentation" });
  const box = make("div", { class: "list", id, role: "listbox", tabindex: "0", "aria-label": label }, canvas);
  let items = [];
  let selected = -1;
  let waiting = false;

  function row(index) {
    const element = draw(items[index]);
    fill(element, {
      id: `${id}-${index}`,
      role: "option",
      "aria-selected": index === selected ? "true" : "false",
      "aria-setsize": items.length,
      "aria-posinset": index + 1,
      onclick: () => select(index, true),
    }, []);
    element.classList.add("row");
    element.style.top = `${index * height}px`;
    element.style.height = `${height}px`;
    return element;
  }

  function paint() {
    waiting = false;
    const first = Math.max(0, Math.floor(box.scrollTop / height) - 6);
    const last = Math.min(items.length, first + Math.ceil(box.clientHeight / height) + 12);
    canvas.style.height = `${items.length * height}px`;
    canvas.replaceChildren(...Array.from({ length: Math.max(0, last - first) }, (_, offset) => row(first + offset)));
    const active = selected >= first && selected < last ? `${id}-${selected}` : null;
    if (active) box.setAttribute("aria-activedescendant", active);
    else box.removeAttribute("aria-activedescendant");
  }

  function select(index, tell) {
    if (!items.length) return;
    selected = Math.min(items.length - 1, Math.max(0, index));
    show(selected);
    paint();
    if (tell) choose(items[selected]);
  }

  function show(index) {
    const top = index * height;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
  }

  box.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(paint);
  });
  box.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / height) - 1);
    const to = {
      ArrowDown: selected + 1,
      ArrowUp: selected - 1,
      PageDown: selected + page,
      PageUp: selected - page,
      Home: 0,
      End: items.length - 1,
    }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    select(to, true);
  });
  new ResizeObserver(paint).observe(box);

  return {
    element: box,
    /** Shows other items; the chosen one stays chosen where it is among them. */
    set(list, chosen) {
      items = list;
      selected = items.indexOf(chosen);
      if (selected < 0) box.scrollTop = 0;
      else show(selected);
      paint();
    },
    select(item) {
      const index = items.indexOf(item);
      if (index >= 0) select(index, false);
    },
  };
}
