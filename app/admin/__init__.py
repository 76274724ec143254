"""API keys and staff, the API, the dashboard, exports."""
