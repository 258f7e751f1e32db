// The sheet: an article beside the conversation, over it on a narrow screen, with the quotation marked.

const NARROW = matchMedia("(max-width: 63.99rem)");

/** The spans of the turn's other quotations that stand in the article at `href`. */
export function others(turn, href) {
  const address = new URL(href, location.origin);
  const id = decodeURIComponent(address.pathname.split("/article/")[1] ?? "");
  const start = Number(address.searchParams.get("start"));
  return (turn?.feedback.citations ?? []).filter((one) => one.article === id && one.start !== start);
}

/**
 * What stands on the article page at `href`, as nodes, or a line that it could not be had. `also` holds the spans that
 * are marked lightly in it; `request` fetches.
 */
export async function article(href, { lang, texts, also = [], request = fetch }) {
  const address = new URL(href, location.origin);
  address.hash = "";
  address.searchParams.set("lang", lang);
  if (also.length) address.searchParams.set("also", also.map(({ start, end }) => `${start}-${end}`).join(","));
  try {
    const answer = await request(address);
    const main = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    for (const link of main.querySelectorAll("a")) link.target = "_blank";
    return [...main.childNodes];
  } catch {
    const line = document.createElement("p");
    line.className = "or-error";
    line.textContent = texts.article_failed;
    return [line];
  }
}

/** Scrolls `page` so that the quotation in it stands in its middle. */
export function showQuote(page) {
  const quote = page.querySelector("#quote")?.getBoundingClientRect();
  // Not scrollIntoView, which would move the conversation too.
  if (quote) page.scrollTop += quote.top - page.getBoundingClientRect().top - (page.clientHeight - quote.height) / 2;
  else page.scrollTop = 0;
}

/** The sheet in `box`; `room` is what lies under it on a narrow screen, `home` gives what gets the focus when nothing else can. */
export function sheet(box, { room, home, lang, texts, copy }) {
  const page = box.querySelector(".or-sheet");
  const asPage = box.querySelector(".or-as-page");
  let shown = null; // the link whose article lies on the sheet
  let latest = 0;
  let closing = false;

  const isOpen = () => !box.hidden;
  const cover = () => (room.inert = isOpen() && NARROW.matches);
  NARROW.addEventListener("change", cover);
  const mark = (link) => {
    shown?.removeAttribute("aria-current");
    link?.setAttribute("aria-current", "true");
    shown = link;
  };

  /** Notes where `link` stands; the returned function scrolls it back there when the column has become another. */
  function steady(link) {
    const before = link?.getBoundingClientRect().top;
    return () => link?.isConnected && scrollBy(0, link.getBoundingClientRect().top - before);
  }

  /** Opens the article page at `href`; `also` holds the spans of the answer's other quotations in it. */
  async function open(href, { also = [], from = null } = {}) {
    const mine = ++latest;
    const content = await article(href, { lang, texts, also });
    if (mine !== latest) return; // another article was chosen meanwhile, or none any more
    page.replaceChildren(...content);
    asPage.href = href;
    const settle = steady(from);
    if (!isOpen()) {
      history.pushState({ sheet: true }, ""); // "back" closes the sheet
      box.hidden = false;
      document.body.classList.add("or-reading");
    }
    mark(from);
    cover();
    settle();
    page.focus({ preventScroll: true });
    showQuote(page);
  }

  function hide() {
    latest++;
    closing = false;
    if (!isOpen()) return;
    const lost = box.contains(document.activeElement) || document.activeElement === document.body;
    const settle = steady(shown);
    box.hidden = true;
    document.body.classList.remove("or-reading");
    cover();
    settle();
    page.replaceChildren();
    if (lost) (shown?.isConnected && shown.offsetParent ? shown : home()).focus({ preventScroll: true });
    mark(null);
  }

  function close() {
    latest++;
    if (!isOpen() || closing) return; // a second "back" would leave the room
    closing = true;
    history.back();
  }

  page.addEventListener("click", (event) => {
    const now = event.target.closest(".or-now");
    if (!now || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(now.getAttribute("href"), { from: shown });
  });
  if (history.state?.sheet) history.replaceState(null, ""); // the page was reloaded with the sheet open
  box.querySelector(".or-close").addEventListener("click", close);
  box.querySelector(".or-copy-link").addEventListener("click", ({ currentTarget }) => copy(asPage.href, currentTarget));
  return { open, close, hide, isOpen };
}
