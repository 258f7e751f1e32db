// Small comforts of the chat; it works without them.
(() => {
  "use strict";
  const field = () => document.querySelector("#or-question textarea, #or-question input");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  // "/" goes to the question, 1 to 5 open the quotations of the latest answer.
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      field()?.focus();
    } else if (/^[1-5]$/.test(event.key)) {
      document.querySelectorAll("#or-now .or-open")[Number(event.key) - 1]?.click();
    }
  });

  // A marker in prose leads to its quotation on this page. Gradio's <base> would make "#…" a new address.
  document.addEventListener("click", (event) => {
    const marker = event.target instanceof Element && event.target.closest("a.or-marker");
    if (!marker) return;
    event.preventDefault();
    const card = document.getElementById(marker.getAttribute("href").slice(1));
    card?.scrollIntoView({ behavior: calm.matches ? "auto" : "smooth", block: "center" });
    card?.querySelector("a")?.focus({ preventScroll: true });
  });

  // A new question moves to the top and stays there while its answer grows, until the reader scrolls.
  let asked = "";
  let follow = false;
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    document.addEventListener(kind, () => (follow = false), { passive: true, capture: true });
  }
  const watch = (room, now) => {
    now.setAttribute("aria-live", "polite");
    new MutationObserver(() => {
      const question = now.querySelector(".or-question")?.textContent ?? "";
      if (question !== asked) follow = Boolean(question);
      asked = question;
    }).observe(now, { childList: true, subtree: true });
    // Gradio renders its parts one after the other; only the room's own height says when they stand.
    new ResizeObserver(() => {
      if (follow) now.querySelector(".or-turn")?.scrollIntoView({ block: "start" });
    }).observe(room);
  };
  // The page is in the reader's language; Gradio says it is English.
  const speak = () => {
    const language = document.querySelector(".or-masthead")?.lang;
    if (language) document.documentElement.lang = language;
  };
  const wait = new MutationObserver(() => {
    const now = document.getElementById("or-now");
    if (!now || !document.querySelector(".or-masthead")) return;
    wait.disconnect();
    speak();
    watch(document.getElementById("or-room"), now);
  });
  wait.observe(document.documentElement, { childList: true, subtree: true });
})();
