"""The local fallback pipeline: diffusers on a GPU."""
