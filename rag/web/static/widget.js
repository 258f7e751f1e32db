// <on-record-chat>: the panel of On Record in a page of yours, in its place or behind a button in the corner.
//
//   <script src="https://archive.example/widget.js" async></script>
//   <on-record-chat mode="launcher" lang="en"></on-record-chat>
//
// src (the application's address, or that of its /embed with a query), lang, theme, mode (inline, launcher), token.
// Where the panel needs a token, or a fresh one, the element says so with the event "on-record-token-wanted".
(() => {
  const NAME = "on-record-chat";
  // In a module there is no currentScript; its address then stands in the trace of an error.
  const script = document.currentScript?.src || /https?:\/\/[^\s()@]+?\/widget\.js/.exec(new Error().stack)?.[0];
  if (customElements.get(NAME)) return;

  const WORDS = {
    en: { title: "Ask the archive", close: "Close" },
    nl: { title: "Stel het archief een vraag", close: "Sluiten" },
    de: { title: "Das Archiv fragen", close: "Schließen" },
  };
  const style = new CSSStyleSheet(); // which a page's policy against inline styles lets through
  style.replaceSync(`
    :host { display: block; font: 1rem/1.4 system-ui, sans-serif; }
    :host([hidden]), [hidden] { display: none !important; }
    .box { border: 1px solid #8f8a8080; border-radius: 6px; overflow: hidden; box-sizing: border-box; }
    iframe { display: block; border: 0; width: 100%; height: 15rem; min-height: 8rem; max-height: var(--on-record-max-height, min(80vh, 44rem)); }
    button { font: inherit; color: inherit; background: none; border: 0; cursor: pointer; }
    .launch { position: fixed; inset: auto 1rem 1rem auto; z-index: 2147483000; padding: .65rem 1.1rem; border-radius: 2rem;
      font-weight: 600; background: #1f4e79; color: #fff; box-shadow: 0 2px 8px #0005; }
    .panel { position: fixed; inset: auto 1rem 4.5rem auto; z-index: 2147483001; display: flex; flex-direction: column;
      width: min(26rem, calc(100vw - 2rem)); height: min(40rem, calc(100vh - 6rem)); background: #1f4e79; color: #fff; box-shadow: 0 4px 24px #0006; }
    .panel iframe { flex: 1; min-height: 0; max-height: none; }
    .bar { display: flex; justify-content: space-between; align-items: center; padding-left: 1rem; font-weight: 600; }
    .bar button { min-width: 2.75rem; min-height: 2.75rem; font-size: 1.4rem; line-height: 1; }
    :focus-visible { outline: 3px solid #8bb8e8; outline-offset: 2px; }
    .bar :focus-visible { outline-offset: -4px; }
    @media (max-width: 34rem) { .panel { inset: 0; width: auto; height: auto; border: 0; border-radius: 0; } }
    @media print { .launch, .panel { display: none; } }`);

  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  customElements.define(NAME, class extends HTMLElement {
    static observedAttributes = ["src", "lang", "theme", "mode", "token"];
    #root = this.attachShadow({ mode: "open" });
    #live = false; // an element that is upgraded is told of its attributes before it is told that it stands in a page
    #address = null;
    #frame = null;
    #button = null;
    #panel = null;

    constructor() {
      super();
      this.#root.adoptedStyleSheets = [style];
    }

    connectedCallback() {
      addEventListener("message", this.#heard);
      document.addEventListener("keydown", this.#pressed);
      this.#live = true;
      this.#build();
    }

    disconnectedCallback() {
      removeEventListener("message", this.#heard);
      document.removeEventListener("keydown", this.#pressed);
      this.#live = false;
      this.#root.replaceChildren();
      this.#frame = this.#button = this.#panel = null;
    }

    attributeChangedCallback(name, old, value) {
      if (!this.#live || old === value) return;
      if (name === "token") this.#hello();
      else this.#build();
    }

    get token() {
      return this.getAttribute("token");
    }

    set token(value) {
      if (value == null) this.removeAttribute("token");
      else this.setAttribute("token", value);
    }

    /** The address of the panel, or null where none can be made: a page's author must not run a script by it. */
    #where() {
      try {
        const address = new URL(this.getAttribute("src") || new URL("embed", script), document.baseURI);
        if (!/^https?:$/.test(address.protocol)) return null;
        address.pathname = address.pathname.replace(/(\/embed)?\/*$/, "/embed");
        for (const name of ["lang", "theme"]) if (this.hasAttribute(name)) address.searchParams.set(name, this.getAttribute(name));
        return address;
      } catch {
        return null;
      }
    }

    #build() {
      this.#frame = this.#button = this.#panel = null;
      this.#root.replaceChildren();
      this.#address = this.#where();
      if (!this.#address) return console.error(`<${NAME}>: src is no address of On Record; give one such as https://archive.example`);
      const spoken = this.#address.searchParams.get("lang") || navigator.language;
      const words = WORDS[spoken.slice(0, 2).toLowerCase()] ?? WORDS.en;
      if (this.getAttribute("mode") !== "launcher") {
        this.#frame = this.#framed(words.title);
        this.#root.append(make("div", { className: "box" }, this.#frame));
        return;
      }
      const close = make("button", { type: "button", ariaLabel: words.close, textContent: "×", onclick: () => this.#show(false) });
      const bar = make("div", { className: "bar" }, make("span", { textContent: words.title }), close);
      this.#panel = make("div", { id: "panel", className: "box panel", role: "dialog", ariaLabel: words.title, hidden: true }, bar);
      this.#button = make("button", { type: "button", className: "launch", textContent: words.title, ariaExpanded: "false" });
      this.#button.setAttribute("aria-controls", "panel");
      this.#button.onclick = () => this.#show(this.#panel.hidden);
      this.#root.append(this.#button, this.#panel);
    }

    #framed(title) {
      const frame = make("iframe", { title: `On Record: ${title}`, allow: "clipboard-write", src: this.#address });
      frame.addEventListener("load", () => this.#hello(this.#panel?.hidden === false));
      return frame;
    }

    /** Opens the launcher's panel, whose frame is made then, or closes it. */
    #show(open) {
      this.#panel.hidden = !open;
      this.#button.ariaExpanded = String(open);
      if (!open) return this.#button.focus();
      if (this.#frame) this.#hello(true);
      else this.#panel.append((this.#frame = this.#framed(this.#button.textContent)));
      this.#frame.focus();
    }

    /** Hands the token to the panel, and to nothing else that may have been loaded in its place. */
    #hello(focus = false) {
      this.#frame?.contentWindow?.postMessage({ type: "on-record:hello", token: this.token, focus }, this.#address.origin);
    }

    #heard = ({ source, origin, data }) => {
      if (!this.#frame?.contentWindow || source !== this.#frame.contentWindow || origin !== this.#address.origin) return;
      if (data?.type === "on-record:height" && !this.#panel && data.height >= 0) this.#frame.style.height = `${Math.ceil(data.height)}px`;
      else if (data?.type === "on-record:close" && this.#panel) this.#show(false);
      else if (data?.type === "on-record:token-wanted") this.dispatchEvent(new Event("on-record-token-wanted", { bubbles: true, composed: true }));
    };

    #pressed = (event) => {
      if (event.key === "Escape" && !event.defaultPrevented && this.#panel?.hidden === false) this.#show(false);
    };
  });
})();
