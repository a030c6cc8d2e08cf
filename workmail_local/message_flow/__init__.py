"""Service `workmailmessageflow` on loopback, and who may do what there."""
