"""Where the files are that tests read."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
PORTRAIT = ROOT / "headshot" / "examples" / "portrait.jpg"  # the page's example
ASTRONAUT = ROOT / "headshot" / "examples" / "astronaut.png"  # somebody else
