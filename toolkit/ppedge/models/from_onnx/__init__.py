"""The weights of a published network out of an ONNX file."""
