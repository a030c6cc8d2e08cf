"""CloudFormation for moto: stacks that are created, updated, rolled back and deleted as AWS would.

moto's own engine is replaced where it cannot deploy a CDK stack truly: it fails every update, reports failed change
sets as success, has neither rollback, `Rules` nor outputs of change sets, and forgets resources it does not know. Its
models of the resources themselves, its parameters, conditions and intrinsic functions stay in use.
"""
