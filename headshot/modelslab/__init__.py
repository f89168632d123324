"""ModelsLab's hosted head shot service, and a small SDK for it.

    from headshot.modelslab import head_shot

    picture = head_shot(key, "me.jpg")

`HeadShotClient` is the asynchronous client behind it. Importing this package loads neither the database nor Gradio nor
torch.
"""

from .client import HeadShotClient, head_shot

__all__ = ["HeadShotClient", "head_shot"]
