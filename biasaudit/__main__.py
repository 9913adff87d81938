"""``python -m biasaudit``, and what the command ``biasaudit`` runs."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the command line; stopped while it is being imported, it ends as quietly as later."""
    try:
        from biasaudit.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    main()


if __name__ == "__main__":
    run()
