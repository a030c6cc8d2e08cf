"""What users need in their own tests. Light to import; each helper loads what it needs when it is used."""
