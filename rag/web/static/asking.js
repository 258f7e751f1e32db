// The question field, the examples and the button that begins anew.

/** Brings them to life in `host`; `talk` is the conversation. */
export function asking(host, field, talk) {
  const grow = () => {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 2, 160)}px`;
  };
  const submit = () => {
    const question = field.value;
    if (!question.trim()) return;
    field.value = "";
    grow();
    talk.ask(question);
  };
  field.addEventListener("input", grow);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    } else if (event.key === "ArrowUp" && !field.value) {
      field.value = talk.latest()?.querySelector(".or-question").textContent ?? "";
      event.preventDefault();
    }
  });
  host.querySelector("#or-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
    field.focus();
  });
  host.addEventListener("click", ({ target }) => {
    if (target.closest("#or-examples button")) talk.ask(target.textContent);
  });
  host.querySelector("#or-new").addEventListener("click", () => {
    talk.end();
    field.focus();
  });
}
