"""Where the files are that tests read."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
PORTRAIT = Path(__file__).parent / "photos" / "portrait.jpg"
