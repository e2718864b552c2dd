"""The OpenAPI document: what each operation takes, answers and refuses."""
