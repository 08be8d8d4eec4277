"""ppedge: PP-OCR style models, trained, slimmed, converted and proven for ARM phones."""

# Paddle exports zlib symbols of its own: a zlib that is first imported after Paddle binds to them and crashes.
import zlib  # noqa: F401

__version__ = "0.2.0"
