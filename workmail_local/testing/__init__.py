"""What users need in their own tests. It is light to import: each helper loads what it needs when it is used."""
