// The page around the panel: it says hello, may hand over a token, and is told how high the panel is. Nobody else is
// heard, and the token is kept in this page's memory only.

const PATIENCE = 5000; // ms in which the page around may bring a fresh token

/**
 * Listens to the page around this one if it is of one of the `origins`. `changed` is called with each new token, `called`
 * when the panel is to have the focus.
 */
export function outside(origins, { changed, called }) {
  let token = null;
  let origin = null; // of the page around, once it has said hello
  let greet;
  const greeted = new Promise((resolve) => (greet = resolve));
  const waiting = new Set();

  const tell = (message) => origin && parent.postMessage(message, origin);

  addEventListener("message", (event) => {
    if (parent === window || event.source !== parent || !origins.includes(event.origin)) return;
    if (event.data?.type !== "on-record:hello") return;
    ({ origin } = event);
    const given = typeof event.data.token === "string" && event.data.token ? event.data.token : null;
    const fresh = given !== token;
    token = given;
    greet();
    if (fresh) {
      for (const go of waiting) go(true);
      changed();
    }
    if (event.data.focus) called();
  });

  /** Asks the page around for another token than `used`; gives whether there is one. */
  function renewed(used, patience) {
    if (token !== used) return true;
    tell({ type: "on-record:token-wanted" });
    if (!origin || !patience) return false;
    return new Promise((resolve) => {
      const go = (done) => {
        waiting.delete(go);
        resolve(done);
      };
      waiting.add(go);
      setTimeout(go, patience, false);
    });
  }

  /** `fetch` with the token; where it has run out, once more with a fresh one. */
  async function request(address, options = {}, patience = PATIENCE) {
    const used = token;
    const send = () => fetch(address, { ...options, headers: { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) } });
    const answer = await send();
    return answer.status === 401 && (await renewed(used, patience)) ? send() : answer;
  }

  return { greeted, tell, request, hasToken: () => token !== null };
}
