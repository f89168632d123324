"""The CPU studio: cut-out, light, backdrop and tone, without key, GPU or network."""
