"""
Known holes in what is installed: `python -m tests.supply.audit PIP_AUDIT SITE_PACKAGES`.

pip-audit counts a package that its registry does not answer for as sound. Here that is reported: status
1 for a vulnerability, else 0, with a line that states whether anything was checked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

OUR_OWN = "poolgate"
UNREACHED = ("ConnectionError", "Max retries exceeded", "Failed to establish", "Name or service", "timed out")


def verdict(report: dict[str, Any]) -> tuple[int, str]:
    """Return the status and the message for a *report* in pip-audit's JSON."""
    packages = [each for each in report["dependencies"] if each["name"] != OUR_OWN]
    holes = [
        f"{each['name']} {each['version']}: {hole['id']}, fixed in {' '.join(hole['fix_versions']) or 'none'}"
        for each in packages
        for hole in each.get("vulns", ())
    ]
    if holes:
        return 1, "\n".join(holes)
    checked = sum("skip_reason" not in each for each in packages)
    if not checked:
        return 0, "not checked: no network, or a registry that knows of no holes"
    return 0, f"{checked} of {len(packages)} packages checked, no known hole"


def main(pip_audit: str, site_packages: str) -> int:
    options = ["--path", site_packages, "--format", "json", "--progress-spinner", "off"]
    audited = subprocess.run([pip_audit, *options], capture_output=True, text=True, check=False)
    if not audited.stdout.strip():
        if any(words in audited.stderr for words in UNREACHED):
            print("not checked: no network")
            return 0
        print(audited.stderr)
        return 1
    status, reply = verdict(json.loads(audited.stdout))
    print(reply)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
