"""The local AWS: a moto server on loopback that really deploys CDK stacks, and reads back what it deployed."""
