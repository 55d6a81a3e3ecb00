"""The stages of the DAG: each is a folder of this package and a stage of dvc.yaml; `names` lists them in order."""
