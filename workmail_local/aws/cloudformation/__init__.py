"""CloudFormation for moto: stacks that are created, updated, rolled back and deleted as in AWS.

Our engine replaces moto's where moto cannot deploy a CDK stack: it has no rollback, no `Rules` and no outputs of change
sets, calls failed change sets a success, and drops resources it does not know. moto's models of the resources, its
parameters, conditions and intrinsic functions stay in use. `tests/local/aws/test_moto_canaries.py` fails once moto does
one of these itself.
"""
