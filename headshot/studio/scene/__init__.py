"""Everything behind the person: backdrops, the camera for them, the photo’s own background."""
