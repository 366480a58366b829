"""What makes the generated pages: one module per page, each from the code that decides the thing."""
