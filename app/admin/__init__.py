"""The marketing team's door: keys and people, the API, the dashboard."""
