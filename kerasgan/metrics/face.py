"""The features of a network that knows faces: MTCNN's O-Net; and the loading of its stages.

Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks". O-Net looks at a 48x48 cut and says whether it is a face, and where eyes, nose and
mouth are; its last hidden layer holds what it needs for that.
"""

from typing import Any

import numpy as np

from kerasgan.backend import tf
from kerasgan.data import cascade
from kerasgan.errors import required
from kerasgan.metrics.features import Features, digest

SIZE = 48  # side of the cuts that O-Net reads, pixels
BATCH = 64  # faces at a time


def load() -> Features:
    """Builds the `face` features: the 256 units after O-Net's last PReLU.

    Raises:
        UserError: the package is not installed.
    """
    net = load_stage("ONet").model

    def network(pictures: tf.Tensor) -> tf.Tensor:
        x = net.maxpool1(net.prelu1(net.conv1(pictures)))
        x = net.maxpool2(net.prelu2(net.conv2(x)))
        x = net.maxpool3(net.prelu3(net.conv3(x)))
        x = net.prelu4(net.conv4(x))
        return net.prelu5(net.fc5(net.flatten(net.permute(x))))

    return Features("face", SIZE, 127.5, 128, digest(net.get_weights()), network)


def middle_features(patches: np.ndarray) -> np.ndarray:
    """Computes the features after O-Net's third pooling, which tell what a face looks like where.

    Args:
        patches: faces, upright, float32 in [-1, 1], (N, 48, 48, 3).

    Returns:
        float32, (N, 1024).

    Raises:
        UserError: the package is not installed.
    """
    net = load_stage("ONet").model
    parts = []
    for start in range(0, len(patches), BATCH):
        x = net.maxpool1(net.prelu1(net.conv1(patches[start : start + BATCH])))
        x = net.maxpool2(net.prelu2(net.conv2(x)))
        x = np.asarray(net.maxpool3(net.prelu3(net.conv3(x))))
        parts.append(x.reshape(len(x), -1))
    return np.concatenate(parts)


def load_stage(name: str) -> Any:
    """Builds a stage of MTCNN, "PNet", "RNet" or "ONet", with the package's own weights.

    Raises:
        UserError: the package is not installed.
    """
    required("mtcnn.stages", "metrics")
    return cascade.load_stage(name)
