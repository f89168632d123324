"""The backends' names, as requests, files and settings have them, and their titles, as people read them."""

AUTO = "auto"  # the first backend that is ready
MODELSLAB = "modelslab"
LOCAL = "local"
STUDIO = "studio"

TITLES = {MODELSLAB: "ModelsLab", LOCAL: "Local pipeline", STUDIO: "Studio"}
