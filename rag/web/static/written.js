// What a language model adds to the room: the choice how to be answered, and translations beside quotations.

const KEY = "on-record:as";

/** Brings the switch in `host` to life, and puts "Translate" on the cards whose article is in another language. */
export function mount(host, { root, lang, texts, say, remembered, talk }) {
  const log = host.querySelector("#or-log");
  const choice = host.querySelector(".or-switch");
  host.querySelector("#or-write").checked = remembered(KEY) === "written";
  choice.addEventListener("change", ({ target }) => remembered(KEY, target.value));

  // While an answer is written its cards stay; when it is there, the focus stays on the same link.
  talk.show = (body, { html, prose }) => {
    const said = prose && body.querySelector(".or-prose");
    if (said) return (said.innerHTML = prose);
    const href = body.contains(document.activeElement) && document.activeElement.getAttribute("href");
    body.innerHTML = html;
    if (href) body.querySelector(`[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true });
  };

  /** The model's translation of a quotation {article, start, end, version}; throws the status where there is none. */
  async function translated(cited) {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${root}/api/translate`, {
      method: "POST",
      headers,
      body: JSON.stringify({ ...cited, language: lang }),
    });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.json();
  }

  function line(className, text) {
    const element = document.createElement("p");
    element.className = className;
    element.textContent = text;
    return element;
  }

  /** Shows the translation beside the quotation of `card`, or why there is none, or takes it away again. */
  async function turn(button, card) {
    if (card.ariaBusy === "true") return;
    const old = card.querySelector(".or-translation");
    old?.remove();
    button.textContent = texts.translate;
    if (old && !old.matches(".or-failed")) return;
    const box = document.createElement("div");
    box.className = "or-translation";
    box.addEventListener("click", (event) => event.stopPropagation()); // the rest of a card opens its article
    card.ariaBusy = "true";
    button.textContent = texts.translating;
    try {
      const cited = talk.turn(card).feedback.citations[button.dataset.number - 1];
      const version = new URL(card.querySelector(".or-open").href).searchParams.get("v") ?? "";
      const { translation, model } = await translated({ ...cited, version });
      const words = line("", translation);
      words.lang = lang;
      const by = texts.translation_by.replace("{model}", () => model);
      box.append(words, line("or-note", by));
      button.textContent = texts.translation_remove;
      say(`${by}: ${translation}`);
    } catch (error) {
      const known = { 401: texts.access_wanted, 429: texts.busy, 503: texts.busy };
      const why = known[error.message] ?? texts.translation_failed;
      box.classList.add("or-failed");
      box.append(line("or-note", why));
      button.textContent = texts.translate;
      say(why);
    }
    card.ariaBusy = null;
    card.querySelector("blockquote").after(box);
  }

  function offer() {
    for (const acts of log.querySelectorAll(".or-card > .or-acts:not(:has(.or-translate))")) {
      const { lang: spoken } = acts.parentElement.querySelector("blockquote");
      if (!spoken || spoken.slice(0, 2) === lang) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "or-translate";
      button.textContent = texts.translate;
      button.dataset.number = acts.querySelector("[data-number]").dataset.number;
      button.addEventListener("click", () => turn(button, acts.parentElement));
      acts.append(button);
    }
  }

  new MutationObserver(offer).observe(log, { childList: true, subtree: true });
  offer();
}
