// Adds articles to the archive and removes them again: files are chosen, or dropped anywhere over the archive's tab.

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const megabytes = (bytes) => (bytes / 1e6).toLocaleString(document.documentElement.lang || undefined, { maximumFractionDigits: 1 });

/**
 * Bring the drop zone inside `host` to life; `changed()` is called after each change of the archive. Files are sent one
 * after the other, since the server works on one at a time.
 */
export function mount(host, { root, changed }) {
  const section = host.querySelector(".or-upload");
  const zone = host.closest("[role=tabpanel]");
  const said = JSON.parse(section.dataset.texts);
  const address = root + section.dataset.address;
  const limit = Number(section.dataset.limit);
  const input = section.querySelector("input");
  const status = section.querySelector("[role=status]");
  const problems = section.querySelector("[role=alert]");
  const added = section.querySelector(".or-upload-added");
  const list = added.querySelector("ul");
  const byAddress = section.querySelector("form"); // where the settings allow it
  const waiting = [];
  let total = 0;
  let busy = false;

  const tell = (text, values = {}) => (status.textContent = filled(text, values));

  function complain(text, values) {
    const line = document.createElement("p");
    line.textContent = filled(text, values);
    problems.append(line);
  }

  /** The answer as data; throws what is to be said of a failure, in the server's words where it has some. */
  async function asked(path, options) {
    let response;
    try {
      response = await fetch(address + path, options);
    } catch {
      throw new Error(said.unreachable);
    }
    const told = await response.json().catch(() => null);
    if (!response.ok) throw new Error(told?.detail ?? said.unreachable);
    return told;
  }

  async function send(file) {
    if (file.size > limit) {
      throw new Error(filled(said.too_large, { size: megabytes(file.size), limit: megabytes(limit) }));
    }
    const query = `?name=${encodeURIComponent(file.name)}`;
    return asked(query, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
  }

  async function sendAll(files) {
    if (!busy) {
      total = 0;
      problems.replaceChildren();
    }
    waiting.push(...files);
    total += files.length;
    if (busy) return;
    busy = true;
    section.setAttribute("aria-busy", "true");
    const titles = [];
    while (waiting.length) {
      const file = waiting.shift();
      tell(said.working, { name: file.name, number: total - waiting.length, total });
      try {
        const { article } = await send(file);
        titles.push(article.title);
        await show();
        changed();
      } catch (error) {
        complain(said.refused, { name: file.name, detail: error.message });
      }
    }
    busy = false;
    section.removeAttribute("aria-busy");
    tell(titles.length ? said.added : "", { title: titles.join(", ") });
  }

  async function fetched(url) {
    problems.replaceChildren();
    section.setAttribute("aria-busy", "true");
    tell(said.fetching, { address: url });
    const headers = { "Content-Type": "application/json" };
    try {
      const { articles } = await asked("/addresses", { method: "POST", body: JSON.stringify({ url }), headers });
      await show();
      changed();
      byAddress.reset();
      tell(said.added, { title: articles.map(({ title }) => title).join(", ") });
    } catch (error) {
      tell("");
      complain(said.refused, { name: url, detail: error.message });
    }
    section.removeAttribute("aria-busy");
  }

  async function remove(name, title, button) {
    if (!confirm(filled(said.sure, { title }))) return;
    problems.replaceChildren();
    button.disabled = true;
    tell(said.removing, { title });
    try {
      await asked(`/${encodeURIComponent(name)}`, { method: "DELETE" });
      tell(said.removed, { title });
    } catch (error) {
      tell("");
      complain(said.not_removed, { name: title, detail: error.message });
      button.disabled = false;
    }
    const place = [...list.children].indexOf(button.closest("li"));
    await show();
    const next = list.children[Math.min(place, list.children.length - 1)];
    (next?.querySelector("button") ?? input).focus();
    changed();
  }

  function item({ name, article }) {
    const line = document.createElement("li");
    const title = article?.title ?? name;
    const label = document.createElement(article ? "a" : "span");
    label.textContent = title;
    label.dir = "auto";
    if (article) {
      label.href = `${root}/article/${encodeURIComponent(article.id)}`;
      if (article.language) label.lang = article.language;
    }
    const file = document.createElement("bdi");
    file.textContent = name;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = said.remove;
    button.setAttribute("aria-label", `${said.remove}: ${title}`);
    button.addEventListener("click", () => remove(name, title, button));
    line.append(label, file, button);
    return line;
  }

  async function show() {
    try {
      const { uploads } = await asked("", { headers: { Accept: "application/json" } });
      // Lines that stay are left where they are: one of them may have the focus.
      const keys = uploads.map(({ name, article }) => `${name}/${article?.text_sha256}`);
      for (const line of [...list.children]) if (!keys.includes(line.dataset.key)) line.remove();
      keys.forEach((key, at) => {
        if (list.children[at]?.dataset.key === key) return;
        const line = item(uploads[at]);
        line.dataset.key = key;
        list.insertBefore(line, list.children[at] ?? null);
      });
      added.hidden = !uploads.length;
    } catch (error) {
      complain(said.unlisted, { detail: error.message });
    }
  }

  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // so that the same file can be chosen again
    sendAll(files);
  });

  byAddress?.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!section.ariaBusy) fetched(byAddress.querySelector("input").value.trim());
  });

  // Dragging enters and leaves every element on its way; only what leaves the zone itself counts.
  const brought = (event) => event.dataTransfer?.types.includes("Files");
  zone.addEventListener("dragover", (event) => {
    if (!brought(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    section.classList.add("or-upload-over");
  });
  zone.addEventListener("dragleave", (event) => {
    if (!zone.contains(event.relatedTarget)) section.classList.remove("or-upload-over");
  });
  zone.addEventListener("drop", (event) => {
    if (!brought(event)) return;
    event.preventDefault();
    section.classList.remove("or-upload-over");
    sendAll([...event.dataTransfer.files]);
  });

  show();
}
