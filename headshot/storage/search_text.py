"""The text by which a comparison of the history is found."""

import unicodedata

from .schema import ComparisonRow


def search_text_of(row: ComparisonRow) -> str:
    """Return the text that a search looks in: the names and the prompts, each once, normalised."""
    prompts = [request[field] for request in row.requests for field in ("prompt", "negative_prompt")]
    return "\n".join(dict.fromkeys(normalized(text) for text in (row.name, row.group_name, *prompts)))


def normalized(text: str) -> str:
    """Normalise a text for searching: no capitals, one form for each letter, one blank between words."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", plain).split())
