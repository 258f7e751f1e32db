// What can be done with an answer: copy it or a quotation of it, say whether it helped.

/** Puts `text` on the clipboard. Over plain http (an intranet) and in a frame browsers may offer only the old way. */
async function toClipboard(text) {
  const written = navigator.clipboard?.writeText(text).then(() => true, () => false);
  if (await written) return;
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copying is not allowed");
}

/** A function that copies `text` and says so on `button` for a moment. */
export function copier(texts, say) {
  return async (text, button) => {
    const label = (button.dataset.label ??= button.textContent);
    const tell = (what) => {
      button.textContent = what;
      say(what);
    };
    try {
      await toClipboard(text);
      tell(texts.copied);
      setTimeout(() => (button.textContent = label), 1600);
    } catch {
      tell(texts.copy_failed);
    }
    button.focus({ preventScroll: true });
  };
}

// randomUUID is missing over plain http.
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The buttons under the answers in `log`; `request` fetches. */
export function acts(log, { root, texts, copy, say, conversation, request = fetch }) {
  async function send(turn, verdict, note) {
    turn.said = { id: newId(), ...turn.said }; // before the answer comes: two presses are one record
    const { id } = turn.said;
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ ...turn.feedback, id, verdict, note: note || null });
    try {
      const answer = await request(`${root}/api/feedback`, { method: "POST", headers, body });
      if (!answer.ok) throw new Error(`${answer.status}`);
    } catch {
      return false;
    }
    turn.said = { id, verdict, note };
    conversation.keep(turn);
    return true;
  }

  /** Takes the verdict back. */
  async function takeBack(turn) {
    const answer = await request(`${root}/api/feedback/${turn.said.id}`, { method: "DELETE" }).catch(() => null);
    if (!answer || (!answer.ok && answer.status !== 404)) return false; // 404: somebody else has deleted it
    delete turn.said;
    conversation.keep(turn);
    return true;
  }

  function press(bar, verdict) {
    for (const thumb of bar.querySelectorAll(".or-thumb")) {
      thumb.setAttribute("aria-pressed", String(thumb.dataset.verdict === verdict));
    }
  }

  /** Puts `element` under the bar, in place of what stood there. */
  function under(bar, element) {
    element.classList.add("or-noting");
    bar.parentElement.querySelector(".or-noting")?.remove();
    bar.after(element);
  }

  function tell(bar, text) {
    const line = document.createElement("p");
    line.textContent = text;
    under(bar, line);
    say(text);
  }

  function askForNote(bar, turn, verdict) {
    const form = document.createElement("form");
    const label = document.createElement("label");
    const field = document.createElement("textarea");
    const button = document.createElement("button");
    label.textContent = texts.note;
    field.maxLength = 1000;
    field.rows = 2;
    field.value = turn.said?.note ?? "";
    button.textContent = texts.send;
    label.append(field);
    form.append(label, button);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (await send(turn, verdict, field.value.trim())) tell(bar, texts.noted);
      else button.textContent = texts.not_noted;
    });
    under(bar, form);
    form.scrollIntoView({ block: "nearest" }); // its margin keeps it clear of the question
    field.focus({ preventScroll: true });
  }

  log.addEventListener("click", async ({ target }) => {
    const button = target.closest("button");
    const turn = button && conversation.turn(button);
    if (!turn) return;
    const { copy: kind, number, verdict } = button.dataset;
    if (kind === "quotation") copy(turn.copies.quotations[number - 1], button);
    else if (kind) copy(turn.copies[kind], button);
    else if (verdict) {
      const bar = button.closest(".or-turn-acts");
      if (button.getAttribute("aria-pressed") === "true") {
        if (!(await takeBack(turn))) return tell(bar, texts.not_noted);
        press(bar);
        return tell(bar, texts.taken_back);
      }
      press(bar, verdict);
      if (await send(turn, verdict, turn.said?.note)) askForNote(bar, turn, verdict);
      else {
        press(bar, turn.said?.verdict);
        tell(bar, texts.not_noted);
      }
    }
  });

  for (const bar of log.querySelectorAll(".or-turn-acts")) press(bar, conversation.turn(bar)?.said?.verdict);
}
