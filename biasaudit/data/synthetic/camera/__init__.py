"""Camera: photographs of a nearly symmetric device whose surroundings give its orientation away."""

from biasaudit.data.synthetic.camera.dataset import camera
from biasaudit.data.synthetic.camera.settings import CameraSettings

__all__ = ["CameraSettings", "camera"]
