"""Pictures that belong to the course, and the code that draws them."""
