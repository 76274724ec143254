"""What tests share: factories that act through steps, fakes of the outside world, constants."""
