// What can be done with an answer: copy it or a quotation of it, say whether it helped.

/** Puts `text` on the clipboard. Over plain http (an intranet) browsers offer only the old way. */
async function toClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
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
    const label = button.dataset.label ?? button.textContent;
    button.dataset.label = label;
    try {
      await toClipboard(text);
      button.textContent = texts.copied;
      say(texts.copied);
      setTimeout(() => (button.textContent = label), 1600);
    } catch {
      say(texts.copy_failed);
      button.title = texts.copy_failed;
    }
  };
}

/** The buttons under the answers in `log`. */
export function acts(log, { root, texts, copy, say, conversation }) {
  async function send(turn, verdict, note) {
    const body = JSON.stringify({ ...turn.feedback, id: turn.said?.id, verdict, note: note || null });
    try {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(`${root}/api/feedback`, { method: "POST", headers, body });
      if (!answer.ok) throw new Error(`${answer.status}`);
      turn.said = { id: (await answer.json()).id, verdict, note };
      conversation.save();
      return true;
    } catch {
      return false;
    }
  }

  function press(bar, verdict) {
    for (const thumb of bar.querySelectorAll(".or-thumb")) {
      thumb.setAttribute("aria-pressed", String(thumb.dataset.verdict === verdict));
    }
  }

  function answerLine(bar, text) {
    bar.parentElement.querySelector(".or-noting")?.remove();
    const line = document.createElement("p");
    line.className = "or-noting";
    line.textContent = text;
    bar.after(line);
    say(text);
  }

  function askForNote(bar, turn, verdict) {
    bar.parentElement.querySelector(".or-noting")?.remove();
    const form = document.createElement("form");
    form.className = "or-noting";
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
      if (await send(turn, verdict, field.value.trim())) answerLine(bar, texts.noted);
      else say(texts.not_noted);
    });
    bar.after(form);
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
      press(bar, verdict);
      if (await send(turn, verdict, turn.said?.note)) askForNote(bar, turn, verdict);
      else {
        press(bar, turn.said?.verdict);
        answerLine(bar, texts.not_noted);
      }
    }
  });

  for (const bar of log.querySelectorAll(".or-turn-acts")) press(bar, conversation.turn(bar)?.said?.verdict);
}
