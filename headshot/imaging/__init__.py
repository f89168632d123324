"""The photo and what is seen in it: files, faces, the photo check, the five models."""
