// Marks the cards whose article has been edited since it was quoted, or is gone. Asked for all cards at once, when a
// conversation is restored and when the reader comes back to it.

const PAUSE = 10_000; // ms between two requests at least
const MOST = 1000; // cards, the latest

let asked = -PAUSE;
let made = 0;

/** The article that a card's link means, and the text it had. */
function quoted(link) {
  const address = new URL(link.getAttribute("href"), location.origin);
  const id = decodeURIComponent(address.pathname.split("/article/")[1]);
  return { id, version: address.searchParams.get("v") ?? "" };
}

function mark(link, said) {
  const frame = link.closest(".or-card, li").querySelector(".or-frame");
  frame.querySelector(".or-since")?.remove();
  link.removeAttribute("aria-describedby");
  if (!said) return;
  const line = document.createElement("span");
  line.className = "or-since";
  line.textContent = said;
  line.id = `or-since-${++made}`;
  link.setAttribute("aria-describedby", line.id); // for who goes from headline to headline
  frame.insertBefore(line, frame.querySelector(".or-confidence"));
}

/** Marks the cards in `log`; `request` fetches. */
export async function check(log, { root, texts, request = fetch }) {
  const links = [...log.querySelectorAll(".or-open")].slice(-MOST);
  if (document.hidden || !links.length || performance.now() - asked < PAUSE) return;
  asked = performance.now();
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ articles: links.map(quoted) });
  try {
    const answer = await request(`${root}/api/editions`, { method: "POST", headers, body });
    if (!answer.ok) return;
    const { editions } = await answer.json();
    links.forEach((link, at) => mark(link, { edited: texts.edited, gone: texts.gone }[editions[at]]));
  } catch {
    // The server does not answer: nothing is known of the cards.
  }
}
