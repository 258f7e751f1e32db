// The conversation: asks, shows what comes as it comes, and keeps it in this browser only, or not at all.
import { stream } from "./stream.js";

const KEPT = 50; // turns
const REFERRED = 6; // earlier turns that a follow-up question may refer to

const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

const whole = (turn) => Number.isInteger(turn?.number) && typeof turn.html === "string" && turn.copies && turn.feedback;

/**
 * The conversation in `host`. `asked` gives how a question is asked (the filters) and in words; `changed` is told
 * whenever turns come or go; `request` fetches. Unless it is `kept`, it lasts as long as the page.
 */
export function conversation(host, { root, lang, texts, asked, changed, request = fetch, kept = true }) {
  const log = host.querySelector("#or-log");
  const heard = host.querySelector("#or-heard");
  const field = host.querySelector("#or-question");
  const key = `on-record:turns:1:${root}`; // the 1 is for the shape of a turn
  const base = location.origin + root;
  let turns = read();
  let followed = null;

  function read() {
    if (!kept) return [];
    try {
      const found = JSON.parse(localStorage.getItem(key));
      return Array.isArray(found) ? found.filter(whole) : [];
    } catch {
      return []; // storage is closed, or holds something else
    }
  }

  function write(list) {
    if (!kept) return;
    try {
      localStorage.setItem(key, JSON.stringify(list));
    } catch {
      // Storage is closed or full: then the conversation lasts as long as the page.
    }
  }

  /** Keeps a turn, beside those that another window has kept meanwhile. */
  function keep(turn) {
    const others = (list) => list.filter(({ number }) => number !== turn.number);
    const ordered = (list) => [...others(list), turn].sort((one, other) => one.number - other.number).slice(-KEPT);
    turns = ordered(turns);
    write(ordered(read()));
    while (log.querySelectorAll(".or-turn").length > KEPT) log.firstElementChild.remove();
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

  function failed(section, question) {
    section.classList.add("or-failed");
    const again = make("button", "", texts.again);
    again.type = "button";
    again.addEventListener("click", () => ask(question));
    section.querySelector(".or-body").append(again);
    if (field.value) return;
    field.value = question;
    field.dispatchEvent(new Event("input"));
    if (document.hasFocus()) field.focus(); // and not from the page around a frame
  }

  async function ask(question) {
    for (const section of log.querySelectorAll(".or-failed")) {
      if (section.querySelector(".or-question").textContent === question) section.remove();
    }
    // The time is a number that no other window takes, and that puts the turns in order.
    const number = Math.max(Date.now(), Number(log.lastElementChild?.dataset.turn ?? 0) + 1);
    const { options, within } = asked();
    const written = !!host.querySelector("#or-write:checked");
    const history = turns.slice(-REFERRED).map((turn) => [turn.question, turn.text]);
    const { section, body } = draw(number, question, within);
    body.append(make("p", "or-working or-late", `${texts.searching} …`));
    section.setAttribute("aria-busy", "true");
    followed = section;
    heard.textContent = "";
    changed();
    try {
      for await (const step of stream(root, "turn", [question, history, { ...options, lang, base, written }, number], request)) {
        if (!section.isConnected) return; // a new conversation has begun
        talk.show(body, step);
        if (step.kind === "answer") {
          const { html, text, copies, feedback } = step;
          heard.textContent = step.heard;
          keep({ number, question, within, html, text, copies, feedback });
        } else if (step.kind === "error") failed(section, question);
      }
    } catch (error) {
      const known = { 401: texts.access_wanted, 429: texts.busy, 503: texts.busy };
      const line = make("p", "or-error", known[error.message] ?? texts.unreachable);
      line.setAttribute("role", "alert");
      body.replaceChildren(line);
      failed(section, question);
    }
    section.removeAttribute("aria-busy");
    changed();
  }

  function clear() {
    turns = [];
    log.replaceChildren();
    heard.textContent = "";
    changed();
  }

  // A new question moves to the top and stays there while its answer grows, until the reader scrolls.
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    document.addEventListener(kind, () => (followed = null), { passive: true, capture: true });
  }
  // Not scrollIntoView, which would move the page around a frame too.
  new ResizeObserver(() => followed && scrollBy(0, followed.getBoundingClientRect().top)).observe(log);
  // A conversation that was ended in another window is ended here too.
  addEventListener("storage", (event) => {
    if (kept && event.key === key && event.newValue === "[]") clear();
  });

  for (const turn of turns) draw(turn.number, turn.question, turn.within).body.innerHTML = turn.html;
  log.lastElementChild?.scrollIntoView({ block: "start" });
  changed();
  const talk = {
    ask,
    /** Shows a step. */
    show: (body, { html }) => (body.innerHTML = html),
    keep,
    end() {
      write([]);
      clear();
    },
    turn: (element) => turns.find(({ number }) => number === Number(element.closest(".or-turn")?.dataset.turn)),
    latest: () => log.lastElementChild,
  };
  return talk;
}
