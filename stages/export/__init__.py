"""Export: the student as ONNX forms."""
