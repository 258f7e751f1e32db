// The sheet: an article beside the conversation, over it on a narrow screen, with the quotation marked.

const NARROW = matchMedia("(max-width: 63.99rem)");

/** The sheet in `aside`; `room` is what lies under it on a narrow screen. */
export function sheet(aside, { room, lang, texts, copy }) {
  const page = aside.querySelector(".or-sheet");
  const asPage = aside.querySelector(".or-as-page");
  let opener = null; // gets the focus back
  let shown = null;
  let latest = 0;

  const isOpen = () => !aside.hidden;
  /** Shows which link's article lies on the sheet. */
  const mark = (link) => {
    shown?.removeAttribute("aria-current");
    link?.setAttribute("aria-current", "true");
    shown = link;
  };
  const cover = () => (room.inert = isOpen() && NARROW.matches);
  NARROW.addEventListener("change", cover);

  /** Opens the article page at `href`; `also` holds the spans of the answer's other quotations in it. */
  async function open(href, { also = [], from = null } = {}) {
    const mine = ++latest;
    const address = new URL(href, location.origin);
    address.hash = "";
    asPage.href = href;
    const part = new URL(address);
    part.searchParams.set("lang", lang);
    if (also.length) part.searchParams.set("also", also.map(({ start, end }) => `${start}-${end}`).join(","));
    let content;
    try {
      const answer = await fetch(part);
      if (!answer.ok && answer.status !== 404) throw new Error(`${answer.status}`);
      content = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    } catch {
      content = document.createElement("p");
      content.className = "or-error";
      content.textContent = texts.article_failed;
    }
    if (mine !== latest) return; // another article was chosen meanwhile
    page.replaceChildren(...(content.tagName === "MAIN" ? content.childNodes : [content]));
    if (from) opener = from;
    if (!isOpen()) {
      history.pushState({ sheet: true }, ""); // "back" closes the sheet
      aside.hidden = false;
      document.body.classList.add("or-reading");
    }
    mark(from);
    cover();
    from?.scrollIntoView({ block: "nearest" }); // the column beside the sheet is narrower than it was
    page.focus({ preventScroll: true });
    const quote = page.querySelector("#quote");
    if (quote) quote.scrollIntoView({ block: "center" });
    else page.scrollTop = 0;
  }

  function hide() {
    if (!isOpen()) return;
    aside.hidden = true;
    document.body.classList.remove("or-reading");
    cover();
    page.replaceChildren();
    mark(null);
    opener?.focus({ preventScroll: true });
    opener = null;
  }

  const close = () => isOpen() && history.back();
  addEventListener("popstate", hide);
  aside.querySelector(".or-close").addEventListener("click", close);
  aside.querySelector(".or-copy-link").addEventListener("click", (event) => copy(asPage.href, event.currentTarget));
  return { open, close, isOpen };
}
