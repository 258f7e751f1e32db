// An article in its card: unfolded below the quotation, with the quotation marked in it, and folded again.
import { article, showQuote } from "./sheet.js";

let made = 0; // each has an id of its own

/** Unfolds articles in the cards of a conversation. `asPage` says whether one can be opened as a page too. */
export function unfolder({ lang, texts, request, asPage }) {
  const open = new Map(); // the link of each article that is unfolded -> what is unfolded, in the order of opening

  function fold(link) {
    const box = open.get(link);
    const inside = box.contains(document.activeElement);
    open.delete(link);
    box.remove();
    link.setAttribute("aria-expanded", "false");
    link.removeAttribute("aria-controls");
    if (inside) link.focus({ preventScroll: true });
  }

  function bar(href, link) {
    const line = document.createElement("p");
    line.className = "or-acts";
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = texts.close;
    close.addEventListener("click", () => fold(link));
    line.append(close);
    if (asPage()) {
      const page = document.createElement("a");
      Object.assign(page, { href, target: "_blank", rel: "noopener", textContent: texts.open_page });
      line.append(page);
    }
    return line;
  }

  /** Scrolls so that what is unfolded can be seen above the question, unless its headline would go. */
  function show(link, box) {
    const below = box.getBoundingClientRect().bottom - document.querySelector("#or-asking").getBoundingClientRect().top;
    const above = link.getBoundingClientRect().top;
    if (below > 0) scrollBy(0, Math.min(below + 8, above - 8)); // not scrollIntoView, which would move the page around too
  }

  /** Unfolds the article at `href` where `link` stands, or folds it if it is unfolded. */
  async function toggle(href, link, also) {
    if (open.has(link)) return fold(link);
    const box = document.createElement("div");
    box.className = "or-unfolded";
    box.id = `or-unfolded-${++made}`;
    const page = document.createElement("section");
    page.tabIndex = 0;
    page.setAttribute("aria-label", texts.article);
    page.setAttribute("aria-busy", "true");
    box.append(page, bar(href, link));
    open.set(link, box);
    link.setAttribute("aria-expanded", "true");
    link.setAttribute("aria-controls", box.id);
    const place = link.closest(".or-card, li");
    place.insertBefore(box, place.querySelector(":scope > .or-acts"));
    await fill(page, href, also);
    show(link, box);
    page.addEventListener("click", (event) => {
      const now = event.target.closest(".or-now");
      if (!now) return;
      event.preventDefault(); // a new tab would have no token
      fill(page, now.getAttribute("href"));
    });
  }

  async function fill(page, href, also) {
    page.replaceChildren(...(await article(href, { lang, texts, also, request })));
    page.removeAttribute("aria-busy");
    showQuote(page);
    for (const named of page.querySelectorAll("[id]")) named.removeAttribute("id"); // another card may show the same
  }

  /** Folds the article in which the focus is, or else the one that was unfolded last; false where there is none. */
  function foldOne() {
    const links = [...open.keys()].filter((link) => link.isConnected);
    const link = links.find((one) => one.closest(".or-card, li").contains(document.activeElement)) ?? links.at(-1);
    if (!link) return false;
    fold(link);
    return true;
  }

  return { toggle, foldOne };
}
