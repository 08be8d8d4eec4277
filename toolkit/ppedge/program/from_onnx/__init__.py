"""ONNX models as inference programs of Paddle: the operators that networks for text have."""
