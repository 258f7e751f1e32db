"""The chat in the browser and the article pages: FastAPI outside, Gradio inside, guards around both."""

import os

# Gradio reads this when it is imported; with any other value than exactly "False" it looks up hosts on the internet.
# It is written here and is no setting, because there is no choice to offer: nothing may leave the machine.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
