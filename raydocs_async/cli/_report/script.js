"use strict";
// Text from outside gets into the page by textContent alone, which is never markup.
{
  const list = document.getElementById("list");
  const query = document.getElementById("query");
  const found = document.getElementById("found");
  const sessions = Array.from(list.children);
  const all = found.textContent;
  const TONES = ["neutral", "good", "bad"];

  function make(tag, options, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== ""));
    return element;
  }

  const text = (value) => make("bdi", {}, value);
  const status = ([name, tone]) => make("bdi", { class: `status ${TONES[tone]}` }, name);
  const note = (words) => (words ? make("p", { class: "note" }, words) : "");

  // The roles are named because the narrow layout makes blocks of tables, which would lose them.
  function table(kind, caption, heads, rows) {
    const head = make("tr", { role: "row" },
      ...heads.map((name) => make("th", { role: "columnheader", scope: "col" }, name)));
    const body = rows.map((cells) => make("tr", { role: "row" },
      ...cells.map((cell, place) => place
        ? make("td", { role: "cell" }, ...[cell].flat())
        : make("th", { role: "rowheader", scope: "row" }, cell))));
    return make("table", { role: "table", class: kind },
      make("caption", {}, caption),
      make("thead", { role: "rowgroup" }, head),
      make("tbody", { role: "rowgroup" }, ...body));
  }

  function source([place, quote]) {
    return make("figure", { class: "source" },
      quote ? make("blockquote", { dir: "auto" }, quote) : "",
      place ? make("figcaption", {}, text(place)) : "");
  }

  function value([name, [words, isCode], reasoning, [sources, more]]) {
    const content = words === "" ? make("i", { class: "note" }, "empty")
      : make(isCode ? "code" : "span", { class: "value", dir: "auto" }, words);
    const evidence = [
      reasoning ? make("p", { dir: "auto" }, reasoning) : "", ...sources.map(source), note(more),
    ];
    return [text(name), content, evidence];
  }

  function result([title, state, names, values, more]) {
    const heads = ["Field", "Value", "Reasoning and source"];
    return make("section", {},
      make("h4", {}, text(title), " ", status(state)),
      names ? make("p", { class: "note" }, "From ", text(names)) : "",
      values.length ? table("values", `Values of ${title}`, heads, values.map(value)) : note("No values."),
      note(more));
  }

  function render(session) {
    const [facts, [documents, moreDocuments], [results, moreResults]] = read(session);
    const heads = ["Document", "Status", "Type", "Length", "Size"];
    const rows = documents.map(([name, state, ...rest]) => [
      text(name), status(state), ...rest.map(text)]);
    session.append(make("div", { class: "content" },
      make("dl", { class: "facts" }, ...facts.map(([name, words]) =>
        make("div", {}, make("dt", {}, text(name)), make("dd", {}, text(words))))),
      make("p", {}, make("a", { href: `#${session.id}` }, "Link to this session")),
      make("h3", {}, "Results"),
      ...(results.length ? results.map(result) : [note("No results.")]),
      note(moreResults),
      make("h3", {}, "Documents"),
      rows.length ? table("documents", "Documents of the session", heads, rows) : note("No documents."),
      note(moreDocuments)));
  }

  const read = (session) => JSON.parse(session.querySelector("script").textContent);
  const comparable = (words) => words.normalize("NFKC").toLowerCase();

  // A toggle does not bubble, but it can be caught on its way down.
  list.addEventListener("toggle", ({ target }) => {
    if (target.open && !target.querySelector(".content")) render(target);
  }, true);

  function haystack(session) {
    const strings = read(session).flat(Infinity).filter((each) => typeof each === "string");
    return comparable([session.firstChild.textContent, ...strings].join("\n"));
  }

  let search = 0; // the number of the latest one; an earlier one stops
  function filter() {
    const own = ++search;
    const words = comparable(query.value).split(/\s+/).filter(Boolean);
    const matches = words.length ? [] : sessions;
    let place = matches.length;
    (function proceed() {
      if (own !== search) return;
      const end = performance.now() + 30; // milliseconds; longer, and typing would stutter
      for (; place < sessions.length && performance.now() < end; place++) {
        const text = haystack(sessions[place]);
        if (words.every((word) => text.includes(word))) matches.push(sessions[place]);
      }
      if (place === sessions.length) return show(matches);
      found.textContent = "Searching…";
      setTimeout(proceed);
    })();
  }

  // At the end and at once, because each change lays out the whole list.
  function show(matches) {
    const shown = new Set(matches);
    for (const session of sessions) session.hidden = !shown.has(session);
    const count = matches.length.toLocaleString("en").replaceAll(",", "\u202f");
    found.textContent = matches === sessions ? all : `${count} of ${all}`;
  }

  let pause;
  query.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(filter, 150);
  });
  query.form.addEventListener("submit", (event) => event.preventDefault());

  function follow() {
    const session = document.getElementById(location.hash.slice(1));
    if (!session || session.parentElement !== list) return;
    if (session.hidden) {
      query.value = "";
      filter();
      session.hidden = false;
    }
    session.open = true;
    session.firstChild.focus({ preventScroll: true });
    session.scrollIntoView();
  }
  addEventListener("hashchange", follow);
  follow();
  document.getElementById("waiting").remove();
}
