"""Questions that a lesson asks in short and a long run answers: one module each, used by both."""
