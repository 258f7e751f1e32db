// The conversation: asks, shows what comes as it comes, and keeps it in this browser only.
import { stream } from "./stream.js";

const KEPT = 50; // turns
const REFERRED = 6; // earlier turns that a follow-up question may refer to

const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

/**
 * The conversation in `host`. `asked` gives how a question is asked (the filters) and in words; `changed` is told
 * whenever turns come or go.
 */
export function conversation(host, { root, lang, texts, asked, changed }) {
  const log = host.querySelector("#or-log");
  const heard = host.querySelector("#or-heard");
  const field = host.querySelector("#or-question");
  const key = `on-record:turns:${root}`;
  const base = location.origin + root;
  let turns = read();
  let next = Math.max(-1, ...turns.map((turn) => turn.number)) + 1;
  let followed = null;

  function read() {
    try {
      const found = JSON.parse(localStorage.getItem(key));
      return Array.isArray(found) ? found : [];
    } catch {
      return []; // storage is closed, or holds something else
    }
  }

  function keep() {
    turns = turns.slice(-KEPT);
    try {
      localStorage.setItem(key, JSON.stringify(turns));
    } catch {
      // Storage is closed or full: then the conversation lasts as long as the page.
    }
  }

  function draw(number, question, within) {
    const section = make("section", "or-turn");
    section.dataset.turn = number;
    const heading = make("h2", "or-question", question);
    heading.dir = "auto";
    const body = make("div", "or-body");
    section.append(heading, ...(within ? [make("p", "or-within", within)] : []), body);
    log.append(section);
    return { section, body };
  }

  function giveBack(question) {
    if (!field.value) field.value = question;
    field.dispatchEvent(new Event("input"));
    field.focus();
  }

  async function ask(question) {
    log.querySelectorAll(".or-failed").forEach((section) => section.remove());
    const number = next++;
    const { options, within } = asked();
    const history = turns.slice(-REFERRED).map((turn) => [turn.question, turn.text]);
    const { section, body } = draw(number, question, within);
    body.append(make("p", "or-working or-late", `${texts.searching} …`));
    section.setAttribute("aria-busy", "true");
    followed = section;
    heard.textContent = "";
    changed();
    try {
      for await (const step of stream(root, "turn", [question, history, { ...options, lang, base }, number])) {
        body.innerHTML = step.html;
        if (step.kind === "answer") {
          const { html, text, copies, feedback } = step;
          heard.innerHTML = step.heard;
          turns.push({ number, question, within, html, text, copies, feedback });
          turns.sort((one, other) => one.number - other.number);
          keep();
        } else if (step.kind === "error") {
          section.classList.add("or-failed");
          giveBack(question);
        }
      }
    } catch {
      section.classList.add("or-failed");
      const line = make("p", "or-error", texts.unreachable);
      line.setAttribute("role", "alert");
      body.replaceChildren(line);
      giveBack(question);
    }
    section.removeAttribute("aria-busy");
    changed();
  }

  function clear() {
    turns = [];
    keep();
    log.replaceChildren();
    heard.textContent = "";
    changed();
  }

  // A new question moves to the top and stays there while its answer grows, until the reader scrolls.
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    document.addEventListener(kind, () => (followed = null), { passive: true, capture: true });
  }
  new ResizeObserver(() => followed?.scrollIntoView({ block: "start" })).observe(log);

  for (const turn of turns) draw(turn.number, turn.question, turn.within).body.innerHTML = turn.html;
  log.lastElementChild?.scrollIntoView({ block: "start" });
  changed();
  return {
    ask,
    clear,
    save: keep,
    turn: (element) => turns.find((turn) => turn.number === Number(element.closest(".or-turn")?.dataset.turn)),
    latest: () => log.lastElementChild,
  };
}
