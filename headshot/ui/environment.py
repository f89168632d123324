"""Gradio's settings for this server, made before Gradio is imported for the first time.

Attributes:
    CACHE: the folder of uploads and pictures. It is deleted when the server ends.
"""

import os
from pathlib import Path

from headshot.sessions import folder

# Gradio reads these when it is imported: no usage reports, and a folder of our own for uploads.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**12)  # a summary of all events, after each: 30 to 180 ms
os.environ["GRADIO_TEMP_DIR"] = str(folder.claim())

import gradio as gr

CACHE = Path(gr.utils.get_upload_folder())
