"""What all HTTP code shares: the application context, problem responses, middleware, pages."""
