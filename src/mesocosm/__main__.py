"""Let ``python -m mesocosm`` do what the ``mesocosm`` command does."""

from __future__ import annotations

from mesocosm.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
