"""Everything that happens on the phone too, in NumPy and OpenCV: the one specification of pre- and post-processing."""

# Loaded before OpenCV and Paddle, after which its own loading can fail with a zlib error; every module that uses any of
# them imports something from this package first.
import pyclipper  # noqa: F401
