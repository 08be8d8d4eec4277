"""ppedge: PP-OCR style models, trained, slimmed, converted and proven for ARM phones."""

__version__ = "0.1.0"
