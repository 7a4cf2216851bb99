"""Training of unit models: masked prediction of clusters, after which the encoder's vectors are clustered."""
