"""LitServe around sentence-transformers, batching on. Run as a file by the Python of its own environment.

python litserve_app.py MODEL PORT WORKERS
"""

import sys
from typing import Any

import litserve as ls  # type: ignore[import-not-found]

ROWS, WAIT_S = 32, 0.005


class Embeddings(ls.LitAPI):  # type: ignore[misc]
    """OpenAI's form of one text a request."""

    def setup(self, device: str) -> None:
        """Load the model."""
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(sys.argv[1], device="cpu")

    def decode_request(self, request):  # type: ignore[no-untyped-def] # an annotation would be taken for a form
        """The text."""
        text: str = request["input"][0]
        return text

    def batch(self, inputs: list[str]) -> list[str]:
        """Texts that are encoded together."""
        return inputs

    def predict(self, texts: list[str]) -> Any:
        """Their vectors."""
        return self.model.encode(texts, batch_size=ROWS, normalize_embeddings=True, show_progress_bar=False)

    def unbatch(self, output: Any) -> Any:
        """One vector each."""
        return list(output)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """The answer."""
        return {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": output.tolist()}]}


if __name__ == "__main__":
    api = Embeddings(max_batch_size=ROWS, batch_timeout=WAIT_S, api_path="/v1/embeddings")
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=int(sys.argv[3]))
    server.run(host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False,
               log_level="warning", access_log=False)  # fmt: skip
