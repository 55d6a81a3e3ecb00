"""Export: teacher or student as ONNX forms."""
