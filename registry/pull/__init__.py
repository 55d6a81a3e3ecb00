"""From a source into a local store; the base install is enough."""
