"""From a blessed build to a signed release; needs the pipeline's environment."""
