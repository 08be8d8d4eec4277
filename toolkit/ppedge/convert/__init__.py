"""From a checkpoint to Paddle Lite's .nb and to ONNX."""
