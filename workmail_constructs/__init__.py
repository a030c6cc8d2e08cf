"""AWS CDK constructs for Amazon WorkMail Run Lambda email flow rules."""
