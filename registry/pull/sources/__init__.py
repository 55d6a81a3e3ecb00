"""Where releases are pulled from: a folder, an MLflow server, MLflow's own client for the rest."""
