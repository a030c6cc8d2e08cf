"""Ready-made steps for `RunLambdaRule(steps=[…])`: each class in the module of its name, `steps.banner.Banner`."""
