"""What stands behind the person: backdrops, the camera that sees them, the photo’s own background."""
