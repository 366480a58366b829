"""What boots: machine classes, config builder, prices, and the provider, the only importer of fly."""
