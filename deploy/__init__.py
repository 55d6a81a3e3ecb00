"""What runs beside the product: servers and services."""
