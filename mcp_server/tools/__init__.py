"""What an agent may ask: one module per tool."""
