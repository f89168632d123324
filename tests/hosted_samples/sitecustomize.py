"""Python reads this at its start: the ModelsLab client of a sample finds the service of the tests."""

import os

from headshot.modelslab.client import HeadShotClient

HeadShotClient.__init__.__kwdefaults__["base_url"] = os.environ["HEADSHOT_MODELSLAB_URL"]
