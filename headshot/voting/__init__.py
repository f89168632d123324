"""Votes on headshots: pairs, ranking, and the pages that voters see."""
