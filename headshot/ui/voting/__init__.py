"""The blind vote on a comparison, as its owner sees it."""
