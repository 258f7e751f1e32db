"""Asks whether a pinned dependency has a known hole: `python scripts/audit.py`.

Fails on findings, except those that are explained below. Where nobody answers, or an index that has no advisories, it
says so in one line and passes: a check must work without a network.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"

# Findings that do not concern what is used here, and why. `docs/security.md` says more.
EXPLAINED = {
    "CVE-2026-45829": "chromadb.app, its Python server, is never started",
}

_NO_ANSWER = re.compile(r"(?i)connect|timed? ?out|max retries|name resolution|unreachable|proxy|ssl|service ?error")


def main() -> int:
    """0 if nothing is known against what is pinned, or nobody could be asked; 1 with the findings otherwise."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(REQUIREMENTS), "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return _said("nobody answered within five minutes; nothing was checked")
    try:
        packages: list[dict[str, Any]] = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (asked.stderr.strip() or "it said nothing").splitlines()[-1]
        if _NO_ANSWER.search(asked.stderr):
            return _said(f"nobody answered ({last[:120]}); nothing was checked")
        print(f"audit: pip-audit failed: {asked.stderr.strip() or last}", file=sys.stderr)
        return 1
    return judged(packages)


def judged(packages: list[dict[str, Any]]) -> int:
    """What to say of pip-audit's list of packages, and the exit status it comes to."""
    checked = [package for package in packages if "skip_reason" not in package]
    if not checked:
        return _said("the package index that is used here knows no advisories; nothing was checked")
    found, explained = [], []
    for package in checked:
        for hole in package["vulns"]:
            names = [hole["id"], *hole.get("aliases", ())]
            line = f"{package['name']} {package['version']}: {', '.join(names)}"
            reason = next((EXPLAINED[name] for name in names if name in EXPLAINED), None)
            if reason:
                explained.append(f"{line}: {reason}")
            else:
                found.append(f"{line}; mended in {', '.join(hole.get('fix_versions', ())) or 'no version yet'}")
    for line in explained:
        _said(f"explained: {line}")
    for line in found:
        print(f"audit: {line}", file=sys.stderr)
    left = [package["name"] for package in packages if "skip_reason" in package]
    _said(
        f"{len(checked)} packages checked, {len(found)} findings" + (f"; not known: {', '.join(left)}" if left else "")
    )
    return 1 if found else 0


def _said(line: str) -> int:
    print(f"audit: {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
