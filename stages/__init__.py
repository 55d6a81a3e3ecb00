"""The stages of the DAG, in order. Each is one module of this package and one stage of dvc.yaml."""

STAGES = (
    "ingest",
    "anonymize",
    "validate",
    "dialogues",
    "vectorizer",
    "student",
    "export",
    "cache",
    "index",
    "audit",
    "benchmark",
    "gate",
)
