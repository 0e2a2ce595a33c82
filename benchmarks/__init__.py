"""Scripts that print the numbers in our documents, each with hardware, versions and how often it was run."""
