"""Refuse an environment with a package under the GPL or AGPL; exit code 1 names it.

The LGPL passes: biasaudit calls such libraries and neither changes nor ships them. So does a
package that offers another licence to choose.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, distributions

STRONG = re.compile(r"(?<!L)\bA?GPL|\bGNU (Affero )?General Public", re.IGNORECASE)


def stated(package: Distribution) -> str:
    """Return what a package's metadata say of its licence; empty where they say nothing."""
    metadata = package.metadata
    classifiers = metadata.get_all("Classifier") or []
    named = [c.rpartition("::")[2].strip() for c in classifiers if c.startswith("License ::")]
    whole_text = metadata["License"] or ""
    return metadata["License-Expression"] or " OR ".join(named) or whole_text.partition("\n")[0]


def main() -> str | None:
    """Return a message where a package may not be there."""
    found = {p.metadata["Name"]: stated(p) for p in distributions()}
    unstated = sorted(name for name, licence in found.items() if not licence)
    if unstated:
        sys.stderr.write(f"state no licence, read theirs: {', '.join(unstated)}\n")
    refused = [
        f"{name} ({licence})"
        for name, licence in sorted(found.items())
        if licence and all(STRONG.search(choice) for choice in re.split(r"\bOR\b", licence))
    ]
    return f"under the GPL or AGPL: {', '.join(refused)}" if refused else None


if __name__ == "__main__":
    sys.exit(main())
