"""kerasgan: train a face GAN in Keras, and use what it learned."""

import os

__version__ = "0.1.0"

# TensorFlow reads these once, when it is first imported; anything the user has set is kept.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
