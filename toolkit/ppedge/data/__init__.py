"""From label files and pictures to batches."""

import pyclipper  # noqa: F401  # before any module here brings OpenCV: loaded after it, pyclipper may not find its zlib
