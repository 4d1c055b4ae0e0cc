"""ScreenshotOne: pictures of pages."""
