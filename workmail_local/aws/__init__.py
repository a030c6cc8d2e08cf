"""The loopback AWS: a moto server that deploys CDK stacks truly, and what it has deployed, read back."""
