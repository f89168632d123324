"""The local fallback pipeline: headshots by a diffusion model on this machine's own accelerator."""
