"""8 bits: quantization-aware training, and the choice of layers."""
