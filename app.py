"""Opens the chat in a browser: `python app.py`."""

import sys

from rag import Assistant, RagError
from rag.settings import load
from rag.web.server import serve


def main() -> str | None:
    """Serve until interrupted; returns what went wrong, in a line."""
    try:
        settings = load()
        with Assistant() as assistant:
            assistant.sync(progress=True)
            serve(assistant, settings, settings.host, settings.port, open_browser=True)
    except RagError as error:
        return str(error)
    except KeyboardInterrupt:
        return "Interrupted; nothing is lost, the next start goes on from here"
    return None


if __name__ == "__main__":
    sys.exit(main())
