"""Camera: photographs of a nearly symmetric device whose surroundings give its orientation away."""

from biasaudit.data.camera.dataset import camera
from biasaudit.data.camera.settings import CameraSettings

__all__ = ["CameraSettings", "camera"]
