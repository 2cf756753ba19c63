"""Where the templates of pages and mails are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_BESIDE: Final = Path(__file__).parent / "templates"
#: A checkout on a system without symbolic links has them at the top of the tree only.
FOLDER: Final = _BESIDE if _BESIDE.is_dir() else Path(__file__).parent.parent / "templates"
