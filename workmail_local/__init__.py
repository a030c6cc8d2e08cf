"""A local WorkMail on loopback: the deployed functions, the deployed permissions, real mail."""
