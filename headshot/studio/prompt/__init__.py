"""The words of a prompt, read as settings of the studio."""
