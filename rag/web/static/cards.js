// The cards of an answer: each can be chosen by its headline or anywhere on it.

/** Calls `open(href, link)` with the headline of a card in `log` that is chosen. */
export function cards(log, open) {
  let choosing;
  log.addEventListener("click", (event) => {
    clearTimeout(choosing);
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.shiftKey || target.closest("button, form, .or-unfolded")) return;
    const marker = target.closest("a.or-marker");
    if (marker) {
      event.preventDefault(); // Gradio's <base> would make "#…" a new address
      const card = document.getElementById(marker.getAttribute("href").slice(1));
      card?.scrollIntoView({ block: "center" });
      card?.querySelector(".or-open")?.focus({ preventScroll: true });
      return;
    }
    const link = target.closest("a");
    if (link?.matches(".or-open")) {
      event.preventDefault();
      open(link.getAttribute("href"), link);
    } else if (!link && event.detail === 1) {
      // The whole card can be chosen, but words in it can be selected too.
      const headline = target.closest(".or-card")?.querySelector(".or-open");
      if (headline) choosing = setTimeout(() => String(getSelection()) || headline.click(), 250);
    }
  });
}
