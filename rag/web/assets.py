"""Our scripts and styles, as files of the package."""

from __future__ import annotations

from importlib import resources
from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles


class Assets(StaticFiles):
    """The folder `static`. A browser asks whether a file has changed, so that no page runs with yesterday's."""

    def __init__(self) -> None:
        super().__init__(directory=str(resources.files("rag.web") / "static"))

    def file_response(self, full_path: Any, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(full_path, *args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        if str(full_path).endswith(".js"):  # the system's own table may say otherwise, and then browsers refuse it
            response.headers["Content-Type"] = "text/javascript; charset=utf-8"
        return response
