"""The only place that speaks MLflow."""
