"""What is believed: canonical bytes, manifests, the release document, signatures and their proof."""
